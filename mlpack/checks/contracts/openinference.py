"""The Open Inference Protocol V2, with the binary tensor extension if the service advertises it."""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Iterator, Mapping
from math import prod
from typing import Any

from mlpack.checks.checklist import FailedCheckError
from mlpack.checks.contracts.base import CheckFunction, Contract, Session, json_of, refused, success
from mlpack.checks.contracts.subject import Subject

_PACK = {"INT8": "b", "INT16": "h", "INT32": "i", "INT64": "q", "UINT8": "B", "UINT16": "H", "UINT32": "I", "UINT64": "Q",
         "FP16": "e", "FP32": "f", "FP64": "d", "BOOL": "?"}  # fmt: skip


def _checks(subject: Subject) -> Iterator[tuple[str, CheckFunction]]:
    yield "v2_live", lambda session: success(session.client.get("/v2/health/live")).text[:80]
    yield "v2_ready", lambda session: success(session.client.get("/v2/health/ready")).text[:80]
    yield "v2_server_metadata", _server
    yield "v2_model_metadata", _model
    yield "v2_model_ready", lambda session: success(session.client.get(f"{_at(session)}/ready")).text[:80]
    yield "v2_infer", _infer
    yield "v2_id_echo", _id
    yield "v2_flat_and_nested", _nested
    yield "v2_outputs", _outputs
    yield "v2_binary", _binary
    if subject.version:
        yield (
            "v2_version",
            lambda session: str(_inferred(session, at=f"{_at(session)}/versions/{subject.version_path}"))[:80],
        )
    yield (
        "v2_unknown_version",
        lambda session: refused(session.client.get(f"{_at(session)}/versions/mlpack-no-such-version"), text="error"),
    )
    yield (
        "v2_unknown_model",
        lambda session: refused(
            session.client.post("/v2/models/mlpack-no-such-model/infer", _body(session)), text="error"
        ),
    )
    yield "v2_bad_json", lambda session: refused(session.client.post_raw(f"{_at(session)}/infer", b"{"), text="error")
    yield "v2_bad_input", _bad


CONTRACT = Contract(name="v2", ready="/v2/health/ready", checks=_checks, needs_name=True)


def _at(session: Session) -> str:
    return f"/v2/models/{session.subject.path}"


def _body(session: Session, **more: Any) -> dict[str, Any]:
    if not session.subject.tensors:
        raise FailedCheckError(
            "the input tensors are not known: neither the service's metadata nor --request FILE contains them"
        )
    return {"inputs": list(session.subject.tensors), **more}


def _inferred(session: Session, at: str = "", **more: Any) -> dict[str, Any]:
    """Send an inference request; return the answer after checks of its outputs."""
    answer = json_of(
        session.client.post(f"{at or _at(session)}/infer", _body(session, **more)), keys=("model_name", "outputs")
    )
    for output in answer["outputs"]:
        missing = [key for key in ("name", "datatype", "shape", "data") if key not in output]
        if missing:
            raise FailedCheckError(f"an output lacks {', '.join(missing)}: {str(output)[:200]}")
        if len(_flat(output["data"])) != prod(output["shape"]):
            raise FailedCheckError(
                f"output {output['name']}: {len(_flat(output['data']))} values in shape {output['shape']}"
            )
    found: dict[str, Any] = answer
    return found


def _server(session: Session) -> str:
    server = json_of(session.client.get("/v2"), keys=("name", "extensions"))
    return f"{server['name']} {server.get('version', '')}: {', '.join(map(str, server['extensions']))}"[:80]


def _model(session: Session) -> str:
    model = json_of(session.client.get(_at(session)), keys=("name", "inputs", "outputs"))
    for one in (*model["inputs"], *model["outputs"]):
        missing = [key for key in ("name", "datatype", "shape") if key not in one]
        if missing:
            raise FailedCheckError(f"a tensor lacks {', '.join(missing)}: {str(one)[:200]}")
    return ", ".join(f"{one['name']} {one['datatype']} {one['shape']}" for one in model["inputs"])[:80]


def _infer(session: Session) -> str:
    outputs = _inferred(session)["outputs"]
    first = outputs[0]
    rows, width = first["shape"][0], prod(first["shape"][1:])
    if len(outputs) == 1 and len(first["shape"]) <= 2 and rows == len(session.subject.rows):
        flat = [{"b64": value} if _is_base64(first) else value for value in _flat(first["data"])]
        one = len(first["shape"]) == 1
        session.record("v2", [flat[row] if one else flat[row * width : (row + 1) * width] for row in range(rows)])
    return ", ".join(f"{one['name']} {one['datatype']} {one['shape']}" for one in outputs)[:80]


