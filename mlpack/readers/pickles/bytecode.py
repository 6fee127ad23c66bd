"""Find the Python that compiled code stored by value in a pickle (by cloudpickle or dill), from its bytecode."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from mlpack.readers.pickles.values import Global

KNOWN = ("3.8", "3.9", "3.10", "3.11", "3.12", "3.13", "3.14")
FEWEST = 14  # arguments of a code object: 16 before 3.11, 18 since; dill adds one or two
_BY_VALUE = ("cloudpickle", "dill", "joblib.externals.cloudpickle")
_MAKERS = frozenset({
    "_make_function", "_make_skel_func", "_fill_function", "_make_skeleton_class", "_builtin_type", "_create_function",
    "_create_code", "_create_type",
})  # fmt: skip
# Opcode numbers, from each release's Include/opcode.h (3.13, 3.14: opcode_ids.h). Opcodes are at even offsets.
_RESUME = {"3.11": 151, "3.12": 151, "3.13": 149, "3.14": 128}
_PRECALL, _CALL, _RETURN_CONST = 166, 171, 121  # only 3.11; 3.11 and 3.12; only 3.12
_SINCE_39 = frozenset({74, 117, 118, 121})  # LOAD_ASSERTION_ERROR, IS_OP, CONTAINS_OP, JUMP_IF_NOT_EXC_MATCH
_COMPARE_OP, _COMPARISONS_39 = 107, 6


def tool_of(names: Iterable[Global]) -> str | None:
    """`cloudpickle` or `dill` when a file that looks up these names contains code by value, else None."""
    made = [one.module for one in names if one.name in _MAKERS and one.module.startswith(_BY_VALUE)]
    return None if not made else "dill" if any(module.startswith("dill") for module in made) else "cloudpickle"


def compilers(arguments: tuple[Any, ...]) -> frozenset[str] | None:
    """The minor versions that may have compiled a code object with these arguments; None for other arguments.

    The arguments are those of types.CodeType: five or six counts, the bytecode, constants and names, tables. dill adds the
    old line table before them. An empty set means an unknown version.
    """
    if arguments and isinstance(arguments[0], bytes):
        arguments = arguments[1:]
    counts = next((place for place, one in enumerate(arguments) if not isinstance(one, int)), 0)
    if counts not in (5, 6) or len(arguments) < FEWEST or not isinstance(arguments[counts], bytes):
        return None
    code: bytes = arguments[counts]
    opcodes = code[::2]
    tables = [one for one in arguments[counts + 1 :] if isinstance(one, bytes)]
    if len(tables) >= 2:  # the exception table exists since 3.11
        return frozenset(_since_311(code, opcodes))
    if counts == 5 or not tables:  # the count of positional-only parameters exists since 3.8
        return frozenset()
    if tables[0] and sum(tables[0][::2]) == len(code):
        return frozenset({"3.10"})  # its line table covers all code; older ones end at the start of the last line
    if _SINCE_39.intersection(opcodes):
        return frozenset({"3.9"})
    compared = zip(opcodes, code[1::2], strict=True)
    old = any(opcode == _COMPARE_OP and argument >= _COMPARISONS_39 for opcode, argument in compared)
    return frozenset({"3.8"}) if old else frozenset({"3.8", "3.9"})


def _since_311(code: bytes, opcodes: bytes) -> set[str]:
    head = list(zip(opcodes[:24], code[1:48:2], strict=True))
    resumed = next((op for op, arg in head if op in (151, 128) and arg <= 3), None)
    if resumed is None:
        return {"3.13"} if any(op == _RESUME["3.13"] and arg <= 3 for op, arg in head) else set()
    if resumed == _RESUME["3.14"]:
        return {"3.14"}
    if _PRECALL in opcodes:
        return {"3.11"}
    return {"3.12"} if _CALL in opcodes or _RETURN_CONST in opcodes else {"3.11", "3.12"}
