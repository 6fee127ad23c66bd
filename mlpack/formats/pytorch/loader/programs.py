"""Exported programs (torch.export): what they name and compute is checked before torch reads them."""

from __future__ import annotations

import ast
import importlib
import json
import re
import zipfile
from typing import Any, List, Mapping, Set, Tuple

import torch

from .calls import Model
from .pickles import only_listed, reader_of, records_of

_CALLS = (
    "FloorDiv ModularIndexing Where PythonMod Mod CleanDiv CeilToInt FloorToInt CeilDiv LShift RShift PowByNatural FloatPow "
    "FloatTrueDiv IntTrueDiv IsNonOverlappingAndDenseIndicator TruncToFloat TruncToInt RoundToInt RoundDecimal ToFloat "
    "Identity Add Mul Pow Max Min Abs Integer Float Rational Symbol Eq Ne Gt Ge Lt Le Equality Unequality GreaterThan LessThan "
    "StrictGreaterThan StrictLessThan And Or Not Piecewise ExprCondPair floor ceiling sqrt max min abs int float"
)
_FUNCTIONS = frozenset(_CALLS.split())
_OF_INPUTS = ("size", "stride", "storage_offset", "shape")
_OF_MATH = ("isnan", "trunc", "floor", "ceil", "sqrt", "inf")
_PARTS = (
    ast.Expression, ast.BinOp, ast.UnaryOp, ast.BoolOp, ast.Compare, ast.operator, ast.unaryop, ast.boolop, ast.cmpop,
    ast.Constant, ast.Name, ast.Call, ast.keyword, ast.Tuple, ast.expr_context,
)  # fmt: skip
_QUOTED = re.compile(r"""['"\\\n\r{}#;`]""")
_IMPORTS = re.compile(
    r"__enum__|default_factory_module(?!\W+builtins\W+default_factory_name\W+(?:list|dict|set|int|float)\b)"
)


def exported(path: str, options: Mapping[str, Any], guard: Any) -> Model:
    """The exported program as a model; raises the guard's error, and ValueError for what torch does not write."""
    _check_program(path, guard)
    with only_listed(guard):
        program = torch.export.load(path)
    module = program.module()
    tree = importlib.import_module("torch.utils._pytree")
    given = [spec.arg for spec in program.graph_signature.input_specs if spec.kind.name == "USER_INPUT"]
    slots: List[Tuple[str, Any]] = [(arg.name, getattr(arg, "value", None)) for arg in given]

    def ask(inputs: Mapping[str, Any]) -> Any:
        flat = [inputs.get(name, value) for name, value in slots]
        args, kwargs = tree.tree_unflatten(flat, program.call_spec.in_spec)
        answer = module(*args, **kwargs)
        # Numbers and texts in it were fixed when it was exported.
        return tree.tree_map(lambda one: one if isinstance(one, torch.Tensor) else None, answer)

    return Model(ask, module, options)


def _check_program(path: str, guard: Any) -> None:
    """Compare what an exported program names with the guard, and its expressions with what torch writes; nothing is loaded."""
    with zipfile.ZipFile(path) as archive:  # torch.export reads older files so, and newer ones by torch's own reader
        members = {
            name: archive.read(name) for name in archive.namelist() if name.endswith(".json") and "/" not in name
        }
        names = archive.namelist()
    if any("/" in name for name in names):
        reader, records = reader_of(path), records_of(path)
        chosen = [name for name in records if name.lower().startswith("models/") or _is_json(name)]
        members.update({f"./{name}": reader.get_record(name) for name in chosen})
        names += records
    if any("aotinductor" in name.lower() for name in names):
        raise ValueError("the file holds compiled code, which is not loaded here: inspect the file again")
    operators: Set[str] = set()
    for data in members.values():
        waiting: List[Tuple[str, Any]] = [("", json.loads(data) if data[:2] != b"PK" else None)]
        while waiting:
            key, value = waiting.pop()
            if isinstance(value, dict):
                waiting += [(name, one) for name, one in value.items() if name != "metadata"]
                waiting += [("expr_str" if key == "range_constraints" else "name", name) for name in value]
            elif isinstance(value, list):
                waiting += [(key, one) for one in value]
            elif isinstance(value, str):
                _check_text(key, value, operators)
    guard.check("operators", operators)


def _is_json(name: str) -> bool:
    """Whether a member is read as JSON; those that the user added are not."""
    return name.lower().endswith(".json") and not name.startswith("extra/")


def _check_text(key: str, text: str, operators: Set[str]) -> None:
    """Look at one text of a program: a call's target is collected, an expression has to be one."""
    if key in ("target", "as_operator"):
        operators.add("::".join(text.split(".")[2:4]) if text.startswith("torch.ops.") else text)
    elif key in ("expr_str", "guards_code"):
        if not _computes(text, guard=key == "guards_code"):
            raise ValueError("the program holds an expression that does more than compute: inspect the file again")
    elif key in ("in_spec", "out_spec"):
        if _IMPORTS.search(text):
            raise ValueError("the form of the program's arguments names code: inspect the file again")
    elif _QUOTED.search(text):
        raise ValueError("a name in the program is more than a name: inspect the file again")


def _computes(text: str, *, guard: bool) -> bool:
    """Whether an expression is made of numbers, symbols, and the functions that torch writes; read by Python's own parser."""
    try:
        nodes = list(ast.walk(ast.parse(text.strip(), mode="eval")))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    given = [
        one for node in nodes if isinstance(node, ast.Call) and _name(node) in ("Symbol", "Float") for one in node.args
    ]
    return all(_is_part(node, guard=guard, text=node in given) for node in nodes)


def _is_part(node: Any, *, guard: bool, text: bool) -> bool:
    """Whether a part of an expression is one that torch writes; `guard` lets in what reads inputs, `text` a text."""
    if isinstance(node, ast.Constant):
        plain = not isinstance(node.value, bytes) and re.match(r"[\w .+-]*\Z", str(node.value)) is not None
        return plain and (guard or text or not isinstance(node.value, str))
    if isinstance(node, ast.Name):
        return "__" not in node.id
    if isinstance(node, ast.Call):
        return _name(node) in _FUNCTIONS or (guard and isinstance(node.func, ast.Attribute))
    if isinstance(node, ast.Attribute):
        of_math = isinstance(node.value, ast.Name) and node.value.id == "math"
        return guard and node.attr in (_OF_MATH if of_math else _OF_INPUTS)
    return isinstance(node, _PARTS) or (guard and isinstance(node, ast.Subscript))


def _name(call: Any) -> str:
    return call.func.id if isinstance(call.func, ast.Name) else ""
