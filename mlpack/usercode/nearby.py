"""Search the user's files near the model for a missing class or module, without running them."""

from __future__ import annotations

import ast
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from mlpack.artifacts.needs import Answer
from mlpack.errors import ConfigError
from mlpack.usercode.notebooks import read_notebook
from mlpack.usercode.python_source import Source, dotted, parse_source, read_source

_MOST_FILES = 300
_MOST_FOLDERS = 500
_LARGEST = 20 * 1024 * 1024  # a notebook with pictures
_DEPTH = 3
_SAMPLES = ("rows", "sample", "samples")  # usual names of files with sample rows
_SKIPPED = frozenset({"__pycache__", "node_modules", "site-packages", "venv", "env", "build", "dist"})


@dataclass(frozen=True, kw_only=True)
class Hint:
    """A path to include: `include` as the user would type it, the `file` that defines the name, its line (0: a module)."""

    include: str
    file: str
    line: int


def find_class(name: str, model: Path, cwd: Path) -> Hint | None:
    """The script or notebook near the model that defines a name of `__main__`; files that mention the model come first."""
    found: list[tuple[tuple[bool, bool, bool, str], Hint]] = []
    for path in _files(model, cwd):
        source = _source(path)
        first = name.partition(".")[0]
        imported = {here for one in source.imports for _, here in one.names}
        if first in source.names and first not in imported:
            shown = _typed(path, cwd)
            rank = (model.name not in source.text, path.parent != model.parent.resolve(), path.suffix != ".py", shown)
            found.append((rank, Hint(include=shown, file=shown, line=source.names[first])))
    return min(found, key=lambda one: one[0])[1] if found else None


def find_module(module: str, model: Path, cwd: Path) -> Hint | None:
    """What to include for a dotted module: its file, its package, or the folder that contains it."""
    parts = module.split(".")
    for path in _files(model, cwd):
        if path.suffix != ".py":
            continue
        names = [*path.parts[:-1], path.stem] if path.name != "__init__.py" else list(path.parts[:-1])
        if names[-len(parts) :] == parts:
            top = (
                path
                if len(parts) == 1 and path.name != "__init__.py"
                else Path(*path.parts[: len(names) - len(parts) + 1])
            )
            return Hint(include=_typed(top, cwd), file=_typed(path, cwd), line=0)
    return None


@dataclass(frozen=True, kw_only=True)
class ModuleClass:
    """A torch module's class near its weights: `entry` and `include` are the values of these options, `file` defines it."""

    entry: str
    include: str
    file: str


def find_module_class(submodules: Iterable[str], model: Path, cwd: Path) -> ModuleClass | None:
    """The only class near the model that sets these attributes and is made without arguments; None if there are several."""
    found = []
    for path in _files(model, cwd):
        tree = _source(path).tree if path.suffix == ".py" and path.stem.isidentifier() else None
        for node in tree.body if tree is not None else ():
            if isinstance(node, ast.ClassDef) and _takes_nothing(node) and set(submodules) <= _set_attributes(node):
                shown = _typed(path, cwd)
                found.append(ModuleClass(entry=f"{path.stem}:{node.name}", include=shown, file=shown))
    return found[0] if len(found) == 1 else None


def _takes_nothing(node: ast.ClassDef) -> bool:
    """Whether it is a torch module whose __init__ has a default for every parameter."""
    made = next((one for one in node.body if isinstance(one, ast.FunctionDef) and one.name == "__init__"), None)
    if made is None or not any(dotted(base).rpartition(".")[2] == "Module" for base in node.bases):
        return False
    given = made.args
    required = len(given.posonlyargs) + len(given.args) - len(given.defaults)
    return required <= 1 and None not in given.kw_defaults


def _set_attributes(node: ast.ClassDef) -> set[str]:
    """The attributes of `self` that its code assigns."""
    stored = (one for one in ast.walk(node) if isinstance(one, ast.Attribute) and isinstance(one.ctx, ast.Store))
    return {one.attr for one in stored if dotted(one.value) == "self"}


def sample_answer(model: Path, cwd: Path, name: str) -> Answer:
    """The option --sample: with a file of sample rows beside the model or in the working folder, else with `name`."""
    for folder in (model.parent, cwd):
        for stem in _SAMPLES:
            for suffix in (".csv", ".json", ".parquet"):
                if (path := folder / f"{stem}{suffix}").is_file():
                    return Answer("--sample", _typed(path.resolve(), cwd.resolve()))
    return Answer("--sample", name, known=False)


def _files(model: Path, cwd: Path) -> Iterator[Path]:
    """Python files and notebooks below the model's folder and the working folder, in a fixed order; bounded."""
    seen: set[Path] = set()
    count = 0
    for folder in dict.fromkeys((model.parent.resolve(), cwd.resolve())):
        if folder in (Path.home(), Path(folder.anchor)):
            places: Iterable[Path] = (folder,)  # no project folder: subfolders are not searched
        else:
            places = _folders(folder)
        for place in places:
            for path in sorted(_entries(place)):
                if path.suffix in (".py", ".ipynb") and path not in seen and path.is_file() and not path.is_symlink():
                    seen.add(path)
                    count += 1
                    if path.stat().st_size <= _LARGEST:
                        yield path
                    if count >= _MOST_FILES:
                        return


def _folders(folder: Path) -> Iterator[Path]:
    left = [(folder, 0)]
    for _ in range(_MOST_FOLDERS):
        if not left:
            return
        current, depth = left.pop(0)
        yield current
        if depth < _DEPTH:
            below = (one for one in sorted(_entries(current)) if one.is_dir() and not one.is_symlink())
            left += [
                (one, depth + 1)
                for one in below
                if not one.name.startswith(".") and one.name not in _SKIPPED and not (one / "pyvenv.cfg").exists()
            ]


def _entries(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:
        return []  # unreadable


def _source(path: Path) -> Source:
    if path.suffix == ".py":
        return read_source(path, path.name)
    try:
        text, _ = read_notebook(path)
    except ConfigError:
        return Source(shown=path.name, text="")
    return parse_source(text, path.name)


def _typed(path: Path, cwd: Path) -> str:
    """The path as the user can type it here, with `/` on every system."""
    try:
        shown = os.path.relpath(path, cwd)
    except ValueError:  # another drive
        return path.as_posix()
    return path.as_posix() if Path(shown).parts[:3] == ("..", "..", "..") else Path(shown).as_posix()
