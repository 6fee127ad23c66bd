"""A hand-made lock for tests of what comes after resolving: fixed bytes, so that golden files hold."""

from pathlib import Path
from typing import Any

from mlpack.artifacts.lock import Lock
from mlpack.artifacts.model import ModelInfo, Requirement, Safety, Signature, TensorSpec

REQUIREMENTS = (
    "numpy==2.4.6 \\\n    --hash=sha256:" + "0" * 64 + "\nscikit-learn==1.9.1 \\\n    --hash=sha256:" + "1" * 64 + "\n"
)
INSTALLER = "uv==0.13.8 \\\n    --hash=sha256:" + "2" * 64 + "\n"


def make_lock(path: Path, **changes: Any) -> Lock:
    """A lock of a small classifier whose file is `path`."""
    columns = ("sepal length (cm)", "petal width (cm)")
    classes = ("setosa", "versicolor")
    given = (TensorSpec(name="input", dtype="FP64", shape=(-1, 2)),)
    predict = Signature(
        name="predict", method="predict", layout="matrix", inputs=given, columns=columns, classes=classes, batchable=True,
        outputs=(TensorSpec(name="predict", dtype="BYTES", shape=(-1,)),),
    )  # fmt: skip
    proba = Signature(
        name="predict_proba", method="predict_proba", layout="matrix", inputs=given, columns=columns, classes=classes,
        outputs=(TensorSpec(name="predict_proba", dtype="FP64", shape=(-1, 2)),), batchable=True,
    )  # fmt: skip
    info = ModelInfo(
        path=path,
        format="sklearn",
        framework="scikit-learn",
        framework_version="1.9.1",
        root_class="sklearn.pipeline.Pipeline",
        task="classifier",
        signatures=(predict, proba),
        safety=Safety(verdict="safe"),
        size=path.stat().st_size,
        classes=classes,
        requirements=(Requirement(module="sklearn", distribution="scikit-learn", version="1.9.1"),),
    )
    values: dict[str, Any] = {
        "info": info,
        "python": "3.11",
        "platform": "linux/amd64",
        "base": "python:3.11-slim",
        "base_digest": "sha256:" + "a" * 64,
        "requirements": REQUIREMENTS,
        "installer": INSTALLER,
        "test_folders": ("imblearn", "joblib", "numpy", "pandas", "scipy", "sklearn", "statsmodels"),
        "reasons": ("Python 3.11: scikit-learn 1.9.1 has wheels for it",),
    }
    return Lock(**{**values, **changes})
