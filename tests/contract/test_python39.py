"""The oldest Python that the runtime is written for, with the libraries of its time, held as hard as `mlpack test` holds."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import pytest
import uv

from mlpack.artifacts.model import Signature, TensorSpec
from mlpack.checks.conformance import ModelFacts, check_url
from mlpack.checks.contracts import CONTRACTS, contract
from tests.contract.served import ROOT, assemble

pytestmark = [pytest.mark.docker, pytest.mark.network, pytest.mark.slow]

IMAGE = "python:3.9-slim"
OF_ITS_TIME = ["numpy==1.20.3", "scikit-learn==0.24.2", "scipy<1.9", "pandas<1.5", "joblib<1.3"]
TRAIN = """
import json, pickle
import numpy as np, pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

rng = np.random.RandomState(0)
frame = pd.DataFrame({"area": rng.uniform(30, 200, 200), "rooms": rng.randint(1, 7, 200), "city": rng.choice(["Oslo", "Bergen"], 200)})
frame.loc[::17, "area"] = np.nan
frame.loc[::19, "city"] = np.nan
numbers = make_pipeline(SimpleImputer(), StandardScaler())
texts = make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder())
columns = ColumnTransformer([("n", numbers, ["area", "rooms"]), ("c", texts, ["city"])])
model = make_pipeline(columns, LinearRegression()).fit(frame, rng.normal(size=200))
with open("/out/model.pkl", "wb") as file:
    pickle.dump(model, file)
rows = json.loads(frame[:40].to_json(orient="records", double_precision=15))
with open("/out/rows.json", "w") as file:
    json.dump({"rows": rows, "wanted": model.predict(frame[:40]).tolist()}, file)
"""


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that a container's user can read, its parents included (pytest's own are closed)."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


def test_it_serves_on_python_3_9_with_libraries_of_2021(open_folder: Path) -> None:
    """All modules import, every contract gives the answers of the training container, SIGTERM to PID 1 ends it with 0."""
    subprocess.run([sys.executable, "-m", "tests.engine", "base", "3.9"], cwd=ROOT, check=True)
    packages, out = open_folder / "py", open_folder / "out"
    out.mkdir(mode=0o777)
    platform = ["--python-version", "3.9", "--python-platform", "x86_64-manylinux_2_28", "--only-binary", ":all:"]
    runtime = ROOT / "mlpack" / "runtime"
    requirements = [str(runtime / "requirements.txt"), str(runtime / "ensembles" / "requirements.txt")]
    command = [
        uv.find_uv_bin(),
        "pip",
        "install",
        "-q",
        *platform,
        "--target",
        str(packages),
        *(word for file in requirements for word in ("-r", file)),
        *OF_ITS_TIME,
    ]
    subprocess.run(command, check=True)
    engine = docker.from_env()
    try:
        libraries = {str(packages): {"bind": "/py", "mode": "ro"}}
        common: dict[str, Any] = {"environment": {"PYTHONPATH": "/py", "PORT": "9000"}}
        trained = {**libraries, str(out): {"bind": "/out", "mode": "rw"}}
        engine.containers.run(IMAGE, ["python3", "-c", TRAIN], remove=True, volumes=trained, **common)
        dtypes = {"area": "FP64", "rooms": "INT64", "city": "BYTES"}
        signature = Signature(
            name="predict",
            method="predict",
            inputs=tuple(TensorSpec(name=name, dtype=dtype, shape=(-1,)) for name, dtype in dtypes.items()),
            outputs=(TensorSpec(name="predict", dtype="FP64", shape=(-1,)),),
            layout="columns",
            columns=tuple(dtypes),
            categories={"city": ("Bergen", "Oslo")},
        )
        app = assemble(open_folder / "app", model=out / "model.pkl", signatures=(signature,))
        for path in (app, *app.rglob("*")):
            path.chmod(0o755)
        mounted = {**libraries, str(app): {"bind": "/app", "mode": "ro"}}
        imported = engine.containers.run(
            IMAGE, ["python3", "-m", "mlpack.runtime"], working_dir="/app", remove=True, volumes=mounted, **common
        )
        assert json.loads(imported)["python"].startswith("3.9.")
        held: dict[str, Any] = {
            "read_only": True, "tmpfs": {"/tmp": ""}, "user": "65532:65532", "cap_drop": ["ALL"], "mem_limit": "512m",
            "security_opt": ["no-new-privileges"], "nano_cpus": 10**9, "ports": {"9000/tcp": ("127.0.0.1", None)}, **common,
        }  # fmt: skip
        command = ["python3", "/app/serve.py", "serve"]
        container = engine.containers.run(IMAGE, command, detach=True, volumes=mounted, **held)
        try:
            _ask(container, json.loads((out / "rows.json").read_text()))
        finally:
            container.remove(force=True)
    finally:
        engine.close()


def _ask(container: Any, trained: dict[str, Any]) -> None:
    container.reload()
    url = f"http://127.0.0.1:{container.ports['9000/tcp'][0]['HostPort']}"
    end = time.monotonic() + 120
    while _get(f"{url}/ready") != 200:
        assert time.monotonic() < end, container.logs().decode()
        time.sleep(0.2)
    request = urllib.request.Request(
        f"{url}/predict", json.dumps({"instances": trained["rows"]}).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert json.load(answer) == {"predictions": pytest.approx(trained["wanted"], rel=1e-12)}
    report = check_url(url, [contract(name) for name in CONTRACTS], ModelFacts())
    assert [(check.name, check.detail) for check in report.checks if not check.ok] == []
    container.stop(timeout=60)
    assert container.wait()["StatusCode"] == 0
    assert all(json.loads(line)["severity"] for line in container.logs().decode().splitlines())


def _get(url: str) -> int:
    try:
        with urllib.request.urlopen(url, timeout=20) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code
    except OSError:
        return 0
