"""The layout of a protobuf message: which fields it has, of which kind, and how often; readers disagree on what breaks it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from mlpack.readers.encodings.protobuf import BYTES, Field
from mlpack.readers.limits import CutOffError


@dataclass(frozen=True, kw_only=True)
class Layout:
    """Field numbers with their wire types: `one` may be there once, `many` any number of times (numbers also packed).

    Of the fields in `choice` (a oneof) one alone may be there. `ordered` fields come in the order of their numbers, as every
    writer writes them. `what` is the message's name. Fields of other numbers are those of newer releases: protobuf ignores
    them as this reader does.
    """

    what: str
    one: Mapping[int, int] = field(default_factory=dict)
    many: Mapping[int, int] = field(default_factory=dict)
    choice: frozenset[int] = frozenset()
    ordered: bool = False

    def of(self, fields: Iterable[Field]) -> Iterator[Field]:
        """The message's known fields.

        Raises CutOffError for a field that is there twice (one library takes the first, another the last, a third merges
        them), for two of a choice, for a field of another wire type than its own (which libraries skip or refuse), and for a
        field of an `ordered` message that comes too late: a reader that goes forward would miss what it belongs to.
        """
        seen: set[int] = set()
        for one in fields:
            number = one.number
            if self.ordered and any(number < before for before in seen):
                raise CutOffError(f"a {self.what} in it is not in the order in which it is written (field {number})")
            wire = self.one.get(number)
            if wire is not None:
                if number in seen or (number in self.choice and seen & self.choice):
                    raise CutOffError(f"a {self.what} in it has two values where one belongs (field {number})")
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
    """The layout of a map's entry: a key that is a text, then a value that is a text or a message."""
    return Layout(what=what, one={1: BYTES, 2: BYTES}, ordered=True)
