"""Bytes that are no text come back whole through every contract, each in its own words."""

from __future__ import annotations

import base64
import csv
import io
import json
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlpack.artifacts.model import Signature, TensorSpec
from tests.contract.served import Answer, Server, assemble, started

LOADER = """
import numpy as np


def load(path, options, guard):
    return None


def predict(model, signature, inputs):
    blobs = inputs["blob"]
    if signature.name == "sizes":
        return {"size_bytes": np.array([len(blob) for blob in blobs])}
    return {signature.outputs[0].name: np.array([blob or None for blob in blobs], dtype=object)}
"""
BLOB = TensorSpec(name="blob", dtype="BYTES", shape=(-1,))


def signature(name: str, output: str, dtype: str = "BYTES") -> Signature:
    spec = TensorSpec(name=output, dtype=dtype, shape=(-1,))
    return Signature(name=name, method=name, inputs=(BLOB,), outputs=(spec,), layout="tensors")


SIGNATURES = (signature("echo", "echo"), signature("images", "image_bytes"), signature("sizes", "size_bytes", "INT64"))
PNG = b"\x89PNG\r\n\x1a\n\x00\xff"
B64 = base64.b64encode(PNG).decode()
SENT = [{"b64": B64}, "Å"]
BOTH = [PNG, "Å".encode()]
INFER, PREDICT = "/v2/models/test/infer", "/v1/models/test:predict"


@pytest.fixture(scope="module")
def blobs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A model that answers the bytes that it is given."""
    folder = assemble(tmp_path_factory.mktemp("blobs") / "app", model=b"x", signatures=SIGNATURES, loader=LOADER)
    with started(folder) as server:
        yield server


def inferred(server: Server, data: list[Any] | bytes, **more: Any) -> Answer:
    """The answer of V2, asked in JSON or in bytes."""
    entry: dict[str, Any] = {"name": "blob", "datatype": "BYTES", "shape": [len(BOTH)]}
    if isinstance(data, list):
        return server.request("POST", INFER, {"inputs": [{**entry, "data": data}], **more})
    head = json.dumps({"inputs": [{**entry, "parameters": {"binary_data_size": len(data)}}], **more}).encode()
    headers = {
        "Content-Type": "application/octet-stream",
        "Inference-Header-Content-Length": str(len(head)),
    }
    return server.request("POST", INFER, head + data, headers)


def packed(values: list[bytes]) -> bytes:
    return b"".join(struct.pack("<I", len(value)) + value for value in values)


def test_tensorflow_serving(blobs: Server) -> None:
    """What is no UTF-8 is `{"b64": ...}`, and so is everything in an output that says so by its name; numbers stay numbers."""
    assert blobs.request("POST", PREDICT, {"instances": SENT}).json() == {"predictions": SENT}
    assert blobs.request("POST", PREDICT, {"inputs": SENT}).json() == {"outputs": SENT}
    texts = {"signature_name": "images", "instances": [*SENT, ""]}
    wanted = [*({"b64": base64.b64encode(one).decode()} for one in BOTH), None]
    assert blobs.request("POST", PREDICT, texts).json() == {"predictions": wanted}
    sizes = {"signature_name": "sizes", "instances": ["abc", ""]}
    assert blobs.request("POST", PREDICT, sizes).json() == {"predictions": [3, 0]}


def test_open_inference_in_bytes(blobs: Server) -> None:
    """Raw bytes behind their length, in and out."""
    answer = inferred(blobs, packed(BOTH), parameters={"binary_data_output": True})
    length = int(answer.headers["inference-header-content-length"])
    (output,) = json.loads(answer.body[:length])["outputs"]
    assert output["parameters"] == {"binary_data_size": len(packed(BOTH))}
    assert answer.body[length:] == packed(BOTH)


def test_open_inference_in_json(blobs: Server) -> None:
    """Texts, where all are; else Base64 throughout, under MLServer's word for it, which is read as well."""
    (output,) = inferred(blobs, packed(BOTH)).json()["outputs"]
    assert output["parameters"] == {"content_type": "base64"}
    assert [base64.b64decode(one) for one in output["data"]] == BOTH
    entry = {**output, "name": "blob", "shape": [2]}
    assert blobs.request("POST", INFER, {"inputs": [entry]}).json()["outputs"] == [output]
    (plain,) = inferred(blobs, ["a", "Å"]).json()["outputs"]
    assert (plain["data"], plain.get("parameters")) == (["a", "Å"], None)
    refused = blobs.request("POST", INFER, {"inputs": [{**entry, "data": ["%%", "YQ=="]}]})
    assert (refused.status, refused.json()["error"]) == (400, 'tensor "blob": "%%" is not Base64')


