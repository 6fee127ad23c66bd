"""scikit-learn in the image: loads a pickle or joblib file, and answers arrays with arrays."""

from __future__ import annotations

import contextlib
import re
import sys
import threading
import warnings
from datetime import timedelta, timezone
from typing import Any, Dict, Iterator, List, Mapping, Optional, Sequence

import numpy as np

from .answers import array_of, listed, rows_of
from .own_answers import AnswerError as AnswerError
from .own_answers import own_answer
from .reading import read

SHARED_BY_FORKS = True  # a loaded model has no threads: workers can be forked after it is loaded
_MOST_PARTS = 20_000  # objects that are looked at for how they want their input
# What scikit-learn says when a value, not the model, is at fault.
_VALUE_FAULTS = re.compile(
    r"contains NaN|contains infinity|too large for dtype|unknown categories|previously unseen labels|non-negative|"
    r"category not in the training set|does not match any of the expected levels|contains `inf`|Invalid type for cat_feature|"
    r"Negative values|strictly positive|could not convert string to float|unseen categories|unknown label"
)
_FAULTS, _THREAD = ("CatBoostError", "PatsyError"), threading.local()
_FORWARD = ("predict", "predict_proba", "predict_log_proba", "decision_function", "transform")


class InputError(ValueError):
    """Values that the model cannot take: a missing one, an unknown category."""


class Model:
    """A fitted estimator, and how it wants its input: `names` were seen in training, `frames` are needed between its steps.

    `marks` tells by column what stood for a missing value in training, NaN or None; for the others `missing` does: None where
    any fitted encoder knows that. Asking the `steps` is quicker.
    """

    def __init__(self, estimator: Any, options: Optional[Mapping[str, Any]] = None) -> None:
        told = options or {}
        self.estimator = estimator
        self.nameless = bool(told.get("nameless"))  # trained without names: those of the signature are the sample's
        self.categorical = frozenset(told.get("categorical") or ())  # columns of pandas' categories
        self.objects = frozenset(told.get("objects") or ())  # columns of Python objects: numbers, booleans, dates
        marks = told.get("missing") or {}
        self.marks = {name: None if mark == "none" else float("nan") for name, mark in marks.items()}
        parts = list(_parts(estimator))
        self.names = any(_saw_names(part) for part in parts)
        self.frames = any(_wants_frames(part) for part in parts)
        self.coded = bool(told.get("coded")) and not self.frames  # it takes the codes of the categories
        # numpy's types of whole-number categories, if not int64
        self.widths: Mapping[str, str] = told.get("widths") or {}
        self.missing = None if any(_knows_none(part) for part in parts) else float("nan")
        self.columns: Dict[int, Any] = {}  # a pandas Index for each signature
        self.steps = [estimator]
        own = any(map(callable, getattr(estimator, "__dict__", {}).values()))  # a method of this one alone
        if str(type(estimator)) == "<class 'sklearn.pipeline.Pipeline'>" and not own:
            steps = [step for _, step in estimator.steps if step not in (None, "passthrough")]
            self.steps = steps if steps[-1:] == [estimator.steps[-1][1]] else [estimator]
        # Without names it was trained on an array: since scikit-learn 1.1 this step keeps the names of a table.
        self.function_first = type(self.steps[0]).__name__ == "FunctionTransformer"
        for part in parts:
            _work_alone(part)


def load(path: str, options: Mapping[str, Any], guard: Any) -> Model:
    """The model in the file; `options["entry"]` picks it from a bundle: a key, or a path such as `models.0` or `models[0]`."""
    # A named matrix comes as an array: the same values, without building a DataFrame for each request.
    warnings.filterwarnings("ignore", message="X does not have valid feature names", category=UserWarning)
    found = read(path, options.get("trusted"), options.get("entry"), guard)
    return Model(found, options)


def wrap(estimator: Any) -> Model:
    """An estimator that the user's own code loaded, as `predict` takes it."""
    return estimator if isinstance(estimator, Model) else Model(estimator)


def unwrap(model: Model) -> Any:
    """The estimator, as the user's own code knows it."""
    return model.estimator


