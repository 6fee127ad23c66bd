"""What the log says of a package whose release does not fit the file."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.preprocessing import StandardScaler

from mlpack.runtime.models.start_failure import StartFailure, log_start_failure
from mlpack.runtime.telemetry.logs import Log


def _logged(error: BaseException, framework: str, folder: Path) -> dict[str, Any]:
    card: Any = SimpleNamespace(name="model", folder=folder, document={"framework": framework})
    with (folder / "log").open("wb") as file:
        log = Log(file.fileno())
        log_start_failure(log, card, "it failed", StartFailure.SAMPLE, error)
        log.flush()
    found: dict[str, Any] = json.loads((folder / "log").read_bytes())
    return found


def _raised(call: Any) -> AttributeError:
    with pytest.raises(AttributeError) as caught:
        call()
    error: AttributeError = caught.value
    error.__traceback__ = caught.tb
    return error


def test_the_package_of_the_code_that_failed_is_named(tmp_path: Path) -> None:
    """With the version that is installed; the framework is not named, because its version is recorded."""
    scaler = StandardScaler().fit([[1.0], [2.0]])
    del scaler.copy  # as if an earlier release had no such parameter
    error = _raised(lambda: scaler.transform([[1.0]]))
    assert "package" not in _logged(error, "scikit-learn", tmp_path)
    assert _logged(error, "lightgbm", tmp_path)["package"].startswith("scikit-learn==")
    refused = ValueError("a value is missing")  # as the loader says of rows with null
    refused.__cause__ = error
    assert _logged(refused, "lightgbm", tmp_path)["package"].startswith("scikit-learn==")


def test_a_module_without_an_attribute_is_named(tmp_path: Path) -> None:
    """As numpy's, which lost `np.float` and others."""
    error = _raised(lambda: getattr(np, "float"))  # noqa: B009 - mypy knows that it is not there
    assert _logged(error, "scikit-learn", tmp_path)["package"] == f"numpy=={np.__version__}"


def test_code_of_the_user_is_not_a_package(tmp_path: Path) -> None:
    """An attribute that the user's own code misses says nothing of a release."""
    array: Any = np.zeros(1)
    assert "package" not in _logged(_raised(lambda: array.nothing), "scikit-learn", tmp_path)


def test_a_missing_value_is_not_a_package(tmp_path: Path) -> None:
    """A None that has no method of texts is the row's fault."""
    words: Any = [None]
    error = _raised(lambda: CountVectorizer(lowercase=True, input="file").fit(words))
    assert "package" not in _logged(error, "lightgbm", tmp_path)
