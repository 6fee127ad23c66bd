"""onnx, and so protobuf's own reader: the operators, functions and data files of a model."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.fuzz.loaders.groups import Loader


def loaders() -> dict[str, Loader]:
    """`onnx` gives operators and functions as [domain, name], and the places of tensors that lie in other files."""
    import onnx

    def read(path: str, request: dict[str, Any]) -> dict[str, Any]:  # noqa: ARG001 - a loader's interface
        with open(path, "rb") as file:  # noqa: PTH123 - as a loader does
            model = onnx.load_model_from_string(file.read())
        operators: set[tuple[str, str]] = set()
        external: set[str] = set()
        for message in _messages(model):
            if isinstance(message, onnx.NodeProto):
                operators.add((_text(message.domain), _text(message.op_type)))
            elif isinstance(message, onnx.TensorProto) and message.data_location == onnx.TensorProto.EXTERNAL:
                external |= {_text(one.value) for one in message.external_data if one.key == "location"}
        functions = {(_text(one.domain), _text(one.name)) for one in model.functions}
        graph = model.HasField("graph")
        return {
            "operators": sorted(operators),
            "functions": sorted(functions),
            "external": sorted(external),
            "graph": graph,
        }

    return {"onnx": read}


def _messages(message: Any) -> Iterator[Any]:
    """The message, and all that lie in it."""
    waiting = [message]
    while waiting:
        one = waiting.pop()
        yield one
        for field, value in one.ListFields():
            if field.message_type is not None:
                waiting += list(value) if field.is_repeated else [value]


def _text(value: str | bytes) -> str:
    """A text, which is bytes where it is no UTF-8 (onnx.proto is of protobuf's second version)."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value
