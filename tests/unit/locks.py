"""A hand-made lock for tests of what comes after resolving: fixed bytes, so that golden files hold."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from mlpack.artifacts.bundle import Bundle
from mlpack.artifacts.lock import Lock
from mlpack.artifacts.model import ModelInfo, Requirement, Safety, Signature, TensorSpec
from mlpack.artifacts.prepared import Prepared
from mlpack.config import Config
from mlpack.pipeline.render import render

REQUIREMENTS = (
    "numpy==2.4.6 \\\n    --hash=sha256:" + "0" * 64 + "\nscikit-learn==1.9.1 \\\n    --hash=sha256:" + "1" * 64 + "\n"
)
INSTALLER = "uv==0.13.8 \\\n    --hash=sha256:" + "2" * 64 + "\n"


def make_lock(path: Path, *, info: ModelInfo | None = None, **changes: Any) -> Lock:
    """A lock of a small classifier whose file is `path`, or of the model `info`."""
    if info is not None:
        return replace(make_lock(path, **changes), prepared=Prepared(info=info))
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
        "prepared": Prepared(info=info),
        "python": "3.11",
        "platform": "linux/amd64",
        "base": "python:3.11-slim",
        "base_digest": "sha256:" + "a" * 64,
        "requirements": REQUIREMENTS,
        "installer": INSTALLER,
        "reasons": ("Python 3.11: scikit-learn 1.9.1 has wheels for it",),
    }
    return Lock(**{**values, **changes})


def render_lock(lock: Lock, *, loader: Path | None = None, name: str = "iris", **changes: Any) -> Bundle:
    """The bundle of a lock; `changes` are keys of mlpack.yaml, fields of Prepared, or private files."""
    prepared = {key: changes.pop(key) for key in ("code", "sample", "options") if key in changes}
    private = changes.pop("private", ())
    config = Config(name=name, **changes)
    return render(
        replace(lock, prepared=replace(lock.prepared, **prepared)), config=config, loader=loader, private=private
    )
