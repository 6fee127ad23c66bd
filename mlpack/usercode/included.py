"""Collect the files that --include names: their paths in the image, and which are left out and why."""

from __future__ import annotations

import difflib
import keyword
import os
import re
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mlpack.errors import ConfigError

# Folders without user code. Names that begin with a dot (.git, .venv, .env, .ipynb_checkpoints) are never included.
_SKIPPED_FOLDERS = frozenset({"__pycache__", "node_modules", "site-packages", "venv", "env"})
_SKIPPED_FILES = frozenset({"mlpack.yaml"})
_SKIPPED_ENDINGS = (".pyc", ".pyo", ".ipynb", ".egg-info", ".dist-info", ".swp", "~")
_SECRET_ENDINGS = (".pem", ".key", ".p12", ".pfx")
LARGEST = 10 * 1024 * 1024  # of a file inside a folder; a file that is named directly may have any size
_MOST_FILES = 5000
_MOST_BYTES = 500 * 1024 * 1024
_RESERVED = frozenset({"mlpack"})  # the serving runtime's package in the image


@dataclass(frozen=True, kw_only=True)
class IncludedFile:
    """An included file: `target` is its path below the code folder, `shown` its path in messages.

    `named`: the user named the file itself, not a folder that holds it.
    """

    target: str
    path: Path
    shown: str
    size: int
    named: bool = False


@dataclass(frozen=True, kw_only=True)
class Included:
    """All files, sorted; `roots` are the import paths, relative to the code folder ("" is the code folder)."""

    files: tuple[IncludedFile, ...] = ()
    roots: tuple[str, ...] = ("",)
    notes: tuple[str, ...] = ()


def gather(includes: tuple[Path, ...], *, model: Path | None = None) -> Included:
    """The files below these paths, without the model file.

    A file is a module named by its stem; a folder with `__init__.py` is a package of its name. Modules in another folder
    (`src/`) can be imported under both names: `clean` and `src.clean`. Raises ConfigError.
    """
    files: dict[str, IncludedFile] = {}
    roots = [""]
    notes: list[str] = []
    apart = model.resolve() if model is not None else None
    # A link that the user names keeps the link's name, under which the code was imported; its target is read once.
    for path, named in {one.resolve(): one.absolute() for one in reversed(includes)}.items():
        shown = _shown(named, includes)
        if path.is_dir():
            name = _folder_name(Path(os.path.normpath(named)))
            if not (path / "__init__.py").is_file():
                roots.append(name)
            found: list[IncludedFile] = list(_walk(path, name, shown, apart, notes))
        elif path.is_file():
            found = [_single(path, named.name, shown)]
        else:
            raise _missing(path, shown)
        for file in found:
            _put(files, file)
    _bounded(list(files.values()))
    return Included(
        files=tuple(files[target] for target in sorted(files)),
        roots=tuple(dict.fromkeys(roots)),
        notes=tuple(dict.fromkeys(notes)),
    )


def module_name(stem: str) -> str:
    """A stem as a module's name: `01 Churn (final)` becomes `m01_churn_final`; a valid name is unchanged."""
    if stem.isidentifier() and not keyword.iskeyword(stem):
        return stem
    name = re.sub(r"\W+", "_", stem, flags=re.ASCII).strip("_").lower() or "module"
    return f"m{name}" if name[0].isdecimal() or keyword.iskeyword(name) else name


def _shown(path: Path, includes: tuple[Path, ...]) -> str:
    """The path for messages and the card, with `/` on every system, so that the card is the same everywhere."""
    given = next(one for one in includes if one.absolute() == path)
    try:
        return (
            Path(os.path.relpath(path)).as_posix()
            if given.is_absolute() and path.is_relative_to(Path.cwd())
            else given.as_posix()
        )
    except (OSError, ValueError):
        return given.as_posix()


