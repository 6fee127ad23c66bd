"""CatBoost in the image: loads a model, and answers as CatBoostClassifier, CatBoostRegressor and CatBoostRanker do."""

from __future__ import annotations

from typing import Any, Dict, Mapping

import numpy as np

_ASKED = {"predict_proba": "Probability", "predict": "Class"}


class InputError(ValueError):
    """Values that the model cannot take: a missing category or text."""


class Model:
    """A loaded model, and what a regressor's answer is: the raw value, its exponent, or the value and its variance."""

    def __init__(self, booster: Any, prediction: str) -> None:
        self.booster = booster
        self.prediction = prediction  # "" for a classifier


def load(path: str, options: Mapping[str, Any], guard: Any) -> Model:  # noqa: ARG001 - the file names nothing
    """The model in the file; `options` say how it was written."""
    import catboost

    booster = catboost.CatBoost()
    booster.load_model(path, format=str(options.get("serialisation") or "cbm"))
    return Model(booster, str(options.get("prediction") or ""))


def predict(model: Model, signature: Any, inputs: Mapping[str, Any]) -> Dict[str, Any]:
    """The signature's output.

    Raises:
        InputError: CatBoost says that it cannot take a value.
    """
    import catboost

    for name, values in inputs.items():
        if values.dtype == object and any(value is None for value in values):
            raise InputError(f"{name} is a category or a text: null is none, send what stood for it in training")
    output = signature.outputs[0]
    asked = model.prediction or _ASKED[signature.method]
    try:
        answer = np.asarray(model.booster.predict(_table(signature, inputs), prediction_type=asked))
    except catboost.CatBoostError as error:
        raise InputError(str(error).split("\n")[0][:300]) from error
    return {output.name: answer.reshape(len(answer)) if len(output.shape) == 1 else answer}


def _table(signature: Any, inputs: Mapping[str, Any]) -> Any:
    """An array where all are numbers or texts, else a DataFrame, in which a column may hold vectors."""
    if signature.layout == "matrix":
        return next(iter(inputs.values()))
    if any(values.ndim > 1 for values in inputs.values()):
        import pandas as pd

        return pd.DataFrame({name: list(values) if values.ndim > 1 else values for name, values in inputs.items()})
    table = np.empty((len(next(iter(inputs.values()))), len(inputs)), dtype=object)
    for place, values in enumerate(inputs.values()):
        table[:, place] = values
    return table