def predict(model: Model, signature: Any, inputs: Mapping[str, Any]) -> Dict[str, Any]:
    """The signature's outputs; raises InputError where the model says that it cannot take a value."""
    rows = _rows(model, signature, inputs)
    _trust_parameters()
    try:
        answer = _answer(model.steps if signature.method in _FORWARD else [model.estimator], signature.method, rows)
    except Exception as error:
        known = isinstance(error, (ValueError, TypeError, AttributeError)) or type(error).__name__ in _FAULTS
        said = str(error).split("\n")[0][:300]
        if known and not isinstance(error, (TypeError, AttributeError)) and _VALUE_FAULTS.search(str(error)):
            raise InputError(said) from error
        if known and any(_any_of(type(None), array) for array in inputs.values()):
            raise InputError(f"a value is missing, and the model fails on it ({said})") from error
        if any(_any_of(bytes, array) for array in inputs.values()):
            raise InputError(f"a text is not UTF-8, and the model fails on it ({said})") from error
        raise
    names = [spec.name for spec in signature.outputs] or [signature.method]
    if signature.method == "kneighbors":
        answer = dict(zip(("distances", "indices"), answer)).get(names[0], answer)
    if isinstance(answer, (list, tuple)) and len(answer) == len(names) and len(names) > 1:
        return {name: array_of(one) for name, one in zip(names, answer)}
    if names[0] in signature.raw or isinstance(answer, (tuple, Iterator)):
        answer = own_answer(answer, signature.method)
    if isinstance(answer, Mapping):
        return {str(name): rows_of(list(answer[name])) for name in answer}
    found = listed(answer, signature.method) if isinstance(answer, (list, tuple)) else array_of(answer)
    flat = signature.classes is not None and len(signature.outputs[0].shape) == 1
    if flat and found.ndim == 2 and found.shape[1] == 1:
        found = found[:, 0]  # CatBoost's labels of several classes
    return {names[0]: found}


def _answer(steps: Sequence[Any], method: str, rows: Any) -> Any:
    """The estimator's own answer; XGBoost's bare booster takes a table of its own."""
    for step in steps[:-1]:
        rows = step.transform(rows)
    estimator = steps[-1]
    if type(estimator).__name__ != "Booster" or not type(estimator).__module__.startswith("xgboost"):
        return getattr(estimator, method)(rows)
    import xgboost

    names = {"feature_names": estimator.feature_names, "feature_types": estimator.feature_types}
    told: Dict[str, Any] = {} if hasattr(rows, "columns") else names
    if not told or "c" in (estimator.feature_types or ()):
        told["enable_categorical"] = True
    return estimator.predict(xgboost.DMatrix(rows, **told))


def _trust_parameters() -> None:
    """Spare each call the check of the estimators' own parameters, a fifth of a small one; values are checked as ever."""
    if not getattr(_THREAD, "told", False):  # scikit-learn keeps this setting by thread
        _THREAD.told = True
        with contextlib.suppress(TypeError, KeyError, AttributeError):  # before 1.3 nothing was checked
            sys.modules["sklearn"].set_config(skip_parameter_validation=True)


def _rows(model: Model, signature: Any, inputs: Mapping[str, Any]) -> Any:
    if signature.layout == "columns" and model.coded:
        coded = {name: _codes(signature, name, inputs[name]) for name in model.categorical}
        return _stack([coded.get(name, array) for name, array in inputs.items()])
    if signature.layout == "columns":
        arrays = [_column(model, signature, name, array) for name, array in inputs.items()]
        synthetic = [f"x{place}" for place in range(len(arrays))]
        named = model.names or (model.frames and not model.function_first) or signature.dates
        if named or not (model.nameless or list(inputs) == synthetic):
            return _frame(model, signature, dict(zip(inputs, arrays)))
        return _stack(arrays)
    values = next(iter(inputs.values()))
    if signature.inputs[0].name in signature.raw:
        return values.tolist()  # rows of any form, as training had them: a list
    if signature.layout != "matrix":
        return _texts(values, model.missing)
    named = model.frames and signature.columns and not model.nameless
    return _named(model, signature, values) if named else values


def _texts(array: Any, missing: Any) -> Any:
    """An object array with the model's own mark for what is missing."""
    if array.dtype != object or missing is None:
        return array
    gaps = [place for place, value in enumerate(array) if value is None]
    if gaps:
        array = array.copy()
        array[gaps] = missing
    return array


def _column(model: Model, signature: Any, name: str, array: Any) -> Any:
    """The column as it was in training: with its own mark for what is missing, and of Python objects where it held those."""
    mark = model.marks.get(name, model.missing)
    if name not in model.objects or array.dtype.kind in "OM":
        return _texts(array, mark)
    flags = {type(value) for value in signature.categories.get(name, ())} - {type(None)} == {bool}
    objects = array.astype(object)
    for place, value in enumerate(array.tolist()):
        if value != value:  # noqa: PLR0124 - NaN
            objects[place] = mark
        elif flags and value in (0, 1):
            objects[place] = bool(value)
    return objects


def _any_of(kind: type, array: Any) -> bool:
    """Whether there is a text that is no UTF-8 (it came as bytes), or a missing value (None; NaN of numbers, NaT of dates)."""
    if array.dtype.kind == "M":
        return kind is not bytes and bool(np.isnat(array).any())
    numbers = kind is not bytes and array.dtype.kind == "f"
    return bool(np.isnan(array).any()) if numbers else any(isinstance(value, kind) for value in array.ravel())


