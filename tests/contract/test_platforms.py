"""What the platforms demand around the contracts: routes named by variables, words after the entrypoint, health without auth."""

from __future__ import annotations

import ast
from typing import Any

import pytest

from tests.contract import models, scripted
from tests.contract.conftest import Serve
from tests.contract.served import ROOT, Server
from tests.ports import free_port

ROW = [5.1, 3.5, 1.4, 0.2]


@pytest.fixture(scope="module")
def app() -> dict[str, Any]:
    model, signatures, _ = models.iris()
    return {"model": models.pickled(model), "signatures": signatures, "name": "iris"}


@pytest.mark.parametrize(
    ("predict", "body", "key"),
    [
        ("/predict", {"features": ROW}, "predictions"),
        ("/v1/models/iris:predict", {"inputs": [ROW]}, "outputs"),
        (
            "/v1/models/iris:ask",
            {"features": ROW},
            "predictions",
        ),  # a verb that is refused where Vertex does not name it
        ("/invocations", {"dataframe_split": {"data": [ROW]}}, "predictions"),
        (
            "/v2/models/iris/infer",
            {"inputs": [{"name": "x", "shape": [1, 4], "datatype": "FP32", "data": ROW}]},
            "outputs",
        ),
    ],
)
def test_vertex_on_a_route_that_exists(serve: Serve, app: Any, predict: str, body: Any, key: str) -> None:
    """Trap 2: AIP_PREDICT_ROUTE that is a route already stays that route, which answers its own bodies as before."""
    server = serve(**app, env={"AIP_PREDICT_ROUTE": predict, "AIP_HEALTH_ROUTE": "/ping"})
    answer = server.request("POST", predict, body)
    assert answer.status == 200
    assert key in answer.json()
    assert server.request("GET", "/ping").status == 200
    assert server.predict({"instances": [ROW], "parameters": {"confidence": 0.5}}).json() == {"predictions": [0]}


@pytest.mark.parametrize("predict", ["/v1/models/other:predict", "/v2/models/other/infer", "/predictions/other"])
def test_vertex_on_a_route_of_another_name(serve: Serve, predict: str) -> None:
    """AIP_PREDICT_ROUTE that names another model, as examples copied from elsewhere do, is answered like /predict."""
    server = serve(**scripted.APP, name="iris", env={"AIP_PREDICT_ROUTE": predict})
    assert server.request("POST", predict, {"instances": [[0, 1]]}).json() == {"predictions": [1.0]}
    assert server.request("POST", predict.replace("other", "third"), {"instances": [[0, 1]]}).status == 404
    assert server.request("POST", predict.replace("other", "iris"), {}).status == 400


def test_vertex_health_means_ready_wherever_it_is(serve: Serve) -> None:
    """AIP_HEALTH_ROUTE is 503 while the model loads, also where another route would answer 200 at once."""
    slow = {**scripted.APP, "options": {"load_until": "loaded"}}
    for path in ("/", "/livez", "/v1/models"):
        server = serve(**slow, env={"AIP_HEALTH_ROUTE": path, "AIP_PREDICT_ROUTE": path}, ready=False)
        server.until(path, 503)
        (server.folder / "loaded").touch()
        server.until(path, 200)
        assert server.request("POST", path, {"instances": [[0, 1]]}).json() == {"predictions": [1.0]}
        server.stop()


def test_vertex_without_routes_has_those_of_its_documentation(serve: Serve, app: Any) -> None:
    """Where only the endpoint and the deployed model are named, their paths are those that Vertex asks; the port is AIP's."""
    port = free_port()
    env = {"AIP_MODE": "PREDICTION", "AIP_ENDPOINT_ID": "12", "AIP_DEPLOYED_MODEL_ID": "34", "AIP_HTTP_PORT": str(port)}
    server = serve(**app, env=env, ready=False)
    server.port = port
    server.until("/v1/endpoints/12/deployedModels/34", 200)
    answer = server.request("POST", "/v1/endpoints/12/deployedModels/34:predict", {"instances": [ROW]})
    assert answer.json() == {"predictions": [0]}
    assert server.request("GET", "/nothing").status == 404


