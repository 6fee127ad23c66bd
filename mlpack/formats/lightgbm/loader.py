"""LightGBM in the image: loads a booster's text, and answers as Booster.predict does."""

from __future__ import annotations

from typing import Any, Dict, List, Mapping

import numpy as np


class Model:
    """A booster, and the code of each known category by column name."""

    def __init__(self, booster: Any) -> None:
        self.booster = booster
        self.codes: Dict[str, Dict[Any, int]] = {}


def load(path: str, options: Mapping[str, Any], guard: Any) -> Model:  # noqa: ARG001 - the file names nothing
    """The booster in the file."""
    import lightgbm

    return Model(lightgbm.Booster(model_file=path))


def predict(model: Model, signature: Any, inputs: Mapping[str, Any]) -> Dict[str, Any]:
    """The signature's output; a category that training did not know counts as missing, as LightGBM itself has it."""
    return {signature.outputs[0].name: np.asarray(model.booster.predict(_table(model, signature, inputs)))}


def _table(model: Model, signature: Any, inputs: Mapping[str, Any]) -> Any:
    """One table of numbers: categories as the codes that pandas gave them in training, NaN for what is unknown."""
    if signature.layout == "matrix":
        return next(iter(inputs.values()))
    columns: List[Any] = []
    for name, values in inputs.items():
        known = signature.categories.get(name)
        columns.append(values if known is None else _coded(model, name, known, values))
    return np.column_stack(columns)


def _coded(model: Model, name: str, known: Any, values: Any) -> Any:
    codes = model.codes.get(name)
    if codes is None:
        codes = model.codes[name] = {value: code for code, value in enumerate(known)}
    return np.array([codes.get(value, np.nan) for value in values.tolist()], dtype=np.float64)
