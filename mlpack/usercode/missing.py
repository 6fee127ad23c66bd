"""Needs for names and imports that nothing provides: the file to include or the package to name."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from shlex import quote

from mlpack.artifacts.needs import Answer, Unmet
from mlpack.errors import MissingCodeError, MissingPackageError
from mlpack.usercode.index import CodeIndex, Module
from mlpack.usercode.nearby import Hint, find_class, find_module
from mlpack.usercode.python_source import Import


def missing_code(model: Path, missing: Sequence[tuple[str, str]], index: CodeIndex, cwd: Path) -> tuple[Unmet, ...]:
    """What to include for (module, name) pairs that no included file defines: the files near the model, and the rest."""
    pairs = tuple(dict.fromkeys(missing))
    near = {pair: hint for pair in pairs if pair[0] not in index.modules and (hint := _near(*pair, model, cwd))}
    rest = tuple(pair for pair in pairs if pair not in near)
    found = _found(model, near, index) if near else None
    return tuple(filter(None, (found, _not_found(model, rest, index) if rest else None)))


def missing_import(root: str, module: Module, one: Import, model: Path, cwd: Path) -> Unmet:
    """An import that nothing in the image provides: a file to include, or a package to name."""
    where = module.file.shown if module.cut else f"{module.file.shown}:{one.line}"
    near = find_module(root, model, cwd)
    if near is not None:
        return Unmet(
            error=MissingCodeError(
                f"{where} imports `{root}`, which is not included",
                hint=f"Pass --include {quote(near.include)} as well.",
            ),
            answers=(Answer("--include", near.include),),
            subjects=frozenset({root}),
        )
    return Unmet(
        error=MissingPackageError(
            f"{where} imports `{root}`, which no package in the image provides",
            hint=f"Name its package, such as --require {root.lower()} (in mlpack.yaml: `requirements: [{root.lower()}]`); "
            "or pass your own file with --include.",
        ),
        answers=(Answer("--require", root.lower()),),
        subjects=frozenset({root}),
    )


def _found(model: Path, near: Mapping[tuple[str, str], Hint], index: CodeIndex) -> Unmet:
    """The need for names that files near the model define."""
    hints = dict.fromkeys(_pass(hint, name) for (_, name), hint in near.items())
    return Unmet(
        error=MissingCodeError(_message(model, near, index), hint=_broken(index) or " ".join(hints)),
        answers=tuple(dict.fromkeys(Answer("--include", hint.include) for hint in near.values())),
        subjects=_subjects(near),
    )


def _not_found(model: Path, pairs: Sequence[tuple[str, str]], index: CodeIndex) -> Unmet:
    """The need for names that no file near the model defines."""
    module, name = pairs[0]
    if module in index.modules:
        source = index.modules[module].source
        message = f"{_needs(model, pairs)}, and {source.shown} does not define it"
        advice = _nearest(name, source.names) or "Include the version of the file with which the model was saved."
        return Unmet(error=MissingCodeError(message, hint=advice), subjects=_subjects(pairs))
    return Unmet(
        error=MissingCodeError(_message(model, pairs, index), hint=_broken(index) or _advice(module, name, index)),
        answers=(Answer("--include", "FILE", known=False),),
        subjects=_subjects(pairs),
    )


def _subjects(pairs: Iterable[tuple[str, str]]) -> frozenset[str]:
    return frozenset(f"{module}.{name}" for module, name in pairs)


def _needs(model: Path, pairs: Iterable[tuple[str, str]]) -> str:
    return f"{model.name} needs {', '.join(f'`{name}` from `{module}`' for module, name in pairs)}"


def _message(model: Path, pairs: Iterable[tuple[str, str]], index: CodeIndex) -> str:
    """What is missing, and which included files do not have it."""
    message = _needs(model, pairs)
    shown = list(dict.fromkeys(one.file.shown for one in index.modules.values() if one.file.named))
    if shown:
        return f"{message}, and {', '.join(shown)} {'does' if len(shown) == 1 else 'do'} not define it"
    return f"{message}, and no included file defines it" if index.modules else message


def _broken(index: CodeIndex) -> str:
    """The included files that could not be read, which may define the name; "" if all were read."""
    broken = (f"{one.file.shown} {one.source.problem}." for one in index.modules.values() if one.source.problem)
    return " ".join(dict.fromkeys(broken))


def _near(module: str, name: str, model: Path, cwd: Path) -> Hint | None:
    return find_class(name, model, cwd) if module == "__main__" else find_module(module, model, cwd)


def _pass(near: Hint, name: str) -> str:
    if near.line:
        return f"Pass --include {quote(near.include)}, which defines `{name}` in line {near.line}."
    contains = f", which contains {near.file}" if near.include != near.file else ""
    return f"Pass --include {quote(near.include)}{contains}."


def _advice(module: str, name: str, index: CodeIndex) -> str:
    if module == "__main__":
        advice = f"Pass --include FILE, the script, notebook or module that defines `{name}`."
        return f"{advice} {_nearest(name, index.names())}".strip()
    root = module.partition(".")[0]
    return (
        f"If `{root}` is your own code, pass its file or folder with --include; if it is a package, name it with --require "
        "(in mlpack.yaml: `requirements:`)."
    )


def _nearest(name: str, names: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, list(names), n=1, cutoff=0.6)
    has = ", ".join(sorted(one for one in names if not one.startswith("_"))[:8])
    if near:
        return f"The included code defines {has}; the closest name is `{near[0]}`: was it renamed?"
    return f"The included code defines {has}." if has else ""