@pytest.mark.parametrize(
    ("path", "form", "key"),
    [
        ("/predict", "instances", "predictions"),
        ("/predictions/test", "instances", "predictions"),
        ("/invocations", "instances", "predictions"),
        ("/score", "data", None),
    ],
)
def test_the_other_forms_of_json(blobs: Server, path: str, form: str, key: str | None, raw: Server) -> None:
    """`{"b64": ...}` as well: no byte is lost, whoever asks."""
    answer = raw.request("POST", path, {form: [[0, 0]]}).json()
    assert (answer if key is None else answer[key]) == [{"b64": B64}]
    answer = blobs.request("POST", path, {form: ["Å"]}).json()
    assert (answer if key is None else answer[key]) == ["Å"]


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A model that makes bytes of numbers; they end with a NUL where the second is 1."""
    loader = f"""
import numpy as np

def load(path, options, guard):
    return None

def predict(model, signature, inputs):
    return {{"image": np.array([{PNG!r} + bytes(int(row[1])) for row in inputs["input"]], dtype=object)}}
"""
    numbers = TensorSpec(name="input", dtype="FP64", shape=(-1, 2))
    image = TensorSpec(name="image", dtype="BYTES", shape=(-1,))
    told = Signature(name="predict", method="predict", inputs=(numbers,), outputs=(image,), layout="matrix")
    folder = assemble(tmp_path_factory.mktemp("raw") / "app", model=b"x", signatures=(told,), loader=loader)
    with started(folder) as server:
        yield server


def test_every_contract_agrees_about_them(blobs: Server, raw: Server, tmp_path: Path) -> None:
    """`mlpack test --contract` finds the same bytes in V2's Base64, in its bytes and in `{"b64": ...}`."""
    request = tmp_path / "request.json"
    request.write_text(json.dumps({"instances": ["a", "Å"]}))
    names = "v2,tfs,kserve,vertex,sagemaker,mlflow,azure,torchserve"
    for server, words in ((raw, []), (blobs, ["--request", str(request)])):
        command = [
            sys.executable,
            "-m",
            "mlpack",
            "test",
            f"http://127.0.0.1:{server.port}",
            "--contract",
            names,
            "--json",
        ]
        done = subprocess.run([*command, *words], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "contracts_agree" in {check["name"] for check in json.loads(done.stdout)["checks"]}


def test_sagemakers_types(raw: Server) -> None:
    """JSON Lines and CSV say `{"b64": ...}`; .npy holds the bytes, and is refused where it would lose some."""

    def asked(accept: str, row: list[int]) -> Answer:
        return raw.request("POST", "/invocations", {"instances": [row]}, {"Accept": accept})

    assert json.loads(asked("application/jsonlines", [0, 0]).body) == {"b64": B64}
    ((cell,),) = csv.reader(io.StringIO(asked("text/csv", [0, 0]).body.decode()))
    assert json.loads(cell) == {"b64": B64}
    assert np.load(io.BytesIO(asked("application/x-npy", [0, 0]).body)).tolist() == [PNG]
    refused = asked("application/x-npy", [0, 1])
    assert (refused.status, refused.json()["error_code"]) == (406, "BAD_REQUEST")
