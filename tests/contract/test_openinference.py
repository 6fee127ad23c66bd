"""The Open Inference Protocol V2: Triton's own client unchanged, and what its specification says beyond that client."""

from __future__ import annotations

import json
import struct
from typing import Any

import numpy as np
import pandas as pd
import pytest
import tritonclient.http as triton
from tritonclient.utils import InferenceServerException

from tests.contract import models, scripted
from tests.contract.conftest import Serve
from tests.contract.served import Answer, Server
from tests.contract.triton import client_of, tensor

ROW = [5.1, 3.5, 1.4, 0.2]
INFER = "/v2/models/test/infer"


def asked(server: Server, inputs: Any, path: str = INFER, **more: Any) -> Answer:
    return server.request("POST", path, {"inputs": inputs, **more})


def entry(**changes: Any) -> dict[str, Any]:
    return {"name": "input", "shape": [1, 4], "datatype": "FP64", "data": ROW, **changes}


def test_the_clients_questions_about_server_and_model(pair: Server) -> None:
    """Liveness, readiness, metadata, configuration and the repository, as tritonclient asks for them."""
    client = client_of(pair)
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready("test")
    assert client.is_model_ready("test", "1.4.0")
    assert not client.is_model_ready("test", "2")
    assert not client.is_model_ready("other")
    assert "binary_tensor_data" in client.get_server_metadata()["extensions"]
    metadata = client.get_model_metadata("test")
    assert metadata["versions"] == ["1.4.0"]
    assert metadata["inputs"] == [
        {"name": "ids", "datatype": "INT64", "shape": [-1, 3]},
        {"name": "pixels", "datatype": "FP32", "shape": [-1, 2, 2]},
    ]
    assert [output["name"] for output in metadata["outputs"]] == ["scores", "label"]
    config = client.get_model_config("test")
    assert (config["max_batch_size"], config["input"][0]["dims"]) == (0, [-1, 3])
    assert client.get_model_repository_index() == [{"name": "test", "version": "1.4.0", "state": "READY", "reason": ""}]
    client.load_model("test")
    with pytest.raises(InferenceServerException, match="cannot be unloaded"):
        client.unload_model("test")
    with pytest.raises(InferenceServerException, match="no model"):
        client.load_model("other")
    client.close()


def test_outputs_are_chosen_and_binary_per_output(pair: Server) -> None:
    """Some outputs or all, bytes or JSON for each, in one answer; a binary input beside a JSON one."""
    row = models.pair_rows(1)[0]
    inputs = [
        tensor("ids", np.array([row["ids"]], dtype=np.int64), "INT64", binary=True),
        tensor("pixels", np.array([row["pixels"]], dtype=np.float32), "FP32", binary=False),
    ]
    wanted = models.pair_answer([row])[0]
    client = client_of(pair)
    both = client.infer(
        "test",
        inputs,
        model_version="1.4.0",
        outputs=[
            triton.InferRequestedOutput("label", binary_data=True),
            triton.InferRequestedOutput("scores", binary_data=False),
        ],
    )
    assert [output["name"] for output in both.get_response()["outputs"]] == ["label", "scores"]
    assert both.as_numpy("scores").tolist() == [wanted["scores"]]
    assert both.as_numpy("label")[0] == wanted["label"].encode()
    one = client.infer("test", inputs, outputs=[triton.InferRequestedOutput("label")])
    assert one.as_numpy("scores") is None
    everything = client.infer("test", inputs)  # without outputs the client asks for all of them as bytes
    assert everything.as_numpy("scores").dtype == np.float32
    client.close()


