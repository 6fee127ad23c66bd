"""TensorFlow Lite goes the line: fifty rows are answered as the interpreter answers them here."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

from tests.formats.tflite_models import adding
from tests.integration.cli import ask, served, told
from tests.integration.conftest import Name

pytestmark = [pytest.mark.docker, pytest.mark.slow]


def test_from_file_to_answer(tmp_path: Path, fresh_name: Name) -> None:
    """Built and tested, it answers fifty rows, extreme and missing values among them, with the interpreter's own values."""
    path = tmp_path / "sum.tflite"
    path.write_bytes(adding([1, 3], free=[-1, 3], key="serving_default"))
    rows = np.random.default_rng(4).normal(size=(50, 3)).astype(np.float32)
    rows[0], rows[1, 0], rows[2] = 0, np.nan, 1e38
    expected = Interpreter(model_path=str(path)).get_signature_runner("serving_default")(left=rows, right=rows)["sum"]
    told("build", path.name, "--name", fresh_name("tflite"), cwd=tmp_path)
    assert told("test", cwd=tmp_path)["ok"] is True
    body = [[None if np.isnan(one) else one for one in row] for row in rows.tolist()]
    with served(cwd=tmp_path) as url:
        found = ask(url, {"instances": [{"left": row, "right": row} for row in body]})["predictions"]
    given = np.array([[np.nan if one is None else one for one in row] for row in found], np.float32)
    np.testing.assert_array_equal(given, expected)
