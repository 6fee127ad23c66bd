"""Plain values in TorchScript's code: ranks, lengths and comparisons, which decide what a branch does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mlpack.formats.pytorch.torchscript.shapes import OPERATIONS, UNKNOWN, Demands, Flowing


def _rank(args: list[Any]) -> Any:
    value = args[0] if args else UNKNOWN
    return len(value.axes) if isinstance(value, Flowing) and value.axes is not None else UNKNOWN


def _length(args: list[Any]) -> Any:
    value, place = (args[0], args[1]) if len(args) == 2 else (UNKNOWN, 0)
    if (
        isinstance(value, Flowing)
        and value.axes
        and isinstance(place, int)
        and -len(value.axes) <= place < len(value.axes)
    ):
        return value.axes[place] if value.axes[place] >= 0 else UNKNOWN
    return UNKNOWN


def _compare(how: Callable[[Any, Any], bool], name: str) -> Callable[[list[Any]], Any]:
    def compared(args: list[Any]) -> Any:
        if len(args) == 2 and all(isinstance(one, int | float | str) for one in args):
            return how(*args)
        if len(args) == 2 and any(isinstance(one, Flowing) for one in args):
            return OPERATIONS[name](Demands(), args)
        return UNKNOWN

    return compared


def _none(*, wanted: bool) -> Callable[[list[Any]], Any]:
    def result(args: list[Any]) -> Any:
        return UNKNOWN if args[0] is UNKNOWN else (args[0] is None) == wanted

    return result


PLAIN: dict[str, Callable[[list[Any]], Any]] = {
    "dim": _rank,
    "size": _length,
    "eq": _compare(lambda a, b: a == b, "eq"),
    "ne": _compare(lambda a, b: a != b, "ne"),
    "__is__": _none(wanted=True),
    "__isnot__": _none(wanted=False),
    "__not__": lambda args: not args[0] if isinstance(args[0], bool) else UNKNOWN,
    "__contains__": lambda args: (
        args[1] in args[0] if isinstance(args[0], list) and isinstance(args[1], int) else UNKNOWN
    ),
}