def _id(session: Session) -> str:
    returned = _inferred(session, id="mlpack-1").get("id")
    if returned != "mlpack-1":
        raise FailedCheckError(f"id mlpack-1 was sent, the answer has {returned!r}")
    return "the answer has the same id"


def _nested(session: Session) -> str:
    flat = _inferred(session)["outputs"]
    inputs = [{**one, "data": _shaped(_flat(one["data"]), one["shape"])} for one in session.subject.tensors]
    answer = json_of(session.client.post(f"{_at(session)}/infer", {"inputs": inputs}), keys=("outputs",))
    if [_flat(one["data"]) for one in answer["outputs"]] != [_flat(one["data"]) for one in flat]:
        raise FailedCheckError(f"nested data gave {str(answer['outputs'])[:150]}, flat data {str(flat)[:150]}")
    return "the same answer"


def _outputs(session: Session) -> str:
    names = [one["name"] for one in _inferred(session)["outputs"]]
    chosen = [one["name"] for one in _inferred(session, outputs=[{"name": names[0]}])["outputs"]]
    if chosen != names[:1]:
        raise FailedCheckError(f"{names[0]} was requested, the answer has {', '.join(chosen)}")
    return f"only {names[0]}"


def _bad(session: Session) -> str:
    first, *others = _body(session)["inputs"]
    return refused(
        session.client.post(f"{_at(session)}/infer", {"inputs": [{**first, "shape": [*first["shape"], 3]}, *others]}),
        text="error",
    )


def _binary(session: Session) -> str:
    extensions = json_of(session.client.get("/v2"), keys=("extensions",))["extensions"]
    if "binary_tensor_data" not in extensions:
        return "not among the service's extensions"
    wanted = _inferred(session)["outputs"]
    heads, parts = [], []
    for one in session.subject.tensors:
        values = _flat(one["data"])
        if _is_base64(one):
            values = [base64.b64decode(value, validate=True) for value in values]
        data = _packed(values, one["datatype"])
        head = {key: value for key, value in one.items() if key != "data"}
        heads.append({**head, "parameters": {"binary_data_size": len(data)}})
        parts.append(data)
    header = json.dumps({"inputs": heads, "parameters": {"binary_data_output": True}}).encode()
    headers = {"Content-Type": "application/octet-stream", "Inference-Header-Content-Length": str(len(header))}
    answer = success(session.client.request("POST", f"{_at(session)}/infer", header + b"".join(parts), headers))
    length = answer.headers.get("inference-header-content-length", "")
    if not length.isdecimal():
        raise FailedCheckError("the answer has no Inference-Header-Content-Length")
    _compare(json.loads(answer.body[: int(length)])["outputs"], answer.body[int(length) :], wanted)
    return f"{len(answer.body) - int(length)} bytes, equal to the JSON answer"


def _compare(outputs: list[Mapping[str, Any]], data: bytes, wanted: list[Mapping[str, Any]]) -> None:
    place = 0
    for output, other in zip(outputs, wanted, strict=True):
        size = output.get("parameters", {}).get("binary_data_size")
        if not isinstance(size, int):
            raise FailedCheckError(f"output {output.get('name')} has no binary_data_size")
        found, values = data[place : place + size], _flat(other["data"])
        if _is_base64(other):
            values = [base64.b64decode(value, validate=True) for value in values]
        if None not in values and found != _packed(values, output["datatype"]):
            raise FailedCheckError(f"output {output['name']}: the bytes are not the values of the JSON answer")
        place += size
    if place != len(data):
        raise FailedCheckError(f"{len(data) - place} bytes belong to no output")


def _is_base64(output: Mapping[str, Any]) -> bool:
    """Whether the tensor's data are Base64, declared as MLServer does: the protocol has no form for non-UTF-8 bytes."""
    return bool((output.get("parameters") or {}).get("content_type") == "base64")


def _packed(values: list[Any], dtype: str) -> bytes:
    if dtype == "BYTES":
        texts = [value if isinstance(value, bytes) else str(value).encode() for value in values]
        return b"".join(struct.pack("<I", len(text)) + text for text in texts)
    if dtype not in _PACK:
        raise FailedCheckError(f"the datatype {dtype} is not in the specification")
    return struct.pack(f"<{len(values)}{_PACK[dtype]}", *values)


def _flat(data: Any) -> list[Any]:
    return [leaf for one in data for leaf in _flat(one)] if isinstance(data, list) else [data]


def _shaped(flat: list[Any], shape: list[int]) -> list[Any]:
    for size in reversed(shape[1:]):
        flat = [flat[start : start + size] for start in range(0, len(flat), max(size, 1))]
    return flat
