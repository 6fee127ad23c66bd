"""Parse a user's Python file without importing it: the names it defines, its imports, and code that runs on import."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

# Calls without side effects: a file that only makes constants with them runs no code on import.
_HARMLESS_CALLS = frozenset({
    "set", "frozenset", "dict", "list", "tuple", "range", "len", "sorted", "str", "int", "float", "bool", "bytes", "zip",
    "enumerate", "max", "min", "sum", "abs", "round", "object", "slice", "re.compile", "Path", "pathlib.Path", "namedtuple",
    "collections.namedtuple", "TypeVar", "typing.TypeVar", "NewType", "partial", "functools.partial", "OrderedDict",
    "defaultdict", "Counter", "Decimal", "logging.getLogger", "getLogger", "np.array", "np.log", "np.sqrt", "np.dtype",
    "numpy.array", "super", "property", "itemgetter", "attrgetter", "operator.itemgetter", "str.maketrans", "timedelta",
    "datetime.timedelta", "date", "datetime.date", "TypedDict", "Enum", "string.Template", "warnings.filterwarnings",
    "warnings.simplefilter",
})  # fmt: skip
_TEXT_METHODS = frozenset(
    {"split", "splitlines", "lower", "upper", "strip", "join", "format", "replace", "resolve", "keys"}
)
_COMPOUND = (ast.If, ast.Try, ast.With, ast.For, ast.While)


@dataclass(frozen=True, kw_only=True)
class Import:
    """A module that a file imports: `names` of a `from`, `()` of a plain import; `top`: it runs when the file is imported.

    `optional`: the file works without it (inside `try`, or for type checkers only).
    """

    module: str
    names: tuple[tuple[str, str], ...] = ()  # (name there, name here)
    line: int
    top: bool
    optional: bool


@dataclass(frozen=True, kw_only=True)
class Source:
    """A parsed file. `shown` is its path in messages; `names` are bound at its top level, with their lines.

    `work`: (line, text) of the top-level statements that run code; `problem`: why it could not be parsed, or "".
    """

    shown: str
    text: str
    package: str = ""  # the package that its relative imports start from
    names: dict[str, int] = field(default_factory=dict)
    imports: tuple[Import, ...] = ()
    work: tuple[tuple[int, str], ...] = ()
    dynamic: bool = False  # it may define names that parsing does not show
    problem: str = ""
    tree: ast.Module | None = field(default=None, repr=False, compare=False)


def read_source(path: Path, shown: str, *, package: str = "") -> Source:
    """Parse a .py file; one that cannot be decoded or parsed has a `problem` and no names."""
    try:
        content = path.read_bytes()
    except OSError as error:
        return Source(shown=shown, text="", problem=f"cannot be read: {error.strerror}")
    return parse_source(content, shown, package=package)


def parse_source(content: bytes | str, shown: str, *, package: str = "") -> Source:
    """Parse a file's content."""
    text = content if isinstance(content, str) else content.decode("utf-8", "replace")
    tree, problem = parsed(content)
    if tree is None:
        return Source(shown=shown, text=text, package=package, problem=problem)
    names = dict(bound(tree.body))
    return Source(
        shown=shown,
        text=text,
        package=package,
        names=names,
        imports=tuple(_imports(tree, package)),
        work=tuple((node.lineno, _first_line(node)) for node in tree.body if does_work(node)),
        dynamic="__getattr__" in names or _writes_globals(tree),
        tree=tree,
    )


def parsed(content: bytes | str) -> tuple[ast.Module | None, str]:
    """The syntax tree, or None and the reason. Nothing is run; warnings about the user's literals are suppressed."""
    flags = ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            tree = compile(content, "<included>", "exec", flags, dont_inherit=True)
        except SyntaxError as error:
            return None, f"cannot be parsed as Python: {error.msg} (line {error.lineno})"
        except (ValueError, RecursionError, MemoryError) as error:
            return None, f"cannot be parsed as Python: {error}"
    return (tree, "") if isinstance(tree, ast.Module) else (None, "is not a module")


