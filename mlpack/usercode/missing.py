"""Errors for names and imports that nothing provides, with the remedy: the file to include or the package to name."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from pathlib import Path
from shlex import quote

from mlpack.errors import MissingCodeError, MissingPackageError, ModelError
from mlpack.usercode.index import CodeIndex, Module
from mlpack.usercode.nearby import find_class, find_module
from mlpack.usercode.python_source import Import


def missing_code(model: Path, missing: Sequence[tuple[str, str]], index: CodeIndex, cwd: Path) -> MissingCodeError:
    """The error for (module, name) pairs that no included file defines, with where they may be found."""
    pairs = list(dict.fromkeys(missing))
    message = f"{model.name} needs {', '.join(f'`{name}` from `{module}`' for module, name in pairs)}"
    module, name = pairs[0]
    if module in index.modules:
        source = index.modules[module].source
        return MissingCodeError(
            f"{message}, and {source.shown} does not define it",
            hint=_nearest(name, source.names) or "Include the version of the file with which the model was saved.",
        )
    shown = list(dict.fromkeys(one.file.shown for one in index.modules.values() if one.file.named))
    if shown:
        message += f", and {', '.join(shown)} {'does' if len(shown) == 1 else 'do'} not define it"
    elif index.modules:
        message += ", and no included file defines it"
    broken = [f"{one.file.shown} {one.source.problem}." for one in index.modules.values() if one.source.problem]
    hints = list(dict.fromkeys(filter(None, (_where(one, inner, model, cwd) for one, inner in pairs))))
    if broken:
        return MissingCodeError(message, hint=" ".join(dict.fromkeys(broken)))
    if not hints:
        return MissingCodeError(message, hint=_advice(module, name, index))
    near = _nearest(name, index.names()) if module == "__main__" else ""
    return MissingCodeError(message, hint=" ".join([*hints, *([near] if near else [])]))


def missing_import(root: str, module: Module, one: Import, model: Path, cwd: Path) -> ModelError:
    """The error for an import that nothing in the image provides: a file to include, or a package to name."""
    where = module.file.shown if module.cut else f"{module.file.shown}:{one.line}"
    near = find_module(root, model, cwd)
    if near is not None:
        return MissingCodeError(
            f"{where} imports `{root}`, which is not included", hint=f"Pass --include {quote(near.include)} as well."
        )
    return MissingPackageError(
        f"{where} imports `{root}`, which no package in the image provides",
        hint=f"Add its package under `requirements:` in mlpack.yaml, such as `requirements: [{root.lower()}]`; "
        "or pass your own file with --include.",
    )


def _where(module: str, name: str, model: Path, cwd: Path) -> str:
    near = find_class(name, model, cwd) if module == "__main__" else find_module(module, model, cwd)
    if near is None:
        return ""
    if near.line:
        return f"Pass --include {quote(near.include)}, which defines `{name}` in line {near.line}."
    return f"Pass --include {quote(near.include)}" + (
        f", which contains {near.file}." if near.include != near.file else "."
    )


def _advice(module: str, name: str, index: CodeIndex) -> str:
    if module == "__main__":
        advice = f"Pass --include FILE, the script, notebook or module that defines `{name}`."
        return f"{advice} {_nearest(name, index.names())}".strip()
    root = module.partition(".")[0]
    return (
        f"If `{root}` is your own code, pass its file or folder with --include; if it is a package, name it under "
        "`requirements:` in mlpack.yaml."
    )


def _nearest(name: str, names: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, list(names), n=1, cutoff=0.6)
    has = ", ".join(sorted(one for one in names if not one.startswith("_"))[:8])
    if near:
        return f"The included code defines {has}; the closest name is `{near[0]}`: was it renamed?"
    return f"The included code defines {has}." if has else ""
