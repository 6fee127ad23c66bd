"""The classes that Keras builds from a configuration by their bare names, as Keras 1 to 3 call them."""

from __future__ import annotations

from pathlib import Path


def _sections() -> list[frozenset[str]]:
    text = Path(__file__).with_name("classes.txt").read_text(encoding="utf-8")
    sections = text.split("# ")[2:]  # the first comment says what the file is
    return [frozenset(section.partition("\n")[2].split()) for section in sections]


LAYERS, OTHERS = _sections()
