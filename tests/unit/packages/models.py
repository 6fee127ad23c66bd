"""Models as the reader would describe them, for tests of what they need."""

from pathlib import Path
from typing import Any

from mlpack.artifacts.model import ModelInfo, Requirement, Safety


def sklearn_model(version: str | None, *more: Requirement, **changes: Any) -> ModelInfo:
    """A pickle made with a version of scikit-learn; `more` are other requirements that its file tells."""
    values: dict[str, Any] = {
        "path": Path("model.pkl"),
        "format": "sklearn",
        "framework": "scikit-learn",
        "framework_version": version,
        "root_class": "sklearn.linear_model.LogisticRegression",
        "task": "classifier",
        "signatures": (),
        "safety": Safety(verdict="safe"),
        "size": 1,
        "requirements": (Requirement(module="sklearn", distribution="scikit-learn", version=version), *more),
    }
    return ModelInfo(**{**values, **changes})
