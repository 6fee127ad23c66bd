"""What a model needs and nobody brings, told with the one thing to do: the file to include, or the package to name."""

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
    """The (module, name) pairs that the model's file asks for and nothing defines: which, and where they may be."""
    pairs = list(dict.fromkeys(missing))
    said = f"{model.name} needs {', '.join(f'`{name}` from `{module}`' for module, name in pairs)}"
    module, name = pairs[0]
    if module in index.modules:
        source = index.modules[module].source
        return MissingCodeError(
            f"{said}, and {source.shown} does not define it",
            hint=_nearest(name, source.names) or "Include the version of the file that the model was made with.",
        )
    shown = list(dict.fromkeys(one.file.shown for one in index.modules.values() if one.file.named))
    if shown:
        said += f", and {', '.join(shown)} {'does' if len(shown) == 1 else 'do'} not define it"
    elif index.modules:
        said += ", and nothing that is included defines it"
    broken = [f"{one.file.shown} {one.source.problem}." for one in index.modules.values() if one.source.problem]
    hints = list(dict.fromkeys(filter(None, (_where(one, inner, model, cwd) for one, inner in pairs))))
    if broken:
        return MissingCodeError(said, hint=" ".join(dict.fromkeys(broken)))
    if not hints:
        return MissingCodeError(said, hint=_ask(module, name, index))
    near = _nearest(name, index.names()) if module == "__main__" else ""
    return MissingCodeError(said, hint=" ".join([*hints, *([near] if near else [])]))


def missing_import(root: str, module: Module, one: Import, model: Path, cwd: Path) -> ModelError:
    """An import of the included code that finds nothing in the image: a file of the user's, or a package to name."""
    where = module.file.shown if module.cut else f"{module.file.shown}:{one.line}"
    near = find_module(root, model, cwd)
    if near is not None:
        return MissingCodeError(
            f"{where} imports `{root}`, which is not included", hint=f"Pass --include {quote(near.include)} as well."
        )
    return MissingPackageError(
        f"{where} imports `{root}`, which nothing brings into the image",
        hint=f"Add its package under `requirements:` in mlpack.yaml, such as `requirements: [{root.lower()}]`; "
        "or pass --include with your own file.",
    )


def _where(module: str, name: str, model: Path, cwd: Path) -> str:
    near = find_class(name, model, cwd) if module == "__main__" else find_module(module, model, cwd)
    if near is None:
        return ""
    if near.line:
        return f"Pass --include {quote(near.include)}, which defines `{name}` in line {near.line}."
    return f"Pass --include {quote(near.include)}" + (
        f", which holds {near.file}." if near.include != near.file else "."
    )


def _ask(module: str, name: str, index: CodeIndex) -> str:
    if module == "__main__":
        told = f"Pass --include FILE, the script, notebook or module that defines `{name}`."
        return f"{told} {_nearest(name, index.names())}".strip()
    root = module.partition(".")[0]
    return (
        f"If `{root}` is your own, pass --include with its file or folder; if it is a package of others, name it under "
        "`requirements:` in mlpack.yaml."
    )


def _nearest(name: str, names: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, list(names), n=1, cutoff=0.6)
    has = ", ".join(sorted(one for one in names if not one.startswith("_"))[:8])
    if near:
        return f"What is included has {has}; the nearest is `{near[0]}`: was it renamed since?"
    return f"What is included has {has}." if has else ""