def test_narrower_numbers_are_widened_and_others_judged(pair: Server, iris: Server) -> None:
    """FP32 for an FP64 model is taken; FP16 and integers too; a number that does not fit is 400, as is another type."""
    for dtype, kind in (("FP32", np.float32), ("FP16", np.float16), ("INT32", np.int32), ("UINT8", np.uint8)):
        client = client_of(iris)
        array = np.array([ROW] * 3).astype(kind)
        result = client.infer("test", [tensor("input", array, dtype, binary=True)])
        frame = pd.DataFrame(array.astype(float), columns=list(models.IRIS_COLUMNS))
        assert result.as_numpy("predict").tolist() == models.iris()[0].predict(frame).tolist()
        client.close()
    ids = {"name": "ids", "shape": [1, 3], "datatype": "FP64", "data": [1, 2, 3]}
    pixels = {"name": "pixels", "shape": [1, 2, 2], "datatype": "FP32", "data": [1, 2, 3, 4]}
    assert asked(pair, [ids, pixels]).status == 200
    for bad in ({"data": [1.5, 2, 3]}, {"data": [1e300, 2, 3]}, {"datatype": "BOOL", "data": [True] * 3}):
        assert asked(pair, [{**ids, **bad}, pixels]).status == 400
    assert asked(pair, [ids, {**pixels, "datatype": "FP64", "data": [1e39, 1, 1, 1]}]).status == 400
    assert asked(pair, [ids, {**pixels, "datatype": "BYTES", "data": ["1"] * 4}]).status == 400


def test_nested_and_flat_data_are_the_same(iris: Server) -> None:
    """Row-major order, as one list or as lists in lists; anything else that holds as many values is refused."""
    flat = asked(iris, [entry(shape=[2, 4], data=ROW * 2)])
    nested = asked(iris, [entry(shape=[2, 4], data=[ROW, ROW])])
    assert flat.json()["outputs"] == nested.json()["outputs"]
    assert flat.json()["outputs"][0]["data"] == [0, 0]
    assert asked(iris, [entry(shape=[2, 4], data=[[1, 2]] * 4)]).status == 400


def test_the_id_comes_back(iris: Server) -> None:
    """Trap 8: where the request has an id the answer has the same; where it has none, none."""
    assert asked(iris, [entry()], id="a-1").json()["id"] == "a-1"
    assert "id" not in asked(iris, [entry()]).json()


def test_the_method_is_chosen_by_a_parameter(iris: Server) -> None:
    """`parameters.method` picks another signature, whose outputs answer; parameters of other servers are passed over."""
    answer = asked(iris, [entry()], parameters={"method": "predict_proba", "sequence_id": 7}).json()
    assert answer["outputs"][0]["name"] == "predict_proba"
    assert answer["outputs"][0]["shape"] == [1, 3]
    assert asked(iris, [entry()], parameters={"method": "nope"}).status == 400


BAD: list[tuple[str, Any]] = [
    ("no inputs", []),
    ("an object", {}),
    ("a number", [1]),
    ("no name", [{"shape": [1, 4], "datatype": "FP64", "data": ROW}]),
    ("no shape", [{"name": "input", "datatype": "FP64", "data": ROW}]),
    ("no data", [{"name": "input", "shape": [1, 4], "datatype": "FP64"}]),
    ("an unknown datatype", [entry(datatype="BF16")]),
    ("a datatype that is a list", [entry(datatype=[])]),
    ("a negative size", [entry(shape=[-1, 4])]),
    ("no rows", [entry(shape=[0, 4], data=[])]),
    ("no rows of huge width", [entry(shape=[0, 10**30], data=[])]),
    ("a huge shape", [entry(shape=[1, 10**30])]),
    ("many axes", [entry(shape=[1] * 40 + [4])]),
    ("a size that is true", [entry(shape=[True, 4])]),
    ("too few values", [entry(data=ROW[:3])]),
    ("a text among numbers", [entry(data=[*ROW[:3], "x"])]),
    ("too wide", [entry(shape=[1, 5], data=[*ROW, 1])]),
    ("one axis", [entry(shape=[4])]),
    ("no axis", [entry(shape=[], data=[1])]),
    ("the tensor twice", [entry(), entry()]),
    ("two tensors", [entry(), entry(name="more")]),
    ("bytes that are not there", [{**entry(parameters={"binary_data_size": 32}), "data": None}]),
    ("shared memory", [entry(parameters={"shared_memory_region": "x"})]),
    ("parameters that are a list", [entry(parameters=[1])]),
    ("booleans in a tensor of numbers", [entry(data=[True] * 4)]),
]


