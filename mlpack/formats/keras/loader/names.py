"""The names in a Keras file's configuration: all that Keras may look up, open or run when it loads the file."""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
from typing import Any, Dict, Iterator, List, Mapping, Set, Tuple

_NPZ = "model.weights.npz"
_LOOKED_UP = ("activation", "initializer", "regularizer", "constraint", "quantizer")
_LOOKED_UP_WHOLE = ("standardize", "split", "loss", "fn")
_OPENED = ("vocabulary", "vocabulary_file", "filepath")


class UnreadableError(ValueError):
    """The file cannot be read in one way only, so what it asks for is not known."""


def names_in(path: str, container: str) -> Dict[str, Set[str]]:
    """The names in the file by the kinds of the guard: types, operators, files, code. Raises UnreadableError."""
    names: Dict[str, Set[str]] = {"types": set(), "operators": set(), "files": set(), "code": set()}
    if container == "hdf5":
        config = _hdf5_config(path, names["files"])
    elif container == "zip":
        with zipfile.ZipFile(path) as archive:
            members = archive.namelist()
            if len(set(members)) < len(members):
                raise UnreadableError("the archive holds two files of one name")
            names["files"].update(name for name in members if name == _NPZ)
            config = archive.read("config.json")
    else:
        names["files"].update(name for name in os.listdir(path) if name == _NPZ)  # noqa: PTH208 - a loader stays plain
        with open(os.path.join(path, "config.json"), "rb") as file:  # noqa: PTH118, PTH123 - the same
            config = file.read()
    waiting: List[Any] = [json.loads(config, object_pairs_hook=_once)]
    while waiting:
        value = waiting.pop()
        if isinstance(value, list):
            waiting += value
        elif isinstance(value, dict):
            waiting += value.values()
            for kind, name in _of_object(value):
                names[kind].add(name)
    return names


def _hdf5_config(path: str, outside: Set[str]) -> Any:
    """The configuration as Keras takes it; what leads to other files is added to `outside`."""
    import h5py

    with h5py.File(path, "r") as file:
        attributes = list(file.attrs)
        if len(set(attributes)) < len(attributes):
            raise UnreadableError("the file holds two attributes of one name")
        groups, seen = [file], set()
        while groups:
            group = groups.pop()
            for name in group:
                link = group.get(name, getlink=True)
                if isinstance(link, h5py.ExternalLink):
                    outside.add(group.name + "/" + name)
                if not isinstance(link, h5py.HardLink):
                    continue
                held = group[name]
                if isinstance(held, h5py.Dataset) and (held.external or held.is_virtual):
                    outside.add(held.name)
                elif isinstance(held, h5py.Group):
                    place = h5py.h5o.get_info(held.id).addr
                    groups += [held] if place not in seen else []
                    seen.add(place)
        config = file.attrs.get("model_config")
    if not isinstance(config, (str, bytes)):
        raise UnreadableError("the file holds no configuration")
    return config.decode("utf-8") if isinstance(config, bytes) else config


def _once(pairs: List[Tuple[str, Any]]) -> Dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise UnreadableError("a key stands twice in the configuration")
    return found


def _of_object(found: Mapping[str, Any]) -> Iterator[Tuple[str, str]]:
    """What Keras may look up, open or run of one object in a configuration, as (kind, name)."""
    kind, module, config = found.get("class_name"), found.get("module"), found.get("config")
    module = module if isinstance(module, str) else ""
    registered = found.get("registered_name")
    if kind == "function":
        wanted = [config, None if registered == "function" else registered]
        yield from (("types", module + ":" + name) for name in wanted if isinstance(name, str) and name)
    elif kind == "__lambda__":
        yield "code", _digest(config)
    else:
        name = found.get("spec_name") if kind == "__typespec__" and found.get("spec_name") else kind
        if isinstance(name, str) and name:
            yield "types", module + ":" + name
        if isinstance(registered, str) and registered and registered != kind:
            yield "types", ":" + registered
    yield from _by_value(found)
    yield from _settings(found)
    yield from _operators(kind, config if isinstance(config, dict) else {})


def _by_value(found: Mapping[str, Any]) -> Iterator[Tuple[str, str]]:
    """Functions that Keras 2 wrote into a Lambda layer."""
    for what, scope in (("function", "module"), ("mask", "mask_module"), ("output_shape", "output_shape_module")):
        value, way = found.get(what), found.get(what + "_type")
        bare = what == "function" and isinstance(value, list) and len(value) > 2 and isinstance(value[0], str)
        if way == "lambda" or bare:
            yield "code", _digest(value)
            if isinstance(found.get(scope), str) and found[scope]:
                yield "types", found[scope] + ":"
        elif way == "function" and isinstance(value, str):
            yield "types", ":" + value


def _settings(found: Mapping[str, Any]) -> Iterator[Tuple[str, str]]:
    for key, value in found.items():
        if isinstance(value, str) and value:
            if key in _OPENED:
                yield "files", value
            elif key.endswith(_LOOKED_UP) or key in _LOOKED_UP_WHOLE:
                yield "types", ":" + value


def _operators(kind: Any, config: Mapping[str, Any]) -> Iterator[Tuple[str, str]]:
    if kind in ("TFOpLambda", "SlicingOpLambda"):
        yield "operators", "tensorflow." + str(config.get("function"))
    elif kind in ("InstanceProperty", "InstanceMethod"):
        yield "operators", "tensor." + str(config.get("attr_name"))
    elif kind == "ClassMethod":
        yield "operators", "tensor." + str(config.get("cls_symbol")) + "." + str(config.get("method_name"))
    elif kind == "TensorFlowOpLayer":
        yield "operators", _operation(config.get("node_def"))


def _operation(node: Any) -> str:
    """The operation that a layer adds to the graph, as TensorFlow reads it."""
    if isinstance(node, dict) and node.get("class_name") == "__bytes__":
        node = node.get("value")
    if isinstance(node, dict):
        return str(node.get("op"))
    if not isinstance(node, str):
        return ""
    import tensorflow as tf

    return str(tf.compat.v1.NodeDef.FromString(node.encode("utf-8")).op)


def _digest(code: Any) -> str:
    return hashlib.sha256(json.dumps(code, sort_keys=True).encode("utf-8")).hexdigest()
