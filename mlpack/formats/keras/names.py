"""Every name in a Keras configuration that Keras may resolve, open or run: Named. The loader lists the same in its own way."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from mlpack.formats.keras.architecture import nodes
from mlpack.readers.encodings.protobuf import BYTES, fields
from mlpack.readers.limits import CutOffError

Kind = Literal[
    "class", "function", "text", "typespec", "registered", "scope", "symbol", "member", "operation", "file", "code"
]
# Settings whose text Keras looks up as a function or class, and those whose text it opens as a file.
_LOOKED_UP = ("activation", "initializer", "regularizer", "constraint", "quantizer")
_LOOKED_UP_WHOLE = frozenset({"standardize", "split", "loss", "fn"})
_OPENED = frozenset({"vocabulary", "vocabulary_file", "filepath"})
_FUNCTIONS = ("function", "mask", "output_shape")  # a Lambda layer's, which Keras 2 writes beside their types
_CALLS = ("TFOpLambda", "SlicingOpLambda")
_ATTRIBUTES = ("InstanceProperty", "InstanceMethod")


@dataclass(frozen=True, kw_only=True)
class Named:
    """One name: `scope` is a module whose names a Lambda layer sees, `code` a function by value, which is in `value`."""

    kind: Kind
    name: str
    module: str | None = None
    owner: str = ""  # the class of the object that holds it
    value: Any = None

    @property
    def reference(self) -> str:
        """The name as the card lists it."""
        if self.kind in ("symbol", "member", "operation", "file", "code"):
            return self.name
        return f"{self.module or ''}:{self.name}"


def names_in(document: Any) -> Iterator[Named]:
    """Every name in a configuration; raises ValueError when it is too large."""
    for node in nodes(document):
        yield from _objects(node)
        yield from _by_value(node)
        yield from _settings(node)
        yield from _tensorflow(node)


def listed(found: list[Named], files: tuple[str, ...] = ()) -> dict[str, tuple[str, ...]]:
    """The names by the kinds of the card's guard, and the `files` that are opened whatever the configuration says."""
    kinds: dict[str, set[str]] = {"types": set(), "operators": set(), "files": set(files), "code": set()}
    for one in found:
        operator = one.kind in ("symbol", "member", "operation")
        kind = "operators" if operator else {"file": "files", "code": "code"}.get(one.kind, "types")
        kinds[kind].add(one.reference)
    return {kind: tuple(sorted(names)) for kind, names in kinds.items() if names}


def _objects(node: Mapping[str, Any]) -> Iterator[Named]:
    kind, module, config = _text(node.get("class_name")), _text(node.get("module")), node.get("config")
    registered = _text(node.get("registered_name"))
    if kind == "function":
        # Some releases look for the registered name, others write the type's name there.
        wanted = (_text(config), None if registered == "function" else registered)
        for name in dict.fromkeys(name for name in wanted if name is not None):
            yield Named(kind="function", module=module, name=name)
        return
    if kind == "__lambda__":
        yield _code(config)
        return
    if kind == "__typespec__" and (spec := _text(node.get("spec_name"))) is not None:
        yield Named(kind="typespec", module=module, name=spec)
    elif kind is not None:
        yield Named(kind="class", module=module, name=kind, value=node)
    if registered is not None and registered != kind:
        yield Named(kind="registered", name=registered, value=node)


def _by_value(node: Mapping[str, Any]) -> Iterator[Named]:
    """Functions that Keras 2 wrote by value, and the modules whose names they see; functions that it wrote by name."""
    for what in _FUNCTIONS:
        value, kind = node.get(what), node.get(f"{what}_type")
        bare = what == "function" and isinstance(value, list) and len(value) > 2 and isinstance(value[0], str)
        if kind == "lambda" or bare:
            yield _code(value)
            scope = _text(node.get("module" if what == "function" else f"{what}_module"))
            if scope is not None:
                yield Named(kind="scope", module=scope, name="")
        elif kind == "function" and isinstance(value, str):
            yield Named(kind="text", name=value, owner="Lambda")


def _settings(node: Mapping[str, Any]) -> Iterator[Named]:
    """Texts that Keras looks up or opens, of the object and of its own configuration."""
    owner = _text(node.get("class_name")) or ""
    held = node.get("config")
    if owner and isinstance(held, Mapping):
        yield from _texts(held, owner)
    yield from _texts(node, "")


def _texts(config: Mapping[str, Any], owner: str) -> Iterator[Named]:
    for key, value in config.items():
        if not isinstance(value, str) or not value:
            continue
        if key in _OPENED:
            yield Named(kind="file", name=value, owner=owner)
        elif key.endswith(_LOOKED_UP) or key in _LOOKED_UP_WHOLE:
            yield Named(kind="text", name=value, owner=owner)


def _tensorflow(node: Mapping[str, Any]) -> Iterator[Named]:
    kind, held = node.get("class_name"), node.get("config")
    config: Mapping[str, Any] = held if isinstance(held, Mapping) else {}
    if kind in _CALLS:
        yield Named(kind="symbol", name=f"tensorflow.{config.get('function')}")
    elif kind in _ATTRIBUTES:
        yield Named(kind="member", name=f"tensor.{config.get('attr_name')}")
    elif kind == "ClassMethod":
        yield Named(kind="member", name=f"tensor.{config.get('cls_symbol')}.{config.get('method_name')}")
    elif kind == "TensorFlowOpLayer":
        yield from (Named(kind="operation", name=name) for name in _operations(config.get("node_def")))


def _operations(node: Any) -> list[str]:
    """The operation of a serialized NodeDef: its JSON, or its bytes as text. Raises ValueError, CutOffError."""
    if isinstance(node, Mapping) and node.get("class_name") == "__bytes__":
        node = node.get("value")
    if isinstance(node, Mapping):
        return [str(node.get("op"))]
    if not isinstance(node, str):
        return [""]
    try:
        data = node.encode()
    except UnicodeEncodeError as error:
        raise ValueError("an operation of its graph is no message") from error
    found = [one.text() for one in fields(data) if one.number == 2 and one.wire == BYTES]  # NodeDef.op
    if len(found) > 1:
        raise CutOffError("an operation of its graph has two names")
    return found or [""]


def _code(value: Any) -> Named:
    text = json.dumps(value, sort_keys=True)
    return Named(kind="code", name=hashlib.sha256(text.encode()).hexdigest(), value=value)


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None
