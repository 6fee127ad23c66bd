"""Files of skops as data: the schema of a zip turned into the same inert values as a pickle's, and judged like one."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from mlpack.artifacts.model import Verdict
from mlpack.readers.documents import DEEPEST
from mlpack.readers.limits import CutOffError, Limits
from mlpack.readers.npy import read_npy
from mlpack.readers.record import Record
from mlpack.readers.trees import Tree
from mlpack.readers.values import Array, Global, Instance, Member, PickleFile
from mlpack.readers.verdict import judge

SCHEMA = "schema.json"
_LONGEST_SCHEMA = 64 << 20  # a forest of some thousand trees
_DEEPEST = 4 * DEEPEST
# What skops makes without being told to trust it: plain values, containers, numpy's arrays and scalars.
_PLAIN = re.compile(
    r"builtins\.(str|int|float|bool|NoneType|dict|list|set|tuple|slice|bytes|bytearray)|"
    r"numpy\.(ndarray|(u?int|float|complex)\d+|bool_?|str_|bytes_|datetime64|timedelta64|longdouble)"
)
_UNNAMED = ("JsonNode", "DefaultDictNode", "SliceNode", "MethodNode")
_ONLY_NAMED = ("TypeNode", "FunctionNode")


@dataclass(frozen=True, kw_only=True)
class Skops:
    """What the file holds, the release of skops that wrote it, and every type and function that loading needs by name."""

    file: PickleFile
    version: str | None
    types: tuple[str, ...]


def read_skops(tree: Tree) -> Skops | None:
    """The values of a skops file; None when the zip is none. Raises CutOffError for one that is broken."""
    if tree.container != "zip" or tree.sizes.get(SCHEMA, _LONGEST_SCHEMA) >= _LONGEST_SCHEMA:
        return None
    try:
        schema = json.loads(tree.read(SCHEMA, _LONGEST_SCHEMA))
    except (ValueError, RecursionError) as error:
        raise CutOffError("its schema is no JSON that can be read") from error
    if not isinstance(schema, dict) or "__loader__" not in schema:
        return None
    building = _Building(tree)
    try:
        root = building.value(schema)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise CutOffError(f"its schema is not as skops writes it ({type(error).__name__}: {error})") from error
    protocol = schema.get("protocol")
    version = schema.get("_skops_version")
    return Skops(
        file=PickleFile(
            container="skops",
            compression=None,
            members=(Member(name="", root=root, protocol=protocol if isinstance(protocol, int) else 0),),
            globals=tuple(building.record.names),
            safety=judge(building.record),
        ),
        version=version if isinstance(version, str) else None,
        types=tuple(sorted(map(str, building.record.names))),
    )


class _Building:
    """The nodes of a schema being turned into values; a node that was met before is the same value again."""

    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self.record = Record()
        self.known: dict[Any, Any] = {}
        self.depth = 0

    def value(self, node: Any) -> Any:
        """The value of a node; raises CutOffError for a nesting that no model has."""
        if not isinstance(node, dict):
            raise TypeError("a node is no object")
        if node["__loader__"] == "CachedNode":
            return self.known[node["__id__"]]
        self.depth += 1
        if self.depth > _DEEPEST:
            raise CutOffError("its schema is nested too deeply")
        if node["__loader__"] not in _UNNAMED:
            self.name(node, called=node["__loader__"] not in _ONLY_NAMED)
        made = _NODES.get(node["__loader__"], _object)(self, node)
        self.depth -= 1
        if "__id__" in node:
            self.known[node["__id__"]] = made
        return made

    def name(self, node: Mapping[str, Any], *, called: bool) -> Global:
        """The class or function that a node names; it counts for the verdict."""
        found = Global(str(node["__module__"]), str(node["__class__"]))
        if not _PLAIN.fullmatch(str(found)) or (str(found).startswith("numpy.") and not called):
            self.record.names[found] = None
            if called:
                self.record.called.add(found)
        return found


def _json(_: _Building, node: dict[str, Any]) -> Any:
    return json.loads(node["content"]) if node.get("is_json", True) else node["content"]


def _dict(building: _Building, node: dict[str, Any]) -> Any:
    items = {str(key): building.value(value) for key, value in node["content"].items()}
    if str(node["__class__"]) == "dict":
        return items
    return Instance(building.name(node, called=True), mapping=list(items.items()))


def _default_dict(building: _Building, node: dict[str, Any]) -> Any:
    building.value(node["content"]["default_factory"])
    return building.value(node["content"]["main"])


def _list(building: _Building, node: dict[str, Any]) -> Any:
    return [building.value(item) for item in node["content"]]


def _tuple(building: _Building, node: dict[str, Any]) -> Any:
    items = tuple(building.value(item) for item in node["content"])
    if str(node["__class__"]) == "tuple":
        return items
    return Instance(building.name(node, called=True), items)


def _named(building: _Building, node: dict[str, Any]) -> Any:
    return building.name(node, called=False)


def _array(building: _Building, node: dict[str, Any]) -> Any:
    if node["type"] == "json":
        shape = building.value(node["shape"])
        content = node["content"]
        return Array(dtype="|O", shape=tuple(shape), objects=tuple(_flat([building.value(item) for item in content])))
    with building.tree.open(str(node["file"])) as source:
        array, pickled = read_npy(source, Limits().kept_array)
    if pickled:
        building.record.suspect(str(node["file"]), "holds objects where skops keeps numbers")
    values = array.values() if array.shape == () else None
    return values[0] if values else array


def _flat(values: list[Any]) -> list[Any]:
    return [item for value in values for item in (_flat(value) if isinstance(value, list) else [value])]


def _object(building: _Building, node: dict[str, Any]) -> Any:
    """An object of a class; of whatever else skops may write, the parts are looked at all the same."""
    instance = Instance(building.name(node, called=True))
    if "__id__" in node:
        building.known[node["__id__"]] = instance
    reduced = node.get("__reduce__")
    if isinstance(reduced, dict):
        args = building.value(reduced["args"])
        instance.args = args if isinstance(args, tuple) else (args,)
    content = node.get("content", node.get("attrs"))
    if isinstance(content, dict) and "__loader__" in content:
        instance.state = building.value(content)
    elif isinstance(content, dict):
        instance.state = {key: building.value(part) for key, part in content.items() if isinstance(part, dict)}
    return instance


def _method(building: _Building, node: dict[str, Any]) -> Any:
    owner = building.value(node["content"]["obj"])
    building.record.suspect(
        "builtins.getattr", f"holds the method {node['content']['func']!r} of an object that it builds"
    )
    return Instance(Global("builtins", "getattr"), (owner, node["content"]["func"]))


def _slice(_: _Building, node: dict[str, Any]) -> Any:
    content = node["content"]
    return slice(content["start"], content["stop"], content["step"])


def _bytes(building: _Building, node: dict[str, Any]) -> Any:
    name = str(node["file"])
    return building.tree.read(name, Limits().kept_models) if name in building.tree else b""


_NODES: dict[str, Callable[[_Building, dict[str, Any]], Any]] = {
    "JsonNode": _json,
    "DictNode": _dict,
    "DefaultDictNode": _default_dict,
    "ListNode": _list,
    "SetNode": _list,
    "TupleNode": _tuple,
    "TypeNode": _named,
    "FunctionNode": _named,
    "DTypeNode": _object,
    "NdArrayNode": _array,
    "MethodNode": _method,
    "SliceNode": _slice,
    "BytesNode": _bytes,
    "BytearrayNode": _bytes,
}


def with_verdict(file: PickleFile, other: PickleFile | None) -> PickleFile:
    """The file with the worse of two verdicts: its own, and that on the pickles that may lie in the same zip."""
    if other is None or other.safety.verdict == "safe":
        return file
    findings = (*other.safety.findings, *file.safety.findings)
    worst: Verdict = "dangerous" if "dangerous" in (other.safety.verdict, file.safety.verdict) else "unknown"
    return replace(file, safety=replace(file.safety, verdict=worst, findings=findings))
