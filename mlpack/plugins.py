"""The table of formats, engines, targets and sources, built-in or of other packages; each is imported when it is used."""

from __future__ import annotations

import importlib
from typing import Any, Literal

from mlpack.errors import UsageError

Kind = Literal["formats", "engines", "targets", "sources"]

BUILT_IN: dict[Kind, dict[str, str]] = {
    "formats": {
        "sklearn": "mlpack.formats.sklearn:SklearnFormat",
        "onnx": "mlpack.formats.onnx:OnnxFormat",
        "tflite": "mlpack.formats.tflite:TfliteFormat",
        "keras": "mlpack.formats.keras:KerasFormat",
        "savedmodel": "mlpack.formats.savedmodel:SavedModelFormat",
        "pytorch": "mlpack.formats.pytorch:TorchFormat",
        "xgboost": "mlpack.formats.xgboost:XGBoostFormat",
        "lightgbm": "mlpack.formats.lightgbm:LightGBMFormat",
        "catboost": "mlpack.formats.catboost:CatBoostFormat",
        "mlflow": "mlpack.formats.mlflow:MLflowFormat",
        "named": "mlpack.formats.named:NamedFormat",
    },
    "engines": {
        "docker": "mlpack.engines.docker:DockerEngine",
        "process": "mlpack.engines.process.runner:ProcessRunner",
    },
    "targets": {
        "cloudrun": "mlpack.targets.cloudrun:CloudRun",
        "compose": "mlpack.targets.compose:Compose",
    },
    "sources": {
        "files": "mlpack.sources.files:LocalFiles",
    },
}


def load(kind: Kind, name: str) -> Any:
    """Import the class of this name: a built-in one, else the entry point `mlpack.<kind>` of an installed package.

    Raises UsageError if there is none, or if another package's class cannot be imported.
    """
    table = _table(kind) if name not in BUILT_IN[kind] else BUILT_IN[kind]
    if name not in table:
        available = ", ".join(sorted(table)) or "none"
        raise UsageError(f"There is no {kind[:-1]} {name!r}.", hint=f"Available {kind}: {available}.")
    module, _, attribute = table[name].partition(":")
    try:
        found: Any = importlib.import_module(module)
        for part in attribute.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError) as error:
        raise UsageError(
            f"The {kind[:-1]} {name!r} cannot be imported from {table[name]}: {error}.",
            hint="Install its requirements, or uninstall the package that provides it.",
        ) from error
    return found


def names(kind: Kind) -> tuple[str, ...]:
    """All names, the built-in ones first."""
    return tuple(_table(kind))


def _table(kind: Kind) -> dict[str, str]:
    from importlib import metadata  # takes 20 ms, and is needed for plugins only

    others = {point.name: point.value for point in metadata.entry_points(group=f"mlpack.{kind}")}
    # A plugin cannot replace a built-in class.
    return BUILT_IN[kind] | {name: others[name] for name in sorted(others) if name not in BUILT_IN[kind]}
