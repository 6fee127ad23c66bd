"""Calls of a loader for the rows of a request: one, or one for each row, as the signature's `batch` says."""

from __future__ import annotations

from typing import Any, Dict, List

import numpy as np

from ..card import Signature
from .predictor import Array, Arrays

_OPEN = "..."  # in an output's shape: any further axes


def call(loader: Any, model: Any, signature: Signature, inputs: Arrays) -> Arrays:
    """The loader's outputs for all rows; with `batch` one or none it is given one row at a time, and they are joined."""
    rows = len(next(iter(inputs.values())))
    if signature.batch == "any":
        arrays: Arrays = loader.predict(model, signature, inputs)
        return _with_rows(loader, model, signature, inputs, arrays) if rows == 1 else arrays
    answers: List[Dict[str, Any]] = [
        loader.predict(model, signature, _row(inputs, row, signature)) for row in range(rows)
    ]
    ranks = _ranks(signature)
    return {
        name: _joined([_of_one(np.asarray(answer[name]), ranks.get(name), signature) for answer in answers])
        for name in answers[0]
    }


def _ranks(signature: Signature) -> Dict[str, int]:
    return {spec.name: len(spec.shape) for spec in signature.outputs if _OPEN not in spec.shape}


def _with_rows(loader: Any, model: Any, signature: Signature, inputs: Arrays, arrays: Arrays) -> Arrays:
    """One row's answer with the axis of the rows, which `squeeze()` in a model takes away where there is one row only."""
    odd = {name: array for name, array in arrays.items() if np.shape(array)[:1] != (1,)}
    if not odd:
        return arrays
    ranks = _ranks(signature)
    if any(
        np.ndim(array) and name not in ranks for name, array in odd.items()
    ):  # two rows tell how many axes there are
        told = loader.predict(
            model, signature, {name: np.concatenate([array, array]) for name, array in inputs.items()}
        )
        ranks.update({name: np.ndim(array) for name, array in told.items() if np.shape(array)[:1] == (2,)})
    squeezed = {name: array for name, array in odd.items() if np.ndim(array) in (0, ranks.get(name, 0) - 1)}
    return {**arrays, **{name: np.asarray(array)[np.newaxis] for name, array in squeezed.items()}}


def _row(inputs: Arrays, row: int, signature: Signature) -> Arrays:
    if signature.batch == "one":
        return {name: array[row : row + 1] for name, array in inputs.items()}
    return {name: np.asarray(array[row], dtype=array.dtype) for name, array in inputs.items()}


def _of_one(output: Array, rank: Any, signature: Signature) -> Array:
    """One row's output without its batch axis, where it has one."""
    batched = output.ndim == rank if rank is not None else output.shape[:1] == (1,)
    if signature.batch != "one" or not batched or output.shape[:1] != (1,):
        return output
    row: Array = np.asarray(output[0], dtype=output.dtype)  # of texts output[0] is the text itself, and no array
    return row


def _joined(outputs: List[Array]) -> Array:
    """The rows' outputs as one array; as lists in an object array where their shapes differ."""
    if len({output.shape for output in outputs}) == 1:
        return np.stack(outputs)
    table = np.empty(len(outputs), dtype=object)
    for place, output in enumerate(outputs):
        table[place] = output.tolist()
    return table
