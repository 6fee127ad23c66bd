"""Index the included files by module: names they define, modules they import, third-party packages they need."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath

from mlpack.usercode.included import Included, IncludedFile
from mlpack.usercode.notebooks import read_notebook
from mlpack.usercode.python_source import Import, Source, parse_source, read_source

_COMPILED = re.compile(r"^(\w+)(\.[\w.-]+)?\.(so|pyd)$")
_DEEPEST = 20  # re-exports that are followed


@dataclass(frozen=True, kw_only=True)
class Module:
    """An included module, its file and its source; for a `notebook` the source is the text of its code cells."""

    name: str
    file: IncludedFile
    source: Source
    notebook: bool = False
    cut: bool = False  # its text is only a part of the file

    def own(self, name: str) -> bool:
        """Whether the file defines the name, instead of importing it."""
        imported = {here for one in self.source.imports for _, here in one.names}
        return name in self.source.names and name not in imported


class CodeIndex:
    """All modules of the included files by name; a file in `src/` is listed as `clean` and as `src.clean`."""

    def __init__(self, included: Included) -> None:
        self.modules: dict[str, Module] = {}
        self.notes: list[str] = []
        for file in included.files:
            self._add(file, included.roots)

    def _add(self, file: IncludedFile, roots: tuple[str, ...]) -> None:
        for name in (_module_of(file.target, root) for root in roots):
            if name and name not in self.modules:
                self.modules[name] = self._read(name, file)

    def _read(self, name: str, file: IncludedFile) -> Module:
        if file.path.suffix == ".ipynb":
            text, left_out = read_notebook(file.path)
            self.notes += [f"{file.shown}: {one}, and is left out" for one in left_out]
            return Module(name=name, file=file, source=parse_source(text, file.shown), notebook=True)
        if file.path.suffix != ".py":
            compiled = Source(shown=file.shown, text="", dynamic=True)
            return Module(name=name, file=file, source=compiled)
        package = name if file.path.name == "__init__.py" else name.rpartition(".")[0]
        source = read_source(file.path, file.shown, package=package)
        if source.problem:
            self.notes.append(f"{file.shown} {source.problem}")
        return Module(name=name, file=file, source=source)

    def defines(self, module: str, name: str, depth: int = 0) -> bool | None:
        """Whether `module` defines or re-exports `name` (its first part); None when reading does not show it."""
        found = self.modules.get(module)
        if found is None:
            return self._is_folder(module) and None
        first = name.partition(".")[0]
        source = found.source
        for one in source.imports:
            for there, here in one.names:
                if here == first and self.includes(one.module) and depth < _DEEPEST:
                    below = self.defines(one.module, there, depth + 1)
                    return below if below is not False else f"{one.module}.{there}" in self.modules
        if first in source.names or f"{module}.{first}" in self.modules:
            return True
        stars = [one.module for one in source.imports if ("*", "*") in one.names]
        answers = [
            self.defines(star, first, depth + 1) if self.includes(star) else None for star in stars if depth < _DEEPEST
        ]
        if any(answers):
            return True
        return None if source.dynamic or source.problem or None in answers else False

    def has_class(self, module: str, name: str) -> bool | None:
        """Whether a file defines a class of this name or imports it from an included one; None for an unparsed file."""
        found = self.modules.get(module)
        if found is None or found.source.tree is None:
            return None
        if any(isinstance(node, ast.ClassDef) and node.name == name for node in ast.walk(found.source.tree)):
            return True
        return any(
            self.includes(one.module) for one in found.source.imports if {name, "*"} & {here for _, here in one.names}
        )

    def includes(self, module: str) -> bool:
        """Whether a module (or a package of this name) is among the included files."""
        return module in self.modules or self._is_folder(module)

    def _is_folder(self, module: str) -> bool:
        return any(name.startswith(f"{module}.") for name in self.modules)

    def module_in(self, dotted: str) -> str | None:
        """The longest prefix of a dotted name that is an included module."""
        parts = dotted.split(".")
        return next(
            (name for end in range(len(parts) - 1, 0, -1) if self.includes(name := ".".join(parts[:end]))), None
        )

    def names(self) -> set[str]:
        """Every name that the included files define."""
        return {name for module in self.modules.values() for name in module.source.names if module.own(name)}

    def main_module(self, name: str) -> Module | None:
        """The module that defines a name of `__main__`; files that the user named directly come first."""
        unique = {module.file.target: module for module in reversed(self.modules.values())}
        found = sorted(unique.values(), key=lambda module: (not module.file.named, module.file.target))
        own = next((module for module in found if module.own(name)), None)
        return own or next((module for module in found if self.defines(module.name, name)), None)

    def reached(self, modules: Iterable[str]) -> tuple[Module, ...]:
        """These modules and all included ones that they import, directly or not, packages first."""
        found: dict[str, Module] = {}
        left = list(modules)
        while left:
            name = left.pop()
            parts = name.split(".")
            for end in range(1, len(parts) + 1):
                module = self.modules.get(".".join(parts[:end]))
                if module is not None and module.name not in found:
                    found[module.name] = module
                    for one in module.source.imports:
                        left += [one.module, *(f"{one.module}.{there}" for there, _ in one.names)]
        return tuple(found[name] for name in sorted(found))

    def foreign(self, modules: Iterable[Module]) -> list[tuple[str, Module, Import]]:
        """The third-party top-level modules that these import: neither included nor in the standard library."""
        found = []
        for module in modules:
            for one in module.source.imports:
                root = one.module.partition(".")[0]
                if root and not self.includes(root) and root not in sys.stdlib_module_names and root != "__main__":
                    found.append((root, module, one))
        return found

    def replaced(self, module: Module, text: str) -> Module:
        """Replace the module's text, under every name of the module."""
        new = Module(name=module.name, file=module.file, source=parse_source(text, module.file.shown), cut=True)
        for name, one in list(self.modules.items()):
            if one.file == module.file:
                self.modules[name] = new
        return new


def _module_of(target: str, root: str) -> str:
    """`pkg.clean` for `src/pkg/clean.py` below `src`; "" for a file that is no module there."""
    path = PurePosixPath(target)
    if root:
        if path.parts[0] != root or len(path.parts) == 1:
            return ""
        path = path.relative_to(root)
    compiled = _COMPILED.match(path.name)
    if path.suffix != ".py" and compiled is None:
        return ""
    stem = compiled[1] if compiled else path.stem
    parts = [*path.parts[:-1], *([] if stem == "__init__" else [stem])]
    return ".".join(parts) if parts and all(part.isidentifier() for part in parts) else ""
