"""The lists for the verdict, as data: allowed names, dangerous names, renamed modules."""

from __future__ import annotations

import _compat_pickle
import csv
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from mlpack.readers.distributions import DISTRIBUTIONS
from mlpack.readers.pickles.values import Global

_HERE = Path(__file__).parent
# Modules that are also dangerous as attributes of other modules (`shutil` + `os.system`, `six.moves.builtins`).
_REACHED = frozenset(
    {"os", "posix", "nt", "sys", "subprocess", "builtins", "__builtin__", "importlib", "socket", "ctypes", "shutil"}
    | {"runpy", "pty", "cPickle", "marshal", "urllib", "webbrowser"}
)
# Names that always mean a module; nested classes never have these names.
_MODULES = frozenset(sys.stdlib_module_names) | frozenset(DISTRIBUTIONS) | {"np", "pd", "sp", "plt", "tf"}


@cache
def allowed() -> dict[tuple[str, str], str]:
    """(module, name) -> `call`: the file may call it; `name`: the file may only refer to it."""
    return {(module, name): use for module, name, use, _ in _rows("allowlist.tsv")}


@cache
def renamed() -> dict[str, str]:
    """A module's name in other releases -> its name on the allowlist."""
    return {old: new for old, new, _ in _rows("renames.tsv")}


@cache
def _dangerous() -> dict[tuple[str, str], str]:
    return {(module, name): why for module, name, why in _rows("dangerous.tsv")}


def _rows(name: str) -> Iterator[list[str]]:
    with (_HERE / name).open(encoding="utf-8", newline="") as file:
        yield from (row for row in csv.reader(file, delimiter="\t") if row and not row[0].startswith("#"))


def canonical(name: Global) -> tuple[str, str]:
    """The (module, name) of a name on the allowlist."""
    module, inner = _modern(name)
    return renamed().get(module, module), inner


def use_of(name: Global) -> str | None:
    """`call`, `name`, or None for a name that is not on the allowlist."""
    return allowed().get(_modern(name)) or allowed().get(canonical(name))


def danger_of(name: Global) -> str | None:
    """What a dangerous name can do; None when it is not known as dangerous."""
    for module, inner in ((name.module, name.name), _modern(name)):
        why = _danger(module, inner)
        if why:
            return why
    return None


def _danger(module: str, name: str) -> str | None:
    table = _dangerous()
    parts = name.split(".")
    for prefix in range(1, len(parts) + 1):
        if why := table.get((module, ".".join(parts[:prefix]))):
            return why
    path = module.split(".")
    for prefix in range(len(path), 0, -1):
        if why := table.get((".".join(path[:prefix]), "*")):
            return why
    if any(part.startswith("__") and part.endswith("__") for part in parts[:-1]):
        return "accesses the interpreter's internals"
    reached = _REACHED.intersection(parts[:-1]) or _REACHED.intersection(path[1:])
    if "builtins" in reached or "__builtin__" in reached:
        return table.get(("builtins", parts[-1]))
    if reached:
        return "accesses a dangerous module through another module"
    return "accesses a module through another module" if _MODULES.intersection(parts[:-1]) else None


def _modern(name: Global) -> tuple[str, str]:
    # Python 2's names, translated as the standard unpickler does.
    pair = (name.module, name.name)
    if pair in _compat_pickle.NAME_MAPPING:
        return _compat_pickle.NAME_MAPPING[pair]
    return _compat_pickle.IMPORT_MAPPING.get(name.module, name.module), name.name