@pytest.mark.parametrize("route", ["/a?b", "a{b}", "/å", "/a b"])
def test_a_vertex_route_that_is_none_ends_the_start(serve: Serve, app: Any, route: str) -> None:
    """What is no path is told at once, with exit 2, and not served somewhere else."""
    server = serve(**app, env={"AIP_PREDICT_ROUTE": route}, ready=False)
    assert server.ended() == 2
    assert "AIP_PREDICT_ROUTE" in server.text()


def test_sagemakers_start(serve: Serve, app: Any) -> None:
    """Trap 1: the word `serve` after the entrypoint, and SAGEMAKER_BIND_TO_PORT before every other port."""
    port = free_port()
    env = {"SAGEMAKER_BIND_TO_PORT": str(port), "AIP_HTTP_PORT": "1", "PORT": "2"}
    server = serve(**app, env=env, argv=("serve",), ready=False)
    server.port = port
    server.until("/ping", 200)
    assert server.request("POST", "/invocations", [ROW]).json() == {"predictions": [0]}


def test_health_routes_ask_for_no_login(iris: Server) -> None:
    """Trap 11: with a wrong login, or none, each probe answers; trap 3: what Cloud Run asks is /ready, not /healthz alone."""
    for path in ("/livez", "/ready", "/readyz", "/healthz", "/health", "/ping", "/v2/health/ready", "/v2/health/live"):
        assert iris.request("GET", path).status == 200, path
        assert iris.request("GET", path, headers={"Authorization": "Basic eDp5"}).status == 200, path


def test_readiness_does_not_flip_while_the_model_is_asked_to_load(iris: Server) -> None:
    """Trap 5: load, and loads of models that are not there, leave every readiness route at 200."""
    for model in ("test", "other"):
        iris.request("POST", f"/v2/repository/models/{model}/load", {})
        iris.request("POST", f"/v2/repository/models/{model}/unload", {})
        assert iris.request("GET", "/ready").status == 200
    assert iris.request("POST", "/v2/repository/index", b"").json()[0]["state"] == "READY"


def test_nothing_is_installed_or_started_when_the_service_starts() -> None:
    """Trap 13: the runtime and the loaders run no program and know no installer: what is needed is in the image."""
    forbidden = {"subprocess", "pip", "ensurepip", "venv", "urllib", "requests", "uv"}
    files = [*(ROOT / "mlpack" / "runtime").rglob("*.py"), *(ROOT / "mlpack" / "formats").glob("*/loader.py")]
    files += (ROOT / "mlpack" / "formats").glob("*/loader/**/*.py")
    assert len(files) > 30
    for path in files:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) and node.level == 0 else []
            found = {name.partition(".")[0] for name in names} & forbidden
            assert found <= {"urllib"}, path
            assert "urllib.request" not in names, path


def test_azure(iris: Server, houses: Server) -> None:
    """/score takes rows or a table, under either key, and answers the bare list; its mistakes are told in our own form."""
    assert iris.request("POST", "/score", {"data": [ROW, ROW]}).json() == [0, 0]
    assert iris.request("POST", "/score", {"input_data": [ROW]}).json() == [0]
    table = {"columns": ["city", "area", "rooms", "garden"], "index": [7], "data": [["Oslo", 50, 2, True]]}
    wanted = houses.predict({"instances": [{"area": 50, "rooms": 2, "city": "Oslo", "garden": True}]}).json()
    assert houses.request("POST", "/score", {"input_data": table}).json() == wanted["predictions"]
    for body in ({}, {"data": [ROW], "input_data": [ROW]}, [ROW], {"data": [[1]]}, {"data": [ROW], "x": 1}):
        answer = iris.request("POST", "/score", body)
        assert (answer.status, answer.code) == (400, "bad_input"), body


def test_torchserve(iris: Server) -> None:
    """/predictions/{model} answers as /predict does; its mistakes are told in TorchServe's form."""
    for path in ("/predictions/test", "/predictions/test/1"):
        assert iris.request("POST", path, {"instances": [ROW]}).json() == {"predictions": [0]}
    for path, kind in (
        ("/predictions/x", "ModelNotFoundException"),
        ("/predictions/test/9", "ModelVersionNotFoundException"),
    ):
        answer = iris.request("POST", path, {"instances": [ROW]})
        assert (answer.status, answer.json()["type"], answer.json()["code"]) == (404, kind, 404)
    refused = iris.request("POST", "/predictions/test", {"instances": [[1]]})
    assert (refused.status, refused.json()["type"]) == (400, "BadRequestException")
