"""The kinds of parts in a skops schema: the lookups, calls and states that skops makes of them, as inert values.

The kinds are those of skops' releases. An unknown kind makes the verdict `unknown`; its inner parts are checked too.
"""

from __future__ import annotations

import json
import re
from typing import Any

from mlpack.readers.encodings.npy import read_npy
from mlpack.readers.limits import CutOffError, Limits
from mlpack.readers.pickles.values import Array, Global, Instance
from mlpack.readers.skops.parts import SCALARS, SCHEMA, Building, Kind
from mlpack.readers.verdicts.states import check_state

# Classes that skops calls for each kind of part; any other class would be a call that the file chose.
_MAPPINGS = re.compile(r"builtins\.dict|collections\.(OrderedDict|Counter)|sklearn\.utils(\._bunch)?\.Bunch")
_LISTS = re.compile(r"builtins\.(list|set|frozenset)|collections\.deque")
_KEYS = re.compile(r"builtins\.(str|int|float|bool|NoneType|bytes|tuple)|" + SCALARS)
_ARRAYS = re.compile(r"numpy\.(ndarray|matrix|matrixlib\.defmatrix\.matrix)|" + SCALARS)
_MASKED = re.compile(r"numpy\.ma(\.core)?\.MaskedArray")
_STATES = re.compile(r"numpy\.random(\.mtrand)?\.RandomState")
_GENERATORS = re.compile(r"numpy\.random(\._generator)?\.Generator")
_BIT_GENERATORS = ("PCG64", "PCG64DXSM", "MT19937", "Philox", "SFC64")
_SPARSE = re.compile(r"scipy\.sparse(\._?\w+)?\.[a-z]{3}_(matrix|array)")
_MADE_OF_VALUES = re.compile(
    r"builtins\.(frozenset|complex|range)|datetime\.\w+|decimal\.Decimal|fractions\.Fraction|uuid\.UUID|zoneinfo\.ZoneInfo"
)
_TREE = Global("sklearn.tree._tree", "Tree")


def _json(building: Building, node: dict[str, Any]) -> Any:
    building.names.add(f"{node['__module__']}:{node['__class__']}")  # not looked up
    if not isinstance(node["content"], str):
        raise TypeError("a value is not a JSON text")
    return json.loads(node["content"])


def _dict(building: Building, node: dict[str, Any]) -> Any:
    name = building.only(node, _MAPPINGS, "a dictionary")
    content = node["content"]
    if "key_types" in node:
        types = building.value(node["key_types"])
        types = types if isinstance(types, list) else [types]
        if len(types) != len(content):
            building.record.suspect(SCHEMA, "a dictionary in it has more keys than key types, so that skops drops some")
        for one in types:
            if not (isinstance(one, Global) and _KEYS.fullmatch(str(one))):
                building.record.dangerous(str(one), "it is called with the keys of a dictionary")
    items = {str(key): building.value(value) for key, value in content.items()}
    return items if str(name) == "builtins.dict" else Instance(name, mapping=list(items.items()))


def _default_dict(building: Building, node: dict[str, Any]) -> Any:
    building.look_up(Global("collections", "defaultdict"), called=True)
    building.name(node, called=False)
    main = building.value(node["content"]["main"])
    factory = building.value(node["content"]["default_factory"])
    if isinstance(factory, Global):
        building.look_up(factory, called=True)
    elif factory is not None:
        building.record.suspect("collections.defaultdict", "it calls an object from the file for each missing key")
    return main


def _list(building: Building, node: dict[str, Any]) -> Any:
    building.only(node, _LISTS, "a list")
    return [building.value(item) for item in node["content"]]


def _tuple(building: Building, node: dict[str, Any]) -> Any:
    name = building.name(node, called=True)
    items = tuple(building.value(item) for item in node["content"])
    return items if str(name) == "builtins.tuple" else Instance(name, items)


def _named(building: Building, node: dict[str, Any]) -> Any:
    name = building.name(node, called=False)
    content = node.get("content")  # a function's name in protocol 0
    if isinstance(content, dict) and "module_path" in content:
        inner = building.look_up(Global(str(content["module_path"]), str(content["function"])), called=False)
        return name if building.protocol else inner
    return name


def _slice(building: Building, node: dict[str, Any]) -> Any:
    building.name(node, called=False)
    content = node["content"]
    return slice(content["start"], content["stop"], content["step"])


def _bytes(building: Building, node: dict[str, Any]) -> Any:
    building.name(node, called=False)
    return building.tree.read(str(node["file"]), Limits().kept_models)


def _array(building: Building, node: dict[str, Any]) -> Any:
    building.only(node, _ARRAYS, "an array")
    if node["type"] == "json":
        content = node["content"]
        objects = tuple(_flat([building.value(item) for item in content]))
        return Array(dtype="|O", shape=_shape(building.value(node["shape"])), objects=objects)
    if node["type"] != "numpy":
        raise CutOffError(f"an array in its schema has the unknown kind {str(node['type'])[:40]!r}")
    with building.tree.open(str(node["file"])) as source:
        array, pickled = read_npy(source, Limits().kept_array)
    if pickled:
        building.record.dangerous(str(node["file"])[:200], "it contains pickled objects where skops stores numbers")
    values = array.values() if array.shape == () else None
    return values[0] if values else array


def _shape(found: Any) -> tuple[int, ...]:
    shape = tuple(found) if isinstance(found, list | tuple) else ()
    if not all(isinstance(extent, int) and extent >= 0 for extent in shape):
        raise CutOffError("an array in its schema has no shape")
    return shape


def _flat(values: list[Any]) -> list[Any]:
    return [item for value in values for item in (_flat(value) if isinstance(value, list) else [value])]


