"""Program slicing: cut a script or notebook down to the statements that some of its names need."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from itertools import pairwise

from mlpack.usercode.python_source import Source, bound, does_work, is_main_guard

# Modules that are imported for their side effect (they make other names importable).
_FOR_EFFECT = ("sklearn.experimental",)


@dataclass(frozen=True, kw_only=True)
class Slice:
    """The sliced text of a module; `work` are the (line, text) of its statements that run code on import."""

    text: str
    work: tuple[tuple[int, str], ...]


def slice_of(source: Source, wanted: frozenset[str]) -> Slice:
    """The statements that bind the wanted names, and those that bind the names which these use, in file order.

    Statements under `if __name__ == "__main__":` are treated as top-level ones, because the names were bound there.
    """
    body = list(_flat(source.tree.body if source.tree is not None else []))
    binds = [{name for name, _ in bound([node])} for node in body]
    needed = set(wanted)
    chosen: set[int] = set()
    while True:
        more = {
            place
            for place, node in enumerate(body)
            if place not in chosen and (binds[place] & needed or _always(node) or _changes(node, needed))
        }
        if not more:
            break
        chosen |= more
        for place in more:
            if not isinstance(body[place], ast.Import | ast.ImportFrom):
                needed |= {part.id for part in ast.walk(body[place]) if isinstance(part, ast.Name)}
    nodes = [body[place] for place in sorted(chosen)]
    work = tuple((node.lineno, ast.unparse(node).split("\n", 1)[0][:80]) for node in nodes if does_work(node))
    return Slice(text=_joined(nodes, needed, source), work=work)


def _flat(body: list[ast.stmt]) -> list[ast.stmt]:
    found: list[ast.stmt] = []
    for node in body:
        found += node.body if isinstance(node, ast.If) and is_main_guard(node) else [node]
    return found


def _always(node: ast.stmt) -> bool:
    if not isinstance(node, ast.ImportFrom):
        return False
    star = any(alias.name == "*" for alias in node.names)
    return star or node.module == "__future__" or (node.module or "").startswith(_FOR_EFFECT)


def _changes(node: ast.stmt, needed: set[str]) -> bool:
    """Whether a statement changes a needed object in place: `Cleaner.words = ...`, `WORDS["x"] = 1`, `WORDS.add("x")`."""
    if isinstance(node, ast.Assign | ast.AugAssign | ast.AnnAssign):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        return any(isinstance(one, ast.Attribute | ast.Subscript) and _root(one) in needed for one in targets)
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call) and isinstance(node.value.func, ast.Attribute):
        return node.value.func.attr in _CHANGING and _root(node.value.func) in needed
    return False


_CHANGING = frozenset(
    {"add", "update", "append", "extend", "insert", "setdefault", "remove", "discard", "pop", "register"}
)


def _root(node: ast.AST) -> str:
    while isinstance(node, ast.Attribute | ast.Subscript):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def _joined(nodes: list[ast.stmt], needed: set[str], source: Source) -> str:
    """The statements as written; imports keep only the needed names."""
    lines = source.text.replace("\r\n", "\n").split("\n")  # as the parser counts them
    texts = [_text(node, needed, lines) for node in nodes]
    pieces = texts[:1]
    for (before, node), text in zip(pairwise(nodes), texts[1:], strict=True):
        apart = any(isinstance(one, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) for one in (before, node))
        pieces.append("\n\n" * apart + text)
    return "\n".join(pieces) + "\n"


def _text(node: ast.stmt, needed: set[str], lines: list[str]) -> str:
    if isinstance(node, ast.Import | ast.ImportFrom) and not _always(node):
        kept = [alias for alias in node.names if (alias.asname or alias.name.partition(".")[0]) in needed]
        if isinstance(node, ast.Import):
            return ast.unparse(ast.Import(names=kept))
        return ast.unparse(ast.ImportFrom(module=node.module, names=kept, level=node.level))
    first = min([node.lineno, *(one.lineno for one in getattr(node, "decorator_list", ()))])
    whole = lines[first - 1 : node.end_lineno]
    shared = ";" in whole[0] or ";" in whole[-1]  # several statements on a line
    return ast.unparse(node) if node.col_offset or shared else "\n".join(whole)
