"""Asks running services through a client of others, and prints what it got as JSON: `python ask_with.py CLIENT < ports`.

It runs in the environment of `make clients`, and knows nothing of mlpack. stdin names the services' ports by model, and their rows.
"""

from __future__ import annotations

import asyncio
import io
import json
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import numpy as np
import pandas as pd

Asked = dict[str, Any]


def mlflow(ports: dict[str, int], rows: dict[str, Any]) -> Asked:
    """MLflow's ScoringServerClient: arrays, frames with gaps and columns in another order, lists in cells, parameters."""
    from mlflow.pyfunc.scoring_server.client import ScoringServerClient

    iris, houses, pair = (ScoringServerClient("127.0.0.1", ports[name]) for name in ("iris", "houses", "pair"))
    iris.wait_server_ready(timeout=60)
    flowers = pd.DataFrame(rows["iris"])
    return {
        "version": iris.get_version(),
        "iris": {
            "array": iris.invoke(flowers.to_numpy()).get_predictions("ndarray").tolist(),
            "frame": iris.invoke(flowers[flowers.columns[::-1]]).get_predictions()[0].tolist(),
        },
        "houses": {"frame": houses.invoke(pd.DataFrame(rows["houses"])).get_predictions("ndarray").tolist()},
        "pair": {"frame": pair.invoke(pd.DataFrame(rows["pair"]))["predictions"]},
        "probabilities": iris.invoke(flowers, params={"method": "predict_proba"}).get_predictions().to_numpy().tolist(),
        "refused": _refused(lambda: iris.invoke(flowers.to_numpy()[:, :3])),
    }


def kserve(ports: dict[str, int], rows: dict[str, Any]) -> Asked:
    """KServe's InferenceRESTClient: V1, and V2 as JSON and as bytes both ways."""
    from kserve import InferenceRESTClient, InferInput, InferRequest, RESTConfig

    url = {name: f"http://127.0.0.1:{port}" for name, port in ports.items()}
    flowers = pd.DataFrame(rows["iris"]).to_numpy()

    def request(name: str, tensors: dict[str, Any], *, binary: bool) -> Any:
        inputs = []
        for tensor, (array, dtype) in tensors.items():
            inputs.append(InferInput(tensor, list(array.shape), dtype))
            inputs[-1].set_data_from_numpy(array, binary_data=binary)
        return InferRequest(name, inputs, request_id="r-1", parameters={"binary_data_output": binary})

    async def asked() -> Asked:
        v1, v2 = (InferenceRESTClient(RESTConfig(protocol=version)) for version in ("v1", "v2"))

        async def infer(name: str, tensors: dict[str, Any], *, binary: bool) -> dict[str, Any]:
            answer = await v2.infer(url[name], request(name, tensors, binary=binary), model_name=name)
            assert answer.id == "r-1", answer.id
            return {one.name: _plain(one.as_numpy()) for one in answer.outputs}

        async def rows_of(name: str) -> list[Any]:
            return list((await v1.infer(url[name], {"instances": rows[name]}, model_name=name))["predictions"])

        pair = {"ids": (np.array([row["ids"] for row in rows["pair"]]), "INT64"),
                "pixels": (np.array([row["pixels"] for row in rows["pair"]], np.float32), "FP32")}  # fmt: skip
        iris = {"input": (flowers, "FP64")}
        found: Asked = {
            "ready": [
                await v1.is_model_ready(url["iris"], "iris"),
                await v2.is_server_ready(url["iris"]),
                await v2.is_server_live(url["iris"]),
                await v2.is_model_ready(url["iris"], "iris"),
                not await v2.is_model_ready(url["iris"], "nobody"),
            ],
            "iris": {"v1": await rows_of("iris")},
            "houses": {"v1": await rows_of("houses")},
            "pair": {"v1": await rows_of("pair")},
            "refused": await _refused_later(v1.infer(url["iris"], {"instances": [[1]]}, model_name="iris")),
            "explain": await _refused_later(v1.explain(url["iris"], "iris", {"instances": rows["iris"]})),
            "unknown": await _refused_later(v1.is_model_ready(url["iris"], "nobody")),
        }
        for how, binary in (("json", False), ("bytes", True)):
            found["iris"][how] = (await infer("iris", iris, binary=binary))["predict"]
            outputs = await infer("pair", pair, binary=binary)
            found["pair"][how] = [
                dict(zip(outputs, values, strict=True)) for values in zip(*outputs.values(), strict=True)
            ]
        return found

    return asyncio.run(asked())