def _masked(building: Building, node: dict[str, Any]) -> Any:
    building.only(node, _MASKED, "a masked array")
    building.names.add("numpy.ma:MaskedArray")
    data = building.value(node["content"]["data"])
    building.value(node["content"]["mask"])
    return data


def _dtype(building: Building, node: dict[str, Any]) -> Any:
    name = building.name(node, called=True)
    if node["content"]["__loader__"] != "NdArrayNode":
        raise CutOffError("a data type in its schema is not stored as an array")
    content = building.value(node["content"])
    return Instance(name, (content.dtype,) if isinstance(content, Array) else ())


def _random_state(building: Building, node: dict[str, Any]) -> Any:
    name = building.only(node, _STATES, "random numbers")
    return building.object(node, name)


def _random_generator(building: Building, node: dict[str, Any]) -> Any:
    name = building.only(node, _GENERATORS, "random numbers")
    content = node["content"]
    state = building.value(content["bit_generator"])
    kind = state.get("bit_generator") if isinstance(state, dict) else None
    building.names.add(f"numpy.random:{kind}")
    if kind not in _BIT_GENERATORS:
        building.record.dangerous(f"numpy.random.{str(kind)[:80]}", "it is called for random numbers")
    if "seed_seq" in content:
        building.value(content["seed_seq"])
    return Instance(name)


def _sparse(building: Building, node: dict[str, Any]) -> Any:
    name = building.name(node, called=True)
    if node["type"] != "scipy" or not _SPARSE.fullmatch(str(name)) or str(node["file"]) not in building.tree:
        raise CutOffError("a sparse matrix in its schema is not a type of scipy")
    return Instance(name)


def _object(building: Building, node: dict[str, Any]) -> Any:
    return building.object(node, building.name(node, called=True))


def _reduced(building: Building, node: dict[str, Any], constructor: Global | None = None) -> Any:
    """An object of a compiled class: its class is called, then its state is set."""
    own = building.name(node, called=True)
    instance = building.object(node, building.look_up(constructor, called=True) if constructor else own)
    args = building.value(node["__reduce__"]["args"])
    if not isinstance(args, tuple):
        raise CutOffError("the arguments of a compiled object in its schema are not a tuple")
    instance.args = args
    return instance


def _tree(building: Building, node: dict[str, Any]) -> Any:
    return _reduced(building, node, _TREE)


def _constructed(building: Building, node: dict[str, Any]) -> Any:
    name = building.name(node, called=True)
    args = building.value(node["content"])
    if not _MADE_OF_VALUES.fullmatch(str(name)):
        building.record.suspect(str(name), "the file calls it with its own arguments")
    return Instance(name, args if isinstance(args, tuple) else (args,))


def _method(building: Building, node: dict[str, Any]) -> Any:
    owner = building.value(node["content"]["obj"])
    method = node["content"]["func"]
    whole = Global(building.name(node, called=False).module, f"{node['__class__']}.{method}")
    building.names.add(whole.reference)
    building.methods.add(str(whole))
    if not isinstance(method, str) or not method.isidentifier() or method.startswith("__"):
        building.record.dangerous("builtins.getattr", "reads an attribute that no ordinary skops file reads")
    building.record.suspect("builtins.getattr", f"contains the method {method!r} of an object that it creates")
    return Instance(Global("builtins", "getattr"), (owner, method))


def _partial(building: Building, node: dict[str, Any]) -> Any:
    building.name(node, called=True)
    name = building.look_up(Global("functools", "partial"), called=True)
    content = node["content"]
    state = tuple(building.value(content[part]) for part in ("func", "args", "kwds", "namespace"))
    instance = Instance(name, state[:1])
    check_state(building.record, instance, state)
    instance.state = state
    return instance


def _operator(building: Building, node: dict[str, Any]) -> Any:
    name = building.name(node, called=True)
    args = building.value(node["attrs"])
    return Instance(name, args if isinstance(args, tuple) else (args,))


def _renamed_keys(building: Building, node: dict[str, Any]) -> Any:
    building.name(node, called=True)
    building.value(node["content"]["_deprecated_key_to_new_key"])
    return building.value(node["content"]["main"])


def other(building: Building, node: dict[str, Any]) -> Any:
    """A part of an unknown kind: its inner parts are checked."""
    name = building.name(node, called=True)
    building.record.suspect(str(name), f"it is stored as the unknown kind {str(node['__loader__'])[:60]!r}")
    instance = Instance(name)
    for part in node.values():
        inside = part if isinstance(part, list) else part.values() if isinstance(part, dict) else ()
        below = [part] if isinstance(part, dict) and "__loader__" in part else inside
        for one in below:
            if isinstance(one, dict) and "__loader__" in one:
                building.value(one)
    return instance


KINDS: dict[str, Kind] = {
    "JsonNode": _json,
    "DictNode": _dict,
    "DefaultDictNode": _default_dict,
    "_DictWithDeprecatedKeysNode": _renamed_keys,
    "ListNode": _list,
    "SetNode": _list,
    "TupleNode": _tuple,
    "TypeNode": _named,
    "FunctionNode": _named,
    "SliceNode": _slice,
    "BytesNode": _bytes,
    "BytearrayNode": _bytes,
    "NdArrayNode": _array,
    "MaskedArrayNode": _masked,
    "DTypeNode": _dtype,
    "RandomStateNode": _random_state,
    "RandomGeneratorNode": _random_generator,
    "SparseMatrixNode": _sparse,
    "ObjectNode": _object,
    "LossNode": _reduced,
    "SGDNode": _reduced,
    "QuantileForestNode": _reduced,
    "TreeNode": _tree,
    "ConstructorFromReduceNode": _constructed,
    "MethodNode": _method,
    "PartialNode": _partial,
    "OperatorFuncNode": _operator,
}
