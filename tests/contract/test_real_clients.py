"""Each contract is asked through its own client from PyPI, unchanged, and the answers are the models' own."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.contract import models
from tests.contract.served import ROOT, assemble, started

PYTHON = ROOT / ".venv-clients" / "bin" / "python"
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def ports(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, int]]:
    """Three services by name: a matrix, mixed columns, named tensors; as if Vertex AI had started each."""
    apps: dict[str, dict[str, Any]] = {
        "pair": {"model": b"x", "signatures": (models.PAIR,), "loader": models.PAIR_LOADER}
    }
    for name, make in (("iris", models.iris), ("houses", models.houses)):
        model, signatures, _ = make()
        apps[name] = {"model": models.pickled(model), "signatures": signatures}
    with ExitStack() as stack:
        found = {}
        for name, app in apps.items():
            version = "1.4.0" if name == "pair" else None
            folder = assemble(tmp_path_factory.mktemp(name) / "app", name=name, version=version, **app)
            env = {"AIP_PREDICT_ROUTE": f"/v1/projects/p/locations/l/endpoints/{name}:predict"}
            found[name] = stack.enter_context(started(folder, env=env)).port
        yield found


@pytest.fixture(scope="module")
def rows() -> dict[str, list[Any]]:
    """Rows for each of them; of the houses some lack the area."""
    houses = models.houses()[2].iloc[:40].dropna(subset=["city"])
    told = {
        "iris": models.iris()[2].iloc[::13].to_dict("records"),
        "houses": json.loads(houses.to_json(orient="records", double_precision=15)),
        "pair": models.pair_rows(),
    }
    assert any(row["area"] is None for row in told["houses"])
    return told


def asked(client: str, ports: dict[str, int], rows: dict[str, list[Any]], forms: dict[str, set[str]]) -> dict[str, Any]:
    """What the client got: for each model, in each of its forms, the model's own answers."""
    if not PYTHON.is_file():
        pytest.skip("the clients of others are not installed beside the project: `make clients`")
    # nothing of it asks anybody else: not for news, not for a container engine, not through a proxy
    env = {"PATH": os.defpath, "HOME": str(Path.home()), "DO_NOT_TRACK": "true", "MLFLOW_DISABLE_TELEMETRY": "true"}
    command = [str(PYTHON), "-W", "ignore", str(Path(__file__).with_name("ask_with.py")), client]
    told = json.dumps({"ports": ports, "rows": rows})
    done = subprocess.run(command, input=told, capture_output=True, text=True, check=False, env=env)
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    model, _, frame = models.houses()
    wanted = {
        "iris": models.iris()[0].predict(models.iris()[2].iloc[::13]).tolist(),
        "houses": pytest.approx(model.predict(frame.iloc[:40].dropna(subset=["city"])).tolist(), rel=1e-12),
        "pair": models.pair_answer(rows["pair"]),
    }
    for name, names in forms.items():
        assert set(found[name]) == names
        for form in names:
            assert found[name][form] == wanted[name], (name, form)
    return found


def probabilities() -> Any:
    model, _, frame = models.iris()
    return model.predict_proba(frame.iloc[::13]).tolist()


def test_mlflow(ports: dict[str, int], rows: Any) -> None:
    """`ScoringServerClient`: ready, version, arrays, frames, parameters, and a failure's text."""
    found = asked("mlflow", ports, rows, {"iris": {"array", "frame"}, "houses": {"frame"}, "pair": {"frame"}})
    assert found["version"] == "0.1.0"
    assert found["probabilities"] == probabilities()
    assert "error code 400" in found["refused"]
    assert "INVALID_PARAMETER_VALUE" in found["refused"]


def test_kserve(ports: dict[str, int], rows: Any) -> None:
    """`InferenceRESTClient`: readiness, V1, V2 as JSON and as bytes; it finds the text of each failure."""
    forms = {"iris": {"v1", "json", "bytes"}, "houses": {"v1"}, "pair": {"v1", "json", "bytes"}}
    found = asked("kserve", ports, rows, forms)
    assert found["ready"] == [True] * 5
    assert "HTTPStatusError: row 0: expected a list of 4 values" in found["refused"]
    assert "HTTPStatusError: :explain is not supported" in found["explain"]
    assert "400 Bad Request" in found["explain"]
    assert "404 Not Found" in found["unknown"]


def test_tensorflow_serving(ports: dict[str, int], rows: Any) -> None:
    """`ovmsclient`, the one client of TensorFlow Serving's REST contract: status, metadata, predict, failures in its classes."""
    found = asked("ovms", ports, rows, {"iris": {"version 0", "version 1"}, "pair": {"tensors"}})
    assert (found["states"], found["dtype"]) == ([{"1": "AVAILABLE"}] * 4, "DT_DOUBLE")
    assert "InvalidInputError" in found["refused"]
    assert "ModelNotFoundError" in found["unknown"]


def test_vertex(ports: dict[str, int], rows: Any) -> None:
    """`PredictionServiceClient`: instances and parameters as protocol buffers write them, whole numbers as doubles too."""
    found = asked("vertex", ports, rows, {"iris": {"instances"}, "houses": {"instances"}, "pair": {"instances"}})
    assert found["probabilities"] == probabilities()
    assert "BadRequest: 400" in found["refused"]
    assert "expected a list of 4 values" in found["refused"]


def test_sagemaker(ports: dict[str, int], rows: Any) -> None:
    """`LocalSagemakerRuntimeClient`: every media type, with gaps in CSV; a failure is the contract's."""
    found = asked("sagemaker", ports, rows, {"iris": {"json", "csv", "npy"}, "houses": {"csv"}, "pair": {"lines"}})
    assert json.loads(found["refused"])["error_code"] == "INVALID_PARAMETER_VALUE"
