"""Read a notebook's code cells as one Python text, without IPython's magics."""

from __future__ import annotations

import json
import re
from pathlib import Path

from mlpack.errors import ConfigError
from mlpack.usercode.python_source import parsed

_MOST = 64 * 1024 * 1024
_KEPT_MAGICS = ("time", "timeit", "capture", "prun")  # cell magics whose cell is still Python
_SHELL = re.compile(r"^(\s*)([%!?]|[\w.\[\]\"']+\?{1,2}\s*$)")
_ASSIGNED = re.compile(r"^(\s*[\w, ]+=\s*)([%!]).*$")


def read_notebook(path: Path) -> tuple[str, tuple[str, ...]]:
    """The Python code of a .ipynb file's cells, in order, and notes on what was left out; outputs are not used.

    Raises ConfigError for a file that is not a notebook (nbformat 3 or 4).
    """
    try:
        if path.stat().st_size > _MOST:
            raise ConfigError(
                f"{path} is larger than 64 MiB", hint="Clear its outputs, or move the class to a .py file."
            )
        document = json.loads(path.read_text(encoding="utf-8"))
        cells = document["cells"] if "cells" in document else document["worksheets"][0]["cells"]
        texts = [_text(cell) for cell in cells if cell.get("cell_type") == "code"]
    except OSError as error:
        raise ConfigError(
            f"cannot read {path}: {error.strerror}", hint="Check the path and its permissions."
        ) from error
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise ConfigError(
            f"{path} is not a notebook", hint="--include takes .ipynb files, .py files and folders."
        ) from error
    kept: list[str] = []
    left_out: list[str] = []
    for number, text in enumerate(texts, 1):
        plain = without_magics(text)
        problem = "is not Python" if plain is None else parsed(plain)[1]
        if plain is None or problem:
            left_out.append(f"code cell {number} {problem}")
        else:
            kept.append(plain.rstrip("\n"))
    return "\n\n\n".join(text for text in kept if text.strip()) + "\n", tuple(left_out)


def without_magics(cell: str) -> str | None:
    """A cell's text with IPython's lines replaced, line for line; None when the cell is in another language."""
    lines = cell.splitlines()
    start = next(
        (number for number, line in enumerate(lines) if line.strip() and not line.lstrip().startswith("#")), None
    )
    if start is not None and lines[start].startswith("%%"):
        if lines[start][2:].strip().split(" ")[0] not in _KEPT_MAGICS:
            return None
        lines[start] = ""
    if parsed("\n".join(lines))[0] is not None:
        return "\n".join(lines)  # a line that looks like a magic may be inside a string
    return "\n".join(_plain(line) for line in lines)


def _plain(line: str) -> str:
    if found := _ASSIGNED.match(line):
        return f"{found[1]}None"
    return f"{found[1]}pass" if (found := _SHELL.match(line)) else line


def _text(cell: dict[str, object]) -> str:
    source = cell.get("source", cell.get("input", ""))
    return "".join(map(str, source)) if isinstance(source, list) else str(source)
