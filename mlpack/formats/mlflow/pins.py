"""The versions in an MLflow folder: those of its requirements.txt and of the flavour."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from mlpack.artifacts.model import Requirement
from mlpack.packages.names import normalise, parse_pin, parse_version
from mlpack.readers.archives.trees import Tree
from mlpack.readers.limits import CutOffError

_REQUIREMENTS = "requirements.txt"
_LONGEST = 1 << 20
# A flavour's own word for the version of its framework.
_FLAVOURS = {
    "sklearn": ("scikit-learn", "sklearn_version"), "xgboost": ("xgboost", "xgb_version"),
    "lightgbm": ("lightgbm", "lgb_version"), "catboost": ("catboost", "catboost_version"),
    "statsmodels": ("statsmodels", "statsmodels_version"), "pytorch": ("torch", "pytorch_version"),
    "keras": ("keras", "keras_version"), "onnx": ("onnx", "onnx_version"),
}  # fmt: skip


def pins_of(tree: Tree | None, flavour_name: str, flavour: Mapping[str, Any]) -> dict[str, str]:
    """Exact versions by the distribution's normalised name."""
    pins: dict[str, str] = {}
    distribution, key = _FLAVOURS.get(flavour_name, ("", ""))
    version = flavour.get(key)
    if isinstance(version, str) and parse_version(version) is not None:
        pins[distribution] = version.strip()
    if tree is None or _REQUIREMENTS not in tree:
        return pins
    try:
        text = tree.read(_REQUIREMENTS, _LONGEST).decode("utf-8", "replace")
    except CutOffError:
        return pins
    return pins | dict(pin for line in text.splitlines() if (pin := parse_pin(line)) is not None)


def pinned(requirement: Requirement, pins: Mapping[str, str]) -> Requirement:
    """The requirement at the folder's version, unless the model file records a version."""
    version = pins.get(normalise(requirement.distribution))
    if requirement.version or not version:
        return requirement
    return replace(requirement, version=version, newest=False)