def ovms(ports: dict[str, int], rows: dict[str, Any]) -> Asked:
    """OpenVINO's client of TensorFlow Serving's REST contract, with a version and with its default, which is 0."""
    from ovmsclient import make_http_client

    iris, pair = (make_http_client(f"127.0.0.1:{ports[name]}") for name in ("iris", "pair"))
    flowers = pd.DataFrame(rows["iris"]).to_numpy()
    tensors = {name: np.array([row[name] for row in rows["pair"]]) for name in ("ids", "pixels")}
    outputs = {name: _plain(array) for name, array in pair.predict(tensors, "pair").items()}
    spec = iris.get_model_metadata("iris")["metadata"]["signature_def"]["signature_def"]["serving_default"]
    return {
        "iris": {f"version {n}": _plain(iris.predict({"input": flowers}, "iris", n)) for n in (0, 1)},
        "pair": {
            "tensors": [dict(zip(outputs, values, strict=True)) for values in zip(*outputs.values(), strict=True)]
        },
        "states": [
            {n: told["state"] for n, told in client.get_model_status(name, asked).items()}
            for name, client in (("iris", iris), ("pair", pair))
            for asked in (0, 1)
        ],
        "dtype": spec["inputs"]["input"]["dtype"],
        "refused": _refused(lambda: iris.predict({"input": flowers[:, :3]}, "iris")),
        "unknown": _refused(lambda: iris.get_model_status("iris", 9)),
    }


def vertex(ports: dict[str, int], rows: dict[str, Any]) -> Asked:
    """Google's PredictionServiceClient over REST, at the path that its API has: every number is a double on its wire."""
    from google.auth.credentials import AnonymousCredentials
    from google.cloud.aiplatform_v1 import PredictionServiceClient
    from google.protobuf.json_format import ParseDict
    from google.protobuf.struct_pb2 import Value

    def asked(name: str, given: list[Any] | None = None, **more: Any) -> list[Any]:
        client = PredictionServiceClient(
            credentials=AnonymousCredentials(),  # type: ignore[no-untyped-call]
            transport="rest",
            client_options={"api_endpoint": f"http://127.0.0.1:{ports[name]}"},
        )
        told = {key: ParseDict(value, Value()) for key, value in more.items()}
        instances = [ParseDict(row, Value()) for row in given or rows[name]]
        answer = client.predict(endpoint=f"projects/p/locations/l/endpoints/{name}", instances=instances, **told)
        return list(type(answer).to_dict(answer)["predictions"])

    return {
        **{name: {"instances": asked(name)} for name in ("iris", "houses", "pair")},
        "probabilities": asked("iris", parameters={"method": "predict_proba"}),
        "refused": _refused(lambda: asked("iris", [[1]])),
    }


def sagemaker(ports: dict[str, int], rows: dict[str, Any]) -> Asked:
    """The runtime client of SageMaker's local mode: JSON, CSV, JSON Lines and npy."""
    from sagemaker.core.local import local_session

    local_session.get_docker_host = lambda: "127.0.0.1"  # it would ask a `docker` program where the container is

    def asked(name: str, body: Any, kind: str, accept: str | None = None) -> bytes:
        client = local_session.LocalSagemakerRuntimeClient({"local": {"serving_port": ports[name]}})
        return bytes(client.invoke_endpoint(body, name, ContentType=kind, Accept=accept)["Body"].read())

    frames = {name: pd.DataFrame(rows[name]) for name in ("iris", "houses")}
    npy, lines = io.BytesIO(), "application/jsonlines"
    np.save(npy, frames["iris"].to_numpy())
    return {
        "iris": {
            "json": json.loads(asked("iris", json.dumps({"instances": rows["iris"]}), "application/json"))[
                "predictions"
            ],
            "csv": [
                int(one) for one in asked("iris", frames["iris"].to_csv(index=False), "text/csv", "text/csv").split()
            ],
            "npy": np.load(
                io.BytesIO(asked("iris", npy.getvalue(), "application/x-npy", "application/x-npy"))
            ).tolist(),
        },
        "houses": {"csv": json.loads(asked("houses", frames["houses"].to_csv(index=False), "text/csv"))["predictions"]},
        "pair": {
            "lines": [
                json.loads(one)
                for one in asked("pair", "\n".join(map(json.dumps, rows["pair"])), lines, lines).splitlines()
            ]
        },
        "refused": asked("iris", "1,2\n", "text/csv").decode(),
    }


def _plain(array: Any) -> list[Any]:
    """The values, texts as str."""
    return [one.decode() if isinstance(one, bytes) else one for one in array.tolist()]


def _refused(call: Callable[[], Any]) -> str:
    """The type and text of what the client raises."""
    try:
        call()
    except Exception as error:  # noqa: BLE001 - which one is the answer
        return f"{type(error).__name__}: {error}"
    raise SystemExit("this should have been refused")


async def _refused_later(call: Awaitable[Any]) -> str:
    try:
        await call
    except Exception as error:  # noqa: BLE001 - which one is the answer
        return f"{type(error).__name__}: {error}"
    raise SystemExit("this should have been refused")


CLIENTS = {one.__name__: one for one in (mlflow, kserve, ovms, vertex, sagemaker)}

if __name__ == "__main__":
    print(json.dumps(CLIENTS[sys.argv[1]](**json.load(sys.stdin))))
