"""The texts in an exported program that torch.export runs as code: one strict grammar, and whatever is not in it is refused.

Shapes go to `sympy.sympify`, guards become the source of a function; both are `eval` in the end.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

_LONGEST = 16 << 10
_DEEPEST = 60
_TOKEN = re.compile(
    r"""\s*(?:(?P<path>L(?:\['[\w. -]*'\]|\[\d{1,4}\]|\.(?:size|stride)\(\)\[\d{1,4}\]|\.storage_offset\(\)
            |\.shape\[\d{1,4}\])+)
        |(?P<sign>not\b|[-+~])
        |(?P<between>\*\*|//|<=|>=|==|!=|<<|>>|and\b|or\b|[-+*/%<>&|,])
        |(?P<call>(?:math\.)?[A-Za-z]\w*\()
        |(?P<keyword>[a-z]+=(?!=))
        |(?P<number>(?:\d{1,19}(?:\.\d{0,30})?|\.\d{1,30})(?:[eE][-+]?\d{1,3})?|math\.inf)
        |(?P<name>[A-Za-z][A-Za-z0-9_]{0,60})
        |(?P<text>'[\w .+-]{0,200}')
        |(?P<open>\()
        |(?P<close>\)))""",
    re.VERBOSE | re.ASCII,
)
_VALUES = ("path", "sign", "call", "keyword", "number", "name", "text", "open")
# What sympy and torch print: torch.utils._sympy.functions, and sympy's own of whole numbers and truth.
_FUNCTIONS = frozenset((
    "FloorDiv", "ModularIndexing", "Where", "PythonMod", "Mod", "CleanDiv", "CeilToInt", "FloorToInt", "CeilDiv", "LShift",
    "RShift", "PowByNatural", "FloatPow", "FloatTrueDiv", "IntTrueDiv", "IsNonOverlappingAndDenseIndicator", "TruncToFloat",
    "TruncToInt", "RoundToInt", "RoundDecimal", "ToFloat", "Identity", "Add", "Mul", "Pow", "Max", "Min", "Abs", "Integer",
    "Float", "Rational", "Symbol", "Eq", "Ne", "Gt", "Ge", "Lt", "Le", "Equality", "Unequality", "GreaterThan", "LessThan",
    "StrictGreaterThan", "StrictLessThan", "And", "Or", "Not", "Piecewise", "ExprCondPair", "floor", "ceiling", "sqrt",
    "max", "min", "abs", "int", "float", "math.isnan", "math.trunc", "math.floor", "math.ceil", "math.sqrt",
))  # fmt: skip
_SIMPLE = re.compile(r"[\w.\-:<>/\[\]| +*]*", re.ASCII)  # of names, which torch writes into source of its own
_PLAIN = re.compile(r"[^'\"\\\n\r{}#;`]*")
_TREES = (
    None, "builtins.tuple", "builtins.list", "builtins.dict", "collections.OrderedDict", "collections.deque", "torch.Size",
    "torch.fx.immutable_collections.immutable_list", "torch.fx.immutable_collections.immutable_dict",
)  # fmt: skip
_NAMED = ("collections.namedtuple", "collections.defaultdict")
_FACTORIES = ("list", "dict", "int", "float", "set", "tuple", "str")


def is_expression(text: Any, *, guard: bool = False) -> bool:
    """Whether a text is an expression of shapes; with `guard` it may name inputs (`L['x'].size()[0]`) and hold texts."""
    return isinstance(text, str) and len(text) <= _LONGEST and _fits(text, guard=guard)


def _fits(text: str, *, guard: bool) -> bool:
    value = True  # a value comes next, else what stands between two
    open_: list[str] = []
    place, end = 0, len(text.rstrip())
    while place < end:
        found = _next(text, place, value=value)
        if found is None:
            return False
        kind, word, place = found
        inside = open_[-1] if open_ else ""
        if not _may_stand(kind, word, inside, guard=guard) or len(open_) > _DEEPEST:
            return False
        if kind in ("call", "open"):
            open_.append(word)
        elif kind == "close":
            open_.pop()
        value = kind in ("sign", "between", "call", "keyword", "open")
    return not value and not open_


def _may_stand(kind: str, word: str, inside: str, *, guard: bool) -> bool:
    """Whether a token may stand in what is open around it (a call by its name and parenthesis, or "")."""
    if kind == "call":
        return word[:-1] in _FUNCTIONS
    if kind == "path":
        return guard
    if kind in ("text", "keyword"):
        return inside in ("Symbol(", "Float(") or (guard and kind == "text" and inside in ("", "("))
    return bool(inside) or not (kind == "close" or word == ",")


def _next(text: str, place: int, *, value: bool) -> tuple[str, str, int] | None:
    """The token at a place, and where it ends; None where none may stand."""
    found = _TOKEN.match(text, place)
    if found is None or found.lastgroup is None:
        return None
    kind, word = found.lastgroup, found.group(found.lastgroup)
    if not value and word in ("+", "-"):
        kind = "between"
    allowed = _VALUES if value else ("between", "close")
    return (kind, word, found.end()) if kind in allowed else None


def is_simple(text: str) -> bool:
    """Whether a name can be part of source code without being more than a name or a path."""
    return len(text) <= _LONGEST and _SIMPLE.fullmatch(text) is not None


def is_plain(text: str) -> bool:
    """Whether a text stays a text between quotation marks."""
    return _PLAIN.fullmatch(text) is not None


def tree_faults(text: Any) -> Iterator[tuple[str, str]]:
    """What is wrong with the form of a program's arguments or answer (a pytree): what it names, and why."""
    if text in ("", None):
        return
    try:
        protocol, root = json.loads(text)
        yield from _tree(root, 0)
    except (ValueError, TypeError, KeyError, RecursionError):
        yield "torch.utils._pytree", "the form of its arguments cannot be read"
        return
    if protocol != 1:
        yield "torch.utils._pytree", "the form of its arguments has an unknown version"


def _tree(node: Any, depth: int) -> Iterator[tuple[str, str]]:
    kind, context = node["type"], node["context"]
    if depth > _DEEPEST:
        yield "torch.utils._pytree", "its arguments are nested without end"
        return
    if kind not in _TREES and kind not in _NAMED:
        yield str(kind), ""
    held = json.loads(context) if isinstance(context, str) and kind not in _NAMED else context
    if isinstance(held, dict) and kind == "collections.defaultdict":
        if held["default_factory_module"] != "builtins" or held["default_factory_name"] not in _FACTORIES:
            yield (
                f"{held['default_factory_module']}.{held['default_factory_name']}",
                "loading it imports and calls this",
            )
        held = held["dict_context"]
    if not all(map(_is_key, held if isinstance(held, list) else [held])):
        yield "torch.utils._pytree", f"a key in the form of its arguments is more than a name: {str(held)[:80]!r}"
    for child in node["children_spec"]:
        yield from _tree(child, depth + 1)


def _is_key(value: Any) -> bool:
    if isinstance(value, list):
        return all(map(_is_key, value))
    return value is None or isinstance(value, int | float) or (isinstance(value, str) and is_simple(value))
