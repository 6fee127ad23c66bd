"""Convert the parts of a skops schema to values: identities, names, and states of objects."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from mlpack.readers.archives.trees import Tree
from mlpack.readers.encodings.documents import DEEPEST
from mlpack.readers.limits import CutOffError
from mlpack.readers.pickles.record import Record
from mlpack.readers.pickles.values import Global, Instance
from mlpack.readers.verdicts.states import check_state

_DEEPEST = 4 * DEEPEST
SCHEMA = "schema.json"
SCALARS = r"numpy\.((u?int|float|complex)\d+|bool_?|str_|bytes_|datetime64|timedelta64|longdouble)"
# Types that skops trusts by default: plain values, containers, numpy's arrays and scalars.
_PLAIN = re.compile(
    r"builtins\.(str|int|float|bool|NoneType|dict|list|set|tuple|slice|bytes|bytearray)|numpy\.ndarray|" + SCALARS
)


def is_plain(name: Global) -> bool:
    """Whether skops trusts it by default and it is harmless in any file."""
    return _PLAIN.fullmatch(str(name)) is not None


class Building:
    """Converts the parts of a schema to values; parts with the same id are the same value.

    `kinds` are the readers by kind, `other` the reader of unknown kinds. `names` are all names that loading looks up, in the
    guard's form; `own` are names that skops itself calls, which do not count for the verdict; `methods` are methods of
    objects (`module.Class.method`).
    """

    def __init__(self, tree: Tree, protocol: int, kinds: Mapping[str, Kind], other: Kind) -> None:
        self.tree = tree
        self.protocol = protocol
        self.record = Record()
        self.kinds, self.other = kinds, other
        self.names: set[str] = set()
        self.own: set[Global] = set()
        self.methods: set[str] = set()
        self.known: dict[Any, Any] = {}
        self.written: dict[Any, dict[str, Any]] = {}
        self.depth = 0

    def value(self, node: Any) -> Any:
        """The value of a part; raises CutOffError when it is nested too deeply."""
        if not isinstance(node, dict):
            raise TypeError("a part is not an object")
        kind, identity = node["__loader__"], node.get("__id__")
        if kind == "CachedNode":
            self.name(node, called=False)
            return self.known[identity]
        self.depth += 1
        if self.depth > _DEEPEST:
            raise CutOffError("its schema is nested too deeply")
        again = bool(identity) and identity in self.written
        if again and not _same(self.written[identity], node):
            self.record.suspect(str(node["__class__"]), "two different parts have one id, and only the first is loaded")
        elif identity:
            self.written[identity] = node
        made = self.kinds.get(kind, self.other)(self, node)
        self.depth -= 1
        if again and identity in self.known:
            return self.known[identity]
        if identity:
            self.known[identity] = made
        return made

    def name(self, node: dict[str, Any], *, called: bool) -> Global:
        """The class or function of a part; it counts for the verdict unless it is plain."""
        return self.look_up(Global(str(node["__module__"]), str(node["__class__"])), called=called)

    def look_up(self, found: Global, *, called: bool) -> Global:
        """A name that loading looks up; it counts for the verdict unless it is plain."""
        self.names.add(found.reference)
        if not is_plain(found):
            self.record.names[found] = None
            if called:
                self.record.called.add(found)
        return found

    def only(self, node: dict[str, Any], allowed: re.Pattern[str], what: str) -> Global:
        """The class of a part, which must match `allowed`; skops would call any other one too."""
        found = Global(str(node["__module__"]), str(node["__class__"]))
        if allowed.fullmatch(str(found)):
            self.names.add(found.reference)
            self.own.add(found)
        else:
            self.look_up(found, called=True)
            self.record.suspect(str(found), f"the file calls it for {what}, which skops does not write")
        return found

    def object(self, node: dict[str, Any], name: Global, args: Any = ()) -> Instance:
        """An object with its state."""
        instance = Instance(name, tuple(args) if isinstance(args, list | tuple) else (args,))
        if node.get("__id__"):
            self.known.setdefault(node["__id__"], instance)
        content = node.get("content")
        if content is not None:
            state = self.value(content)
            check_state(self.record, instance, state)
            instance.state = state
        return instance


def _same(first: Any, second: Any) -> bool:
    """Whether two parts with the same id are equal, apart from inner ids and the names of byte files."""
    left = [(first, second)]
    while left:
        one, other = left.pop()
        if isinstance(one, dict) and isinstance(other, dict):
            if one.keys() != other.keys():
                return False
            left += [(one[key], other[key]) for key in one if key not in ("file", "__id__")]
        elif isinstance(one, list) and isinstance(other, list):
            if len(one) != len(other):
                return False
            left += zip(one, other, strict=True)
        elif one != other or type(one) is not type(other):
            return False
    return True


Kind = Callable[[Building, dict[str, Any]], Any]
