"""Arguments of forward that hold several tensors (a dictionary, list or tuple of them): each tensor is an input of its own."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mlpack.formats.pytorch.torchscript.script import Argument, Script
from mlpack.formats.pytorch.torchscript.shapes import UNKNOWN, Flowing

_MOST = 200


class Record(tuple[Any, ...]):  # noqa: SLOT001 - a tuple's subclass with a field of its own has no slots
    """A NamedTuple's values, with its fields' names."""

    names: tuple[str, ...] = ()


def record(names: Sequence[str], values: Sequence[Any]) -> Record:
    """The values under these names."""
    made = Record(values)
    made.names = tuple(names)
    return made


@dataclass
class Group:
    """Such an argument: `kind` is dict, list or tuple; `parts` are its keys or places with the name of each as an input.

    Which parts there are the type tells, or the code, as it is followed; `open` where it does not (it goes through them, or
    asks whether one is there).
    """

    argument: str
    kind: str
    parts: dict[str | int, str] = field(default_factory=dict)
    taken: frozenset[str] = frozenset()  # names of other arguments
    open: bool = False
    traced: bool = False

    @property
    def example(self) -> str:
        """How a row names its parts."""
        names = list(self.parts.values()) or (["KEY"] if self.kind == "dict" else [f"{self.argument}_0"])
        return "{" + ", ".join(f'"{name}": ...' for name in names[:5]) + ", ...}"

    def to_json(self) -> dict[str, Any]:
        """What the loader puts together."""
        return {"name": self.argument, "kind": self.kind, "parts": [[name, key] for key, name in self.parts.items()]}

    def trace(self, value: Any) -> list[tuple[str, Any]]:
        """The parts that the value has with which the model was traced, each by its name as an input."""
        held = (
            list(value.items())
            if isinstance(value, dict)
            else list(enumerate(value))
            if isinstance(value, list | tuple)
            else []
        )
        for key, _ in held:
            self.part(key)
        self.traced, self.open = bool(held), False
        return [(self.parts[key], one) for key, one in held if key in self.parts]

    def part(self, key: Any) -> Any:
        """What the code finds at a key or place."""
        fits = isinstance(key, str) if self.kind == "dict" else type(key) is int and 0 <= key < _MOST
        if not fits or len(self.parts) >= _MOST:
            self.open = True
            return UNKNOWN
        for one in [key] if self.kind == "dict" else range(key + 1):
            self.parts.setdefault(one, self._name(one))
        return Flowing(origin=self.parts[key])

    def _name(self, key: str | int) -> str:
        if isinstance(key, int):
            return f"{self.argument}_{key}"
        return f"{self.argument}.{key}" if key in self.taken else key

    def unpacked(self, count: int) -> list[Any]:
        """What the code finds when it takes all of it apart."""
        return [self.part(place) for place in range(count)]

    def of(self, known: Mapping[str, Flowing]) -> Any:
        """The argument with what is known of each part."""
        values = [known.get(name) or Flowing(origin=name) for name in self.parts.values()]
        return dict(zip(self.parts, values, strict=True)) if self.kind == "dict" else tuple(values)

    def by_rows(self, rows: Sequence[Any], *, alone: bool) -> None:
        """Takes the parts from the user's rows, where these are records that name them; of several dictionaries none does."""
        if self.kind == "tuple" or not rows or not all(isinstance(row, dict) for row in rows):
            return
        names = [str(name) for name in rows[0] if all(name in row for row in rows)]
        found: dict[str | int, str] = {}
        if self.kind == "dict" and alone:
            found = {name.removeprefix(f"{self.argument}."): name for name in names if name not in self.taken}
        while self.kind == "list" and f"{self.argument}_{len(found)}" in names:
            found[len(found)] = f"{self.argument}_{len(found)}"
        if found and set(found) >= set(self.parts):
            self.parts, self.open = found, False


def group_of(script: Script, argument: Argument, others: Sequence[str]) -> Group | None:
    """The argument as a group; None when it is of another type."""
    kind = argument.type
    kind = kind.removeprefix("Optional[").removesuffix("]") if kind.startswith("Optional[") else kind
    group = Group(argument=argument.name, kind="tuple", taken=frozenset(others))
    if kind in ("Dict[str, Tensor]", "List[Tensor]"):
        group.kind = "dict" if kind.startswith("Dict") else "list"
        return group
    node = parsed(kind)
    if isinstance(node, ast.Subscript) and ast.unparse(node.value) == "Tuple":
        kinds = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        if all(ast.unparse(one) == "Tensor" for one in kinds):
            group.unpacked(len(kinds))
            return group
    fields = script.record(kind)
    if fields and all(type_ == "Tensor" for type_ in fields.values()):
        group.parts = {n: f"{argument.name}.{name}" if name in group.taken else name for n, name in enumerate(fields)}
        return group
    return None


def parsed(kind: str) -> ast.expr | None:
    """A type as an expression; None for what is none."""
    try:
        return ast.parse(kind, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
