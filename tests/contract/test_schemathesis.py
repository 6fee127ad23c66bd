"""The OpenAPI document is exact: schemathesis makes requests of it, right and wrong ones, and the answers are as it says."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from mlpack.artifacts.model import Signature, TensorSpec
from tests.contract.conftest import Serve
from tests.contract.served import ROOT

pytestmark = pytest.mark.slow

PROGRAM = ROOT / ".venv-clients" / "bin" / "schemathesis"
LOADER = """
import numpy as np


def load(path, options, guard):
    return None


def predict(model, signature, inputs):
    rows = len(next(iter(inputs.values())))
    return {"answer": np.arange(rows)}
"""
CONFIG = """
[checks.negative_data_rejection]
expected-statuses = [400, 401, 403, 404, 405, 406, 411, 413, 415, 422, 429, "5xx"]
"""


def signature(layout: str, *inputs: TensorSpec, columns: tuple[str, ...] = ()) -> Signature:
    """Two methods would be one signature too many: `method` has a test of its own."""
    return Signature(
        name="predict",
        method="predict",
        inputs=inputs,
        outputs=(TensorSpec(name="answer", dtype="INT64", shape=(-1,)),),
        layout=layout,  # type: ignore[arg-type]  # one of the three words
        columns=columns,
    )


TABLE = signature(
    "columns",
    TensorSpec(name="city", dtype="BYTES", shape=(-1,)),
    TensorSpec(name="area", dtype="FP64", shape=(-1,)),
    TensorSpec(name="rooms", dtype="INT32", shape=(-1,)),
)
MATRIX = signature("matrix", TensorSpec(name="input", dtype="FP32", shape=(-1, 3)), columns=("a", "b", "c"))
TENSORS = signature(
    "tensors",
    TensorSpec(name="ids", dtype="INT64", shape=(-1, 3)),
    TensorSpec(name="scale", dtype="FP16", shape=(-1, 2)),
)
APPS = {
    "table": {"model": b"x", "signatures": (TABLE,), "loader": LOADER},
    "matrix": {"model": b"x", "signatures": (MATRIX,), "loader": LOADER},
    "tensors": {"model": b"x", "signatures": (TENSORS,), "loader": LOADER},
}


@pytest.mark.parametrize("name", ["table", "tensors", pytest.param("matrix", marks=pytest.mark.extra)])
def test_what_the_document_allows_is_answered(name: str, serve: Serve, tmp_path: Path) -> None:
    """No valid request is refused, no invalid one is answered, and every answer has the form that the document says."""
    if not PROGRAM.is_file():
        pytest.skip("schemathesis is not installed beside the project: `make clients`")
    server = serve(**APPS[name])
    (tmp_path / "schemathesis.toml").write_text(CONFIG)
    environment = {
        "PATH": os.defpath,
        "HOME": str(tmp_path),
        "PYTHONPATH": str(Path(__file__).parent),
        "SCHEMATHESIS_HOOKS": "openapi_hooks",
    }
    words = (
        "--max-examples",
        "10",
        "--seed",
        "1",
        "--phases",
        "examples,coverage,fuzzing",
        "--checks",
        "all",
        "--no-color",
    )
    done = subprocess.run(
        [PROGRAM, "--config-file", "schemathesis.toml", "run", f"http://127.0.0.1:{server.port}/openapi.json", *words],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert "Fuzzing" in done.stdout