def bound(body: list[ast.stmt]) -> Iterator[tuple[str, int]]:
    """The names that statements bind at their level, also inside `if`, `try`, `with` and loops."""
    for node in body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name, node.lineno
        elif isinstance(node, ast.Import | ast.ImportFrom):
            for alias in node.names:
                yield alias.asname or alias.name.partition(".")[0], node.lineno
        elif isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            yield from ((name, node.lineno) for target in targets for name in _targets(target))
        elif isinstance(node, _COMPOUND):
            if isinstance(node, ast.For):
                yield from ((name, node.lineno) for name in _targets(node.target))
            if isinstance(node, ast.With):
                held = [item.optional_vars for item in node.items if item.optional_vars is not None]
                yield from ((name, node.lineno) for target in held for name in _targets(target))
            yield from bound(inner(node))


def inner(node: ast.stmt) -> list[ast.stmt]:
    """The statements inside a compound statement, in order."""
    found: list[ast.stmt] = []
    for part in ("body", "handlers", "orelse", "finalbody"):
        for below in getattr(node, part, ()):
            found += below.body if isinstance(below, ast.ExceptHandler) else [below]
    return found


def is_main_guard(node: ast.stmt) -> bool:
    """Whether a statement is `if __name__ == "__main__":`."""
    if not isinstance(node, ast.If):
        return False
    names = {part.id for part in ast.walk(node.test) if isinstance(part, ast.Name)}
    values = {part.value for part in ast.walk(node.test) if isinstance(part, ast.Constant)}
    return "__name__" in names and "__main__" in values


def does_work(node: ast.stmt) -> bool:
    """Whether a top-level statement runs code: calls, loops, prints."""
    if isinstance(node, ast.Import | ast.ImportFrom | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef | ast.Pass):
        return False
    if is_main_guard(node):
        return False
    if isinstance(node, ast.If | ast.Try):
        return any(does_work(one) for one in inner(node))
    if isinstance(node, ast.Expr | ast.Assign | ast.AnnAssign):
        return any(not _harmless(call) for call in ast.walk(node) if isinstance(call, ast.Call | ast.Await))
    return True


def _harmless(call: ast.AST) -> bool:
    if not isinstance(call, ast.Call):
        return False
    if isinstance(call.func, ast.Attribute) and call.func.attr in _TEXT_METHODS:
        return True
    return dotted(call.func) in _HARMLESS_CALLS


def dotted(node: ast.AST) -> str:
    """`a.b.c` of a name or attribute, "" of anything else."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        inside = dotted(node.value)
        return f"{inside}.{node.attr}" if inside else ""
    return ""


def _targets(node: ast.AST) -> list[str]:
    return [part.id for part in ast.walk(node) if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store)]


def _imports(tree: ast.Module, package: str) -> Iterator[Import]:
    left: list[tuple[ast.AST, bool, bool]] = [(tree, True, False)]
    while left:
        node, top, optional = left.pop(0)
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(module=alias.name, line=node.lineno, top=top, optional=optional)
        elif isinstance(node, ast.ImportFrom):
            module = _absolute(node, package)
            names = tuple((alias.name, alias.asname or alias.name) for alias in node.names)
            if module:
                yield Import(module=module, names=names, line=node.lineno, top=top, optional=optional)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            top = False
        if isinstance(node, ast.stmt) and is_main_guard(node):
            top = False
        not_needed = (
            optional
            or isinstance(node, ast.Try)
            or (isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test))
        )
        left.extend((below, top, not_needed) for below in ast.iter_child_nodes(node))


def _absolute(node: ast.ImportFrom, package: str) -> str:
    if not node.level:
        return node.module or ""
    parts = package.split(".") if package else []
    base = parts[: len(parts) - node.level + 1]
    return ".".join([*base, *([node.module] if node.module else [])])


def _writes_globals(tree: ast.Module) -> bool:
    return any(
        isinstance(node, ast.Subscript)
        and isinstance(node.ctx, ast.Store)
        and isinstance(node.value, ast.Call)
        and dotted(node.value.func) in ("globals", "vars")
        for node in ast.walk(tree)
    )


def _first_line(node: ast.stmt) -> str:
    return ast.unparse(node).split("\n", 1)[0][:80]
