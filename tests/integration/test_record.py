"""`mlpack test --record`: today's answers are what the next test expects, until the model says something else."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression

from mlpack.errors import CheckFailedError
from tests.integration.cli import mlpack, refused, told
from tests.integration.conftest import Name

pytestmark = [pytest.mark.docker, pytest.mark.slow]


@pytest.mark.usefixtures("engine")
def test_recorded_answers_are_expected_the_next_time(tmp_path: Path, fresh_name: Name) -> None:
    """The sample is asked, its answers are kept, the same model passes against them, another one fails by name."""
    rows = np.arange(12.0).reshape(6, 2)
    name = fresh_name("line")
    (tmp_path / "rows.csv").write_text("a,b\n" + "\n".join(",".join(map(str, row)) for row in rows))
    (tmp_path / "mlpack.yaml").write_text(f"name: {name}\nsample: rows.json\n")
    (tmp_path / "rows.json").write_text(json.dumps(rows.tolist()))
    (tmp_path / "line.pkl").write_bytes(pickle.dumps(LinearRegression().fit(rows, rows @ [2.0, 3.0] + 1)))
    told("build", "line.pkl", cwd=tmp_path)
    done = mlpack("test", "--record", cwd=tmp_path)
    assert done.code == 0, done
    assert "test: {request: request.json, expected: expected.json}" in done.stdout
    recorded = json.loads((tmp_path / "expected.json").read_text())["predictions"]
    assert recorded[:6] == pytest.approx((rows @ [2.0, 3.0] + 1).tolist())

    with (tmp_path / "mlpack.yaml").open("a") as config:
        config.write("test: {request: request.json, expected: expected.json}\n")
    checks = {check["name"]: check for check in told("test", cwd=tmp_path)["checks"]}
    assert checks["expected"]["ok"]

    (tmp_path / "line.pkl").write_bytes(pickle.dumps(LinearRegression().fit(rows, rows @ [2.0, 3.0] + 5)))
    told("build", "line.pkl", cwd=tmp_path)
    document = refused(CheckFailedError.exit, CheckFailedError.code, "test", cwd=tmp_path)
    assert [check["name"] for check in document["checks"] if not check["ok"]] == ["expected"]

    told("test", "--record", cwd=tmp_path)
    assert told("test", cwd=tmp_path)["ok"]
    refused(2, "usage", "test", "--record", "--expected", "expected.json", cwd=tmp_path)
