"""What TensorFlow's operators do, by name: operators.txt, whose names are TensorFlow's own registry."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path

ALLOWED = ("compute", "dataset")
CONDITIONAL = ("attribute", "table", "saver")  # allowed in one form, which other modules know
DANGEROUS = {
    "files": "reads or writes files of the machine that runs it",
    "python": "runs Python code of the process that serves it",
    "network": "opens network connections, or communicates with other processes",
    "graph": "runs a graph or a module that is hidden in a text, where inspection cannot see it",
    "process": "ends the process that serves it",
}
OTHER = "other"


def kind_of(op: str) -> str:
    """The section of an operator; "" for one that TensorFlow does not have."""
    return _sections().get(op, "")


def registered() -> frozenset[str]:
    """Every operator that TensorFlow is known to have."""
    return frozenset(_sections())


@cache
def _sections() -> Mapping[str, str]:
    found: dict[str, str] = {}
    section = ""
    for line in Path(__file__).with_name("operators.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            section = line[1:].partition("]")[0]
        elif not line.startswith("#"):
            found.update(dict.fromkeys(line.split(), section))
    return found
