"""XGBoost in the image: loads a booster, and answers as the interface does that saved it."""

from __future__ import annotations

from typing import Any, Dict, List, Mapping

import numpy as np

# What XGBoost says when a value, not the model, is at fault.
_VALUE_FAULTS = (
    "Input data contains `inf`",
    "category not in the training set",
    "Invalid categorical",
    "Invalid shape",
)
_SUFFIXES = {"json": ".json", "ubjson": ".ubj"}


class InputError(ValueError):
    """Values that the model cannot take: infinity, an unknown category."""


class Model:
    """A booster, how it is asked, and the code of each known category by column name."""

    def __init__(self, booster: Any, options: Mapping[str, Any]) -> None:
        self.booster = booster
        self.estimator = str(options.get("estimator") or "")
        self.multilabel = bool(options.get("multilabel"))
        self.rounds = int(options.get("rounds") or 0)
        self.names = getattr(booster, "feature_names", None)
        self.types = getattr(booster, "feature_types", None)
        # The scikit-learn interface predicts in place, which takes infinity; Booster.predict takes a DMatrix, which does not.
        self.in_place = bool(self.estimator) and hasattr(booster, "inplace_predict")
        self.codes: Dict[str, Dict[Any, int]] = {}


def load(path: str, options: Mapping[str, Any], guard: Any) -> Model:  # noqa: ARG001 - the file names nothing
    """The booster in the file; `options` say how it was written and which interface saved it."""
    import xgboost

    booster = xgboost.Booster()
    suffix = _SUFFIXES.get(str(options.get("serialisation")))
    if suffix is None or path.endswith(suffix):
        booster.load_model(path)
    else:  # XGBoost goes by the name, and this one tells something else
        with open(path, "rb") as file:  # noqa: PTH123 - a loader stays plain
            booster.load_model(bytearray(file.read()))
    return Model(booster, options)


def predict(model: Model, signature: Any, inputs: Mapping[str, Any]) -> Dict[str, Any]:
    """The signature's output.

    Raises:
        InputError: XGBoost says that it cannot take a value, or does not know a category.
    """
    import xgboost

    rows = _table(model, signature, inputs)
    try:
        answer = _in_place(model, rows) if model.in_place else _by_matrix(model, rows)
    except (ValueError, xgboost.core.XGBoostError) as error:
        said = str(error).split("Stack trace")[0].split("Check failed:")[-1].strip()[:300]
        if any(fault in str(error) for fault in _VALUE_FAULTS):
            raise InputError(said) from error
        raise
    if model.estimator == "classifier":
        answer = _labels(model, answer) if signature.method == "predict" else _probabilities(answer)
    return {signature.outputs[0].name: answer}


def _in_place(model: Model, rows: Any) -> Any:
    chosen = {"iteration_range": (0, model.rounds)} if model.rounds else {}
    try:
        return model.booster.inplace_predict(rows, validate_features=False, missing=np.nan, **chosen)
    except (TypeError, NotImplementedError, ValueError):
        model.in_place = False  # a linear booster, or a release that has it in another form
        return _by_matrix(model, rows)


def _by_matrix(model: Model, rows: Any) -> Any:
    import xgboost

    categorical = {"enable_categorical": True} if "c" in (model.types or ()) else {}
    matrix = xgboost.DMatrix(rows, feature_names=model.names, feature_types=model.types, **categorical)
    if not model.rounds:
        return model.booster.predict(matrix)
    try:
        return model.booster.predict(matrix, iteration_range=(0, model.rounds))
    except TypeError:  # before 1.4
        return model.booster.predict(matrix, ntree_limit=model.rounds)


def _labels(model: Model, answer: Any) -> Any:
    """As XGBClassifier.predict: the likeliest class, or whether the one probability is above one half."""
    if answer.ndim == 2 and not model.multilabel:
        return answer.argmax(axis=1).astype(np.int64)
    return (answer > 0.5).astype(np.int64)


def _probabilities(answer: Any) -> Any:
    return np.column_stack([1.0 - answer, answer]) if answer.ndim == 1 else answer


def _table(model: Model, signature: Any, inputs: Mapping[str, Any]) -> Any:
    """One table of numbers: categories as the codes that training gave them."""
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
    coded = np.full(len(values), np.nan)
    for row, value in enumerate(values.tolist()):
        if value is None or value != value:  # noqa: PLR0124 - NaN
            continue
        if value not in codes:
            raise InputError(f"{value!r} is no category of {name} that the model was trained with")
        coded[row] = codes[value]
    return coded