@pytest.mark.parametrize("inputs", [case[1] for case in BAD], ids=[case[0] for case in BAD])
def test_a_bad_tensor_is_400_in_the_contracts_form(iris: Server, inputs: Any) -> None:
    """Each is refused, with a text under "error" and nothing else."""
    answer = asked(iris, inputs)
    assert answer.status == 400
    assert set(answer.json()) == {"error"}
    assert isinstance(answer.json()["error"], str)


@pytest.mark.parametrize("flag", ["false", 0, None])
def test_a_flag_is_true_or_false(iris: Server, flag: Any) -> None:
    """The text "false" is not taken for true, for one output or for all."""
    for more in (
        {"outputs": [{"name": "predict", "parameters": {"binary_data": flag}}]},
        {"parameters": {"binary_data_output": flag}},
    ):
        answer = iris.request("POST", INFER, {"inputs": [entry()], **more})
        assert (answer.status, "must be true or false" in answer.json()["error"]) == (400, True)


def test_unknown_models_versions_outputs_and_paths(iris: Server) -> None:
    """Trap 10: an unknown version is 404, as is an unknown model; an unknown output is 400; all in the contract's form."""
    for path in ("/v2/models/x/infer", "/v2/models/test/versions/7/infer", "/v2/models/test/versions/abc/infer"):
        answer = asked(iris, [entry()], path)
        assert (answer.status, set(answer.json())) == (404, {"error"}), path
    for path in ("/v2/models/x", "/v2/models/test/versions/7", "/v2/models/test/versions/7/ready", "/v2/nothing"):
        answer = iris.request("GET", path)
        assert (answer.status, set(answer.json())) == (404, {"error"}), path
        assert isinstance(answer.json()["error"], str)
    assert asked(iris, [entry()], outputs=[{"name": "nope"}]).status == 400
    assert asked(iris, [entry()], "/v2/models/test/versions/1/infer").status == 200
    answer = iris.request("GET", INFER)
    assert (answer.status, answer.headers["allow"]) == (405, "POST")


def binary(parts: list[tuple[dict[str, Any], bytes]], **more: Any) -> tuple[bytes, dict[str, str]]:
    """A body of the binary extension by hand, and its headers."""
    inputs = [{**head, "parameters": {"binary_data_size": len(data)}} for head, data in parts]
    head = json.dumps({"inputs": inputs, **more}).encode()
    headers = {"Content-Type": "application/octet-stream", "Inference-Header-Content-Length": str(len(head))}
    return head + b"".join(data for _, data in parts), headers


def test_binary_by_hand(iris: Server) -> None:
    """Little-endian values after the JSON, and an answer in the same form where `binary_data_output` asks for it."""
    data = np.array([ROW, ROW], dtype="<f8").tobytes()
    head = {"name": "input", "shape": [2, 4], "datatype": "FP64"}
    body, headers = binary([(head, data)], parameters={"binary_data_output": True}, id="b")
    answer = iris.request("POST", INFER, body, headers=headers)
    length = int(answer.headers["inference-header-content-length"])
    told = json.loads(answer.body[:length])
    assert (answer.headers["content-type"], told["id"]) == ("application/octet-stream", "b")
    assert told["outputs"][0]["parameters"] == {"binary_data_size": 16}
    assert answer.body[length:] == np.array([0, 0], dtype="<i8").tobytes()


