"""TorchScript's source text in an archive, read as text: a class's methods, their arguments, types and answers."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, field

from mlpack.formats.pytorch.archive import TorchArchive

_MOST = 4 << 20  # of one source file
_HEADER = 64 << 10  # of one method's head
_MOST_BODY = 256 << 10


@dataclass(frozen=True, kw_only=True)
class Argument:
    """One argument of a method: its type as TorchScript writes it, and whether it may be left out."""

    name: str
    type: str
    optional: bool


@dataclass(frozen=True, kw_only=True)
class Method:
    """A method or function: its arguments without `self`, the type of its answer, and its tree (never compiled)."""

    arguments: tuple[Argument, ...]
    returns: str
    tree: ast.FunctionDef = field(repr=False, compare=False)
    self_name: str = ""


class Script:
    """The source of an archive, by qualified names such as `__torch__.net.___torch_mangle_3.Net`."""

    def __init__(self, archive: TorchArchive) -> None:
        self._archive = archive
        self._texts: dict[str, str] = {}
        self._classes: dict[str, dict[str, str]] = {}
        self._methods: dict[tuple[str, str], Method | None] = {}

    def text(self, qualified: str) -> str:
        """The text of the file that holds a class or function; "" when there is none."""
        module = qualified.rpartition(".")[0]
        if module not in self._texts:
            self._texts[module] = self._archive.text(f"code/{module.replace('.', '/')}.py", _MOST)
        return self._texts[module]

    def class_text(self, qualified: str) -> str:
        """The text of one class."""
        module, _, name = qualified.rpartition(".")
        if module not in self._classes:
            text = self.text(qualified)
            starts = [(one.start(), one.group(1)) for one in re.finditer(r"^(?:class (\w+)|\S)", text, re.MULTILINE)]
            ends = [start for start, _ in starts[1:]] + [len(text)]  # a class of torch's own C++ has no text at all
            self._classes[module] = {
                found: text[start:end] for (start, found), end in zip(starts, ends, strict=False) if found
            }
        return self._classes[module].get(name, "")

    def method(self, qualified: str, name: str = "forward") -> Method | None:
        """A class's method; None when it has none of that name, or none that can be read."""
        key = (qualified, name)
        if key not in self._methods:
            self._methods[key] = _method(self.class_text(qualified), name, indent="  ")
        return self._methods[key]

    def function(self, qualified: str) -> Method | None:
        """A free function."""
        key = (qualified, "")
        if key not in self._methods:
            self._methods[key] = _method(self.text(qualified), qualified.rpartition(".")[2], indent="")
        return self._methods[key]

    def record(self, qualified: str) -> dict[str, str] | None:
        """The fields of a NamedTuple and their types; None when the name is no such class."""
        text = self.class_text(qualified) if qualified.startswith("__torch__.") else ""
        if not re.match(r"class \w+\(NamedTuple\):", text):
            return None
        return dict(re.findall(r"^  (\w+) : (.{1,1000})$", text, re.MULTILINE))

    def all_code(self) -> str:
        """All source of the archive, for what is looked for as text (at most 16 MiB of it)."""
        names = [name for name in self._archive.tree.names if name.startswith("code/") and name.endswith(".py")]
        parts: list[str] = []
        size = 0
        for name in names:
            parts.append(self._archive.text(name, _MOST))
            size += len(parts[-1])
            if size > 4 * _MOST:
                break
        return "\n".join(parts)


def _method(text: str, name: str, *, indent: str) -> Method | None:
    start = re.search(rf"^{indent}def {re.escape(name)}\(", text, re.MULTILINE)
    if start is None:
        return None
    stop = re.compile(rf"^(?:{indent}\S|\S)", re.MULTILINE).search(text, start.end())
    body = text[start.start() : stop.start() if stop else len(text)]
    tree = _parsed(body, indent)
    if tree is None:
        return None
    given = tree.args.args
    optional = len(given) - len(tree.args.defaults)
    arguments = tuple(
        Argument(name=one.arg, type=_type(one.annotation), optional=place >= optional)
        for place, one in enumerate(given)
    )
    return Method(
        arguments=arguments[1:] if indent else arguments,
        returns=_type(tree.returns),
        tree=tree,
        self_name=given[0].arg if indent and given else "",
    )


def _parsed(body: str, indent: str) -> ast.FunctionDef | None:
    """The method's tree; of a very long one, or one that is no Python, only the head."""
    plain = "\n".join(line.removeprefix(indent) for line in body.splitlines())
    tree = _tree(plain) if len(plain) <= _MOST_BODY else None
    if tree is None:
        lines = plain[:_HEADER].split("\n")
        last = next((place for place, line in enumerate(lines) if ") -> " in line and line.endswith(":")), None)
        tree = None if last is None else _tree("\n".join([*lines[: last + 1], "  pass"]))
    return tree


def _tree(text: str) -> ast.FunctionDef | None:
    try:
        body = ast.parse(text).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    return body[0] if len(body) == 1 and isinstance(body[0], ast.FunctionDef) else None


def _type(node: ast.expr | None) -> str:
    return "Tensor" if node is None else ast.unparse(node)