def _stack(arrays: Sequence[Any]) -> Any:
    """Columns side by side, as a model was given that was trained on an array."""
    plain = all(array.dtype != object for array in arrays)
    return np.column_stack(arrays if plain else [array.astype(object) for array in arrays])


def _frame(model: Model, signature: Any, columns: Dict[str, Any]) -> Any:
    import pandas as pd

    for name in model.categorical & set(columns):
        codes = np.nan_to_num(_codes(signature, name, columns[name]), nan=-1).astype(int)
        known = pd.Index(list(signature.categories[name]), dtype=model.widths.get(name))
        columns[name] = pd.Categorical.from_codes(codes, known)
    for name, zone in signature.dates.items():
        if zone:  # the values are in UTC
            columns[name] = pd.Series(columns[name]).dt.tz_localize("UTC").dt.tz_convert(_zone(zone))
        if name in model.objects:
            columns[name] = pd.Series(columns[name]).astype(object)
    for name, values in columns.items():
        # pandas 3 would take texts beside None for its own type of texts, and make NaN of None
        texts = isinstance(values, np.ndarray) and values.dtype.kind == "O"
        if texts and model.marks.get(name, model.missing) is None:
            columns[name] = pd.Series(values, dtype=object)
    return pd.DataFrame(columns)


def _zone(zone: str) -> Any:
    """A time zone by its name, or by its offset such as `+05:30`, which pandas knows only since 1.3."""
    if zone[0] not in "+-":
        return zone
    size = timedelta(hours=int(zone[1:3]), minutes=int(zone[4:6]))
    return timezone(-size if zone[0] == "-" else size)


def _codes(signature: Any, name: str, values: Any) -> Any:
    """The place of each value among the column's categories (1, 1.0 and True are one), NaN for a missing one."""
    known = {value: code for code, value in enumerate(signature.categories[name])}
    codes = np.full(len(values), np.nan)
    for row, value in enumerate(values.tolist()):
        if value in known:
            codes[row] = known[value]
        elif not (value is None or value != value or signature.unknown_categories == "missing"):  # noqa: PLR0124 - NaN
            raise InputError(f"{value!r} is no category of {name} that the model was trained with")
    return codes


def _named(model: Model, signature: Any, values: Any) -> Any:
    try:
        import pandas as pd
    except ImportError:  # then nothing in the model looks at names
        return values
    if id(signature) not in model.columns:
        model.columns[id(signature)] = pd.Index(signature.columns)
    return pd.DataFrame(values, columns=model.columns[id(signature)])


def _parts(estimator: Any) -> Iterator[Any]:
    """The estimator and all that it holds, as far as estimators hold estimators."""
    waiting: List[Any] = [estimator]
    seen = {id(estimator)}
    while waiting and len(seen) < _MOST_PARTS:
        part = waiting.pop()
        own = hasattr(part, "get_params") and not isinstance(part, type)
        if own:
            yield part
        held = getattr(part, "__dict__", {}) if own else part
        below = held.values() if isinstance(held, Mapping) else held if isinstance(held, (list, tuple)) else ()
        for one in below:
            if id(one) not in seen and (isinstance(one, (list, tuple, Mapping)) or hasattr(one, "get_params")):
                seen.add(id(one))
                waiting.append(one)


def _saw_names(part: Any) -> bool:
    held = getattr(part, "__dict__", {})  # _df_columns, _feature_names_in: before 1.0
    return any(held.get(name) is not None for name in ("feature_names_in_", "_feature_names_in", "_df_columns"))


def _wants_frames(part: Any) -> bool:
    """Whether names may matter between or before the steps: then an array in place of a DataFrame is not the same."""
    configured = getattr(part, "_sklearn_output_config", None) or {}
    foreign = not type(part).__module__.startswith(("sklearn.", "lightgbm.", "catboost."))
    if type(part).__module__.startswith("xgboost."):  # before 1.6 it refuses an array
        foreign = list(map(int, re.findall(r"\d+", sys.modules["xgboost"].__version__)[:2])) < [1, 6]
    own_function = type(part).__name__ == "FunctionTransformer" and getattr(part, "func", None) is not None
    return foreign or own_function or configured.get("transform", "default") != "default"


def _work_alone(part: Any) -> None:
    """One thread for each call: starting as many as `n_jobs=-1` says costs more than a request's few rows, at every call."""
    if getattr(part, "n_jobs", None) not in (None, 1):
        with contextlib.suppress(AttributeError, TypeError, ValueError):  # somebody's own class
            part.n_jobs = 1


def _knows_none(part: Any) -> bool:
    if type(part).__name__ == "SimpleImputer":
        return getattr(part, "missing_values", 0) is None
    texts = (one for one in getattr(part, "categories_", None) or () if str(getattr(one, "dtype", "")) == "object")
    return any(value is None for one in texts for value in one)