def test_binary_lies_are_400(iris: Server, spam: Server) -> None:
    """Sizes that do not fit the shape, the body or each other; a header length beyond the body; texts cut off."""
    data = np.array([ROW], dtype="<f8").tobytes()
    head = {"name": "input", "shape": [1, 4], "datatype": "FP64"}
    body, headers = binary([(head, data)])
    assert iris.request("POST", INFER, body, headers=headers).status == 200
    for wrong in (body[:-1], body + b"x", body[:-8]):
        assert iris.request("POST", INFER, wrong, headers=headers).status == 400
    for length in ("999999", "-1", "x", "1e3", "0", "9" * 5000, "٣"):
        bad = {**headers, "Inference-Header-Content-Length": length.encode().decode("latin-1")}
        assert iris.request("POST", INFER, body, headers=bad).status in (400, 431), length
    shorter, same = binary([({**head, "shape": [1, 3]}, data)])
    assert iris.request("POST", INFER, shorter, headers=same).status == 400
    text = {"name": "text", "shape": [2], "datatype": "BYTES"}
    for raw in (b"", b"\x01\0\0\0a", b"\xff\xff\xff\xff", b"\x01\0\0\0a\x05\0\0\0b", b"\x01\0\0\0a\x01\0\0\0bc"):
        body, headers = binary([(text, raw)])
        assert spam.request("POST", INFER, body, headers=headers).status == 400, raw
    good, headers = binary([(text, b"".join(struct.pack("<I", 3) + b"win" for _ in range(2)))])
    assert spam.request("POST", INFER, good, headers=headers).json()["outputs"][0]["data"] == ["spam", "spam"]


def test_rows_are_counted_before_they_are_read(iris: Server) -> None:
    """Trap 6: more than max_rows is 413, whatever the client says of batches."""
    assert asked(iris, [entry(shape=[51, 4], data=ROW * 51)]).status == 413
    assert asked(iris, [entry(shape=[50, 4], data=ROW * 50)]).status == 200


def test_nan_goes_in_and_comes_out(serve: Serve) -> None:
    """Trap 9: NaN and infinity in an answer are null in JSON and themselves in bytes; tokens and null go in."""
    server = serve(**scripted.APP)
    client = client_of(server)
    rows = np.array([[6, 1], [6, 1], [6, 1]], dtype=np.float64)
    for way in (True, False):
        asking = [triton.InferRequestedOutput("predict", binary_data=way)]
        found = client.infer("test", [tensor("input", rows, "FP64", binary=way)], outputs=asking).as_numpy("predict")
        wanted = [1.0, np.nan, np.inf if way else np.nan]
        np.testing.assert_array_equal(found.astype(float), wanted)
    client.close()
    plain = asked(server, [{"name": "input", "shape": [3, 2], "datatype": "FP64", "data": [6, 1] * 3}])
    assert plain.json()["outputs"][0]["data"] == [1.0, None, None]
    echoed = asked(server, [{"name": "input", "shape": [1, 2], "datatype": "FP64", "data": [0, None]}])
    assert echoed.json()["outputs"][0]["data"] == [None]


def test_a_large_binary_request_costs_no_lists(serve: Serve) -> None:
    """Three million values go in and out whole, and the server's memory holds a few copies of them, not of Python's floats."""
    server = serve(**scripted.APP, settings='max_rows=2000000, queue_rows=2000000, max_body="64MiB"')
    rows = np.zeros((1_500_000, 2))
    rows[:, 1] = np.arange(1_500_000)
    client = client_of(server)
    before = peak_mb(server)
    result = client.infer("test", [tensor("input", rows, "FP64", binary=True)])
    np.testing.assert_array_equal(result.as_numpy("predict"), rows[:, 1])
    client.close()
    size = rows.nbytes / 2**20
    assert peak_mb(server) - before < 6 * size  # as lists alone they would take 8 times as much


def peak_mb(server: Server) -> float:
    """The most memory that the process had, in MiB."""
    with open(f"/proc/{server.process.pid}/status", encoding="ascii") as file:  # noqa: PTH123 - a file of the kernel's
        line = next(line for line in file if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024
