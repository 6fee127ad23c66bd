"""The allowed fields of a protobuf message with their types and number; libraries read other messages differently."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from mlpack.readers.encodings.protobuf import BYTES, Field
from mlpack.readers.limits import CutOffError


@dataclass(frozen=True, kw_only=True)
class Layout:
    """Field numbers with their wire types: `one` occur at most once, `many` any number of times (numbers also packed).

    At most one field of `choice` (a oneof) occurs. `ordered` fields occur in the order of their numbers, as all writers do
    it. `what` is the message's name. Fields with other numbers belong to newer releases and are ignored, as protobuf does.
    """

    what: str
    one: Mapping[int, int] = field(default_factory=dict)
    many: Mapping[int, int] = field(default_factory=dict)
    choice: frozenset[int] = frozenset()
    ordered: bool = False

    def of(self, fields: Iterable[Field]) -> Iterator[Field]:
        """The message's known fields.

        Raises CutOffError for a duplicate field (libraries use the first, use the last, or merge them), for two fields of a
        choice, for a wrong wire type (libraries skip or refuse the field), and for a field of an `ordered` message that is
        out of order, which a forward reader cannot assign.
        """
        seen: set[int] = set()
        for one in fields:
            number = one.number
            if self.ordered and any(number < before for before in seen):
                raise CutOffError(f"a {self.what} in it has its fields in a wrong order (field {number})")
            wire = self.one.get(number)
            if wire is not None:
                if number in seen or (number in self.choice and seen & self.choice):
                    raise CutOffError(f"a {self.what} in it has two values for one field (field {number})")
                seen.add(number)
            else:
                wire = self.many.get(number)
                if wire is None:
                    continue
                if wire not in (BYTES, one.wire) and one.wire == BYTES:
                    wire = BYTES  # packed
            if wire != one.wire:
                raise CutOffError(f"a {self.what} in it has a field of the wrong type (field {number})")
            yield one


def entry(what: str) -> Layout:
    """The layout of a map entry: a text key, then a text or message value."""
    return Layout(what=what, one={1: BYTES, 2: BYTES}, ordered=True)