def _folder_name(path: Path) -> str:
    name = path.name or "code"
    if name in _RESERVED:
        raise ConfigError(
            f"the folder {path} cannot be included as `{name}`: the serving runtime's package has this name",
            hint="Include the files or packages inside it one by one.",
        )
    return name if re.fullmatch(r"[\w.-]+", name, flags=re.ASCII) and name != ".." else module_name(name)


def _walk(folder: Path, target: str, shown: str, model: Path | None, notes: list[str]) -> Iterator[IncludedFile]:
    """The files below a folder, sorted; links out of it, large files and files that are no code are left out and noted."""
    left = [(folder, target, shown)]
    while left:
        current, under, above = left.pop()
        for item in sorted(_listed(current), key=lambda one: one.name):
            name, seen = f"{under}/{item.name}", f"{above.rstrip('/')}/{item.name}"
            if not _is_code(item) or not _follows(item, seen, folder, notes):
                continue
            if item.is_dir():
                left.append((item, name, seen))
            elif stat.S_ISREG(item.stat().st_mode) and item.resolve() != model and _small(item, seen, notes):
                yield IncludedFile(target=name, path=item, shown=seen, size=item.stat().st_size)


def _is_code(item: Path) -> bool:
    """False for files that tools write into a project's folder, and for notebooks, which the user must name directly."""
    if item.name.startswith(".") or item.name in _SKIPPED_FILES or item.name.endswith(_SKIPPED_ENDINGS):
        return False
    return item.name not in _SKIPPED_FOLDERS and not (item / "pyvenv.cfg").is_file()


def _follows(item: Path, seen: str, folder: Path, notes: list[str]) -> bool:
    if not item.is_symlink():
        return True
    try:
        inside = item.resolve(strict=True).is_relative_to(folder)
    except (OSError, RuntimeError):
        inside = False  # a dangling link or a loop
    if inside and item.is_file():
        return True
    notes.append(f"{seen} is a link {'to a folder' if inside else 'to a file outside the folder'}: left out")
    return False


def _small(item: Path, seen: str, notes: list[str]) -> bool:
    if item.name.endswith(_SECRET_ENDINGS):
        notes.append(f"{seen} looks like a key: left out")
        return False
    if item.stat().st_size > LARGEST:
        notes.append(f"{seen} is larger than 10 MiB: left out (name the file with --include if the code needs it)")
        return False
    return True


def _listed(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError as error:
        raise ConfigError(f"cannot list {folder}: {error.strerror}", hint="Check its permissions.") from error


def _single(path: Path, name: str, shown: str) -> IncludedFile:
    code = name.endswith((".py", ".ipynb"))
    name = f"{module_name(Path(name).stem)}.py" if code else name
    if Path(name).stem in _RESERVED and code:
        raise ConfigError(
            f"{shown} cannot be included as `{Path(name).stem}`: the serving runtime's package has this name",
            hint="Give the file another name.",
        )
    return IncludedFile(target=name, path=path, shown=shown, size=path.stat().st_size, named=True)


def _put(files: dict[str, IncludedFile], file: IncludedFile) -> None:
    other = files.get(file.target)
    if other is not None and other.path != file.path:
        raise ConfigError(
            f"{other.shown} and {file.shown} would both be code/{file.target} in the image",
            hint="Include only one of them, or the folder that holds both.",
        )
    files[file.target] = file


def _bounded(listed: Sequence[IncludedFile]) -> None:
    size = sum(file.size for file in listed)
    if len(listed) > _MOST_FILES or size > _MOST_BYTES:
        raise ConfigError(
            f"--include would add {len(listed)} files with {size // 1024**2} MiB",
            hint="Name only the folder with the code, such as src/.",
        )


def _missing(path: Path, shown: str) -> ConfigError:
    beside = [one.name for one in path.parent.iterdir()] if path.parent.is_dir() else []
    near = difflib.get_close_matches(path.name, beside, n=1)
    hint = f"Did you mean {path.parent / near[0]}?" if near else "--include (or `include:`) names a file or folder."
    return ConfigError(f"there is no file or folder {shown}", hint=hint)
