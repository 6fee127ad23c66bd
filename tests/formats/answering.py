"""A model file answered by its format's own loader in this process, as the image would: the card's signature, its arrays."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from mlpack.artifacts.model import ModelInfo
from mlpack.pipeline.inspect import inspect
from mlpack.plugins import load
from mlpack.runtime.card import Signature
from mlpack.runtime.models.guard import Guard
from mlpack.runtime.protocols.encoding.casting import cast
from tests.loading import module_at

FORMATS = ("sklearn", "xgboost", "lightgbm", "catboost", "mlflow")
_KINDS = {"BYTES": "OU", "BOOL": "b", "I": "i", "F": "f"}


def inspected(path: Path, **options: Any) -> ModelInfo:
    """What inspect says of a file."""
    return inspect(path, formats=[load("formats", name)() for name in FORMATS], **options)


def answers(info: ModelInfo, rows: list[Any]) -> dict[str, Any]:
    """By method what the loader answers to rows; each answer is of the data type and shape that its signature declares."""
    loader = loader_of(info.format)
    model = loader.load(str(info.path), dict(info.options), Guard(info.names))
    found = {}
    for told in info.signatures:
        signature = Signature.from_json(json.loads(json.dumps(told.to_json())))
        answer = loader.predict(model, signature, _arrays(signature, rows))
        output = signature.outputs[0]
        array = found[signature.method] = answer[output.name]
        assert array.dtype.kind in (_KINDS.get(output.dtype) or _KINDS[output.dtype[0]]), (output, array.dtype)
        assert not output.dtype.startswith("FP") or array.dtype.itemsize * 8 == int(output.dtype[2:]), (
            output,
            array.dtype,
        )
        assert [size for size in output.shape if size != -1] == list(array.shape[1:]), (output, array.shape)
    return found


def assert_equal(found: Any, wanted: Any) -> None:
    """Numbers equal to the last few bits, the missing ones alike; all else exactly."""
    if wanted.dtype.kind == "f":
        np.testing.assert_allclose(found, wanted, rtol=1e-9, atol=1e-12, equal_nan=True)
    else:
        assert found.tolist() == wanted.tolist()


def loader_of(name: str) -> ModuleType:
    """A format's own loader, as a module."""
    return module_at(load("formats", name).loader, f"loader_of_{name}")


def _arrays(signature: Signature, rows: list[Any]) -> dict[str, Any]:
    if signature.layout == "matrix":
        table = [[float("nan") if value is None else value for value in row] for row in rows]
        return {signature.inputs[0].name: np.array(table, dtype=np.float64)}
    return {spec.name: cast([row[spec.name] for row in rows], spec.dtype) for spec in signature.inputs}
