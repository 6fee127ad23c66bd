"""The versions that an MLflow folder tells: those of its requirements.txt and of the flavour itself."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from mlpack.artifacts.model import Requirement
from mlpack.readers.archives.trees import Tree
from mlpack.readers.limits import CutOffError

_REQUIREMENTS = "requirements.txt"
_LONGEST = 1 << 20
_PIN = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)(?:\[[^\]]*\])?\s*==\s*([A-Za-z0-9.+!_-]+)\s*(?:[;#].*)?")
_VERSION = re.compile(r"\d+(\.[A-Za-z0-9]+)*(\+[A-Za-z0-9.]+)?")
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
    if isinstance(version, str) and _VERSION.fullmatch(version):
        pins[distribution] = version
    if tree is None or _REQUIREMENTS not in tree:
        return pins
    try:
        text = tree.read(_REQUIREMENTS, _LONGEST).decode("utf-8", "replace")
    except CutOffError:
        return pins
    for line in text.splitlines():
        found = _PIN.fullmatch(line.strip())
        if found and _VERSION.fullmatch(found[2]):
            pins[_normal(found[1])] = found[2]
    return pins


def pinned(requirement: Requirement, pins: Mapping[str, str]) -> Requirement:
    """The requirement at the version that the folder tells; one that the model's own file records stays."""
    version = pins.get(_normal(requirement.distribution))
    if requirement.version or not version:
        return requirement
    return replace(requirement, version=version, newest=False)


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
