"""The user's predict.py as a loader: its load, preprocess, predict and postprocess; the format's where one is missing."""

from __future__ import annotations

import asyncio
import dataclasses
import importlib
import inspect
from typing import Any, Callable, Dict, List, Mapping, Optional

import numpy as np

from ..card import Signature
from ..errors import ServeError, WrongAnswerError
from ..protocols.encoding.dates import date_texts
from ..protocols.encoding.rows import Rows
from .calls import call
from .predictor import Arrays

_FAULTS = (ValueError, TypeError, LookupError)
_DTYPES = {
    "BOOL": "bool", "INT8": "int8", "INT16": "int16", "INT32": "int32", "INT64": "int64", "UINT8": "uint8",
    "UINT16": "uint16", "UINT32": "uint32", "UINT64": "uint64", "FP16": "float16", "FP32": "float32", "FP64": "float64",
}  # fmt: skip
_MOST_ROWS = 1 << 31  # the contract has checked their number already

Values = Dict[str, Callable[[], Any]]  # a parameter's name -> its value, made when a function has that parameter


class InputError(ValueError):
    """Rows that the user's code rejects; the client gets the message."""


class UserPredictor:
    """A loader made of a module of the user's and, for what it leaves out, of the format's loader.

    Its functions are called by their parameters' names: `model`, `instances` (the rows, as a list), `inputs` (arrays by
    name), `signature`, `options`, `path`, `predictions`; others are filled in order. Each may be `async`.
    """

    InputError: Any = InputError

    def __init__(self, module: str, loader: Any = None) -> None:
        self._name = module
        self._loader = loader
        self._module: Any = None
        self._loop: Optional[asyncio.AbstractEventLoop] = None
        self._options: Dict[str, Any] = {}
        self._inner: Dict[str, Signature] = {}

    def prepare(self, options: Mapping[str, Any]) -> None:
        """Set what the format's loader needs before its framework is imported."""
        prepare = getattr(self._loader, "prepare", None)
        if prepare is not None:
            prepare(options)

    def load(self, path: str, options: Mapping[str, Any], guard: Any) -> Any:
        """The model, by the user's `load` or the format's; imports the user's module."""
        self._module = importlib.import_module(self._name)
        own = getattr(self._module, "InputError", None)
        if isinstance(own, type) and issubclass(own, Exception):
            self.InputError = (InputError, own)
        self._options = {key: value for key, value in options.items() if key != "model_signatures"}
        found = [Signature.from_json(document) for document in options.get("model_signatures") or ()]
        self._inner = {signature.name: signature for signature in found}
        load = self._function("load")
        if load is None:
            return self._loader.load(path, self._options, guard)
        model = self._call(load, {"path": lambda: path, "options": lambda: self._options}, ["path", "options"])
        wrap = getattr(self._loader, "wrap", None)
        return model if wrap is None or self._function("predict") is not None else wrap(model)

    def predict(self, model: Any, signature: Signature, inputs: Arrays) -> Arrays:
        """The outputs; raises InputError for rows that `preprocess` (or any function, by its own InputError) refuses."""
        known: Values = {
            "inputs": lambda: inputs,
            "instances": lambda: _instances(signature, inputs),
            "signature": lambda: signature,
            "options": lambda: self._options,
            "model": lambda: self._bare(model),
        }
        preprocess = self._function("preprocess")
        data: Any = None
        if preprocess is not None:
            data = self._preprocess(preprocess, known)
            known.update(inputs=lambda: data, instances=lambda: data)
        predict = self._function("predict")
        if predict is not None:
            answer = self._call(predict, known, ["model", "instances"])
        else:
            inner = self._inner.get(signature.name, signature)
            answer = call(self._loader, model, inner, inputs if preprocess is None else _arrays(data, inner))
        postprocess = self._function("postprocess")
        if postprocess is not None:
            first = answer if predict is not None else next(iter(answer.values()))
            given: Values = {**known, "predictions": lambda: first}
            answer = self._call(postprocess, given, ["predictions", "instances"])
        elif predict is None:
            return answer  # type: ignore[no-any-return]  # the format's loader gives arrays
        return _outputs(answer, signature)

    def _function(self, name: str) -> Optional[Callable[..., Any]]:
        found = getattr(self._module, name, None)
        return found if callable(found) else None

    def _bare(self, model: Any) -> Any:
        """The model as the user knows it, without the wrapper of the format's loader."""
        unwrap = getattr(self._loader, "unwrap", None)
        return model if unwrap is None or self._function("load") is not None else unwrap(model)

    def _preprocess(self, function: Callable[..., Any], known: Values) -> Any:
        try:
            return self._call(function, known, ["instances"])
        except _FAULTS as error:
            message = f"{error} is missing" if isinstance(error, KeyError) else str(error).split("\n")[0][:300]
            raise InputError(message) from error

    def _call(self, function: Callable[..., Any], known: Values, order: List[str]) -> Any:
        """The function's answer, waited for; parameters whose names are not known are filled in `order`."""
        parameters = inspect.signature(function).parameters.values()
        named = {"instances" if one.name == "inputs" else one.name for one in parameters if one.name in known}
        left = [name for name in order if name not in named]
        positional: List[Any] = []
        keywords: Dict[str, Any] = {}
        for one in parameters:
            if one.kind in (one.VAR_POSITIONAL, one.VAR_KEYWORD):
                continue
            if one.name not in known and (not left or one.kind is one.KEYWORD_ONLY):
                if one.default is one.empty:
                    raise TypeError(f"nothing fills the parameter {one.name!r} of {self._name}.{function.__name__}")
                continue
            value = known[one.name if one.name in known else left.pop(0)]()
            if one.kind is one.POSITIONAL_ONLY or (one.kind is one.POSITIONAL_OR_KEYWORD and not keywords):
                positional.append(value)
            else:
                keywords[one.name] = value
        answer = function(*positional, **keywords)
        return self._awaited(answer) if inspect.isawaitable(answer) else answer

    def _awaited(self, answer: Any) -> Any:
        if self._loop is None:  # one for the model's thread, so that what `load` opened is still there at `predict`
            self._loop = asyncio.new_event_loop()
            asyncio.set_event_loop(self._loop)
        return self._loop.run_until_complete(answer)


def _instances(signature: Signature, inputs: Arrays) -> List[Any]:
    """The rows as they came, or made of checked columns: objects where the columns have names, else lists."""
    arrays = list(inputs.values())
    if set(inputs) <= set(signature.raw) or (signature.layout == "tensors" and len(arrays) == 1):
        return [value.tolist() if isinstance(value, np.ndarray) else value for value in arrays[0]]
    if signature.layout == "matrix":
        rows: List[Any] = arrays[0].tolist()
        names = signature.columns
        return [dict(zip(names, row)) for row in rows] if len(names) == arrays[0].shape[1] else rows
    columns = [
        date_texts(array, signature.dates.get(name, "")) if array.dtype.kind == "M" else array.tolist()
        for name, array in inputs.items()
    ]
    return [dict(zip(inputs, row)) for row in zip(*columns)]


def _arrays(data: Any, signature: Signature) -> Arrays:
    """What `preprocess` gave, as the model's own inputs: arrays by name, a DataFrame, a 2-D array, or rows."""
    names = [spec.name for spec in signature.inputs]
    if hasattr(data, "columns") and hasattr(data, "to_numpy"):
        if signature.layout == "matrix":
            found = data[list(signature.columns)] if set(signature.columns) <= set(data.columns) else data
            return {names[0]: found.to_numpy(dtype=float)}
        return {name: data[name].to_numpy() for name in names}
    if isinstance(data, Mapping) and set(names) <= set(data):
        return {name: np.asarray(data[name]) for name in names}
    if isinstance(data, np.ndarray) and data.dtype != object:
        if len(names) == 1:
            return {names[0]: data}
        return {name: data[:, place] for place, name in enumerate(names)}
    rows = [row.tolist() if isinstance(row, np.ndarray) else row for row in data]
    try:
        arrays, _ = Rows(signature, _MOST_ROWS).decode([list(row) if isinstance(row, tuple) else row for row in rows])
    except ServeError as error:  # not the client's rows, but what was made of them
        raise TypeError(f"preprocess gave rows that the model does not take: {error.message}") from error
    return arrays


def _outputs(answer: Any, signature: Signature) -> Arrays:
    """An answer as arrays of rows: of a DataFrame or a dict each column is an output, of anything else the rows.

    A single column that is not declared makes an object of each row, as several do.
    """
    declared = {spec.name: spec for spec in signature.outputs}
    first = next(iter(declared), "predictions")
    columns = _columns(answer)
    if columns is None:
        columns = {first: _entries(answer, "predict")}
    elif len(columns) == 1 and (first in signature.raw or not set(columns) & set(declared)):
        ((name, values),) = columns.items()
        columns = {first: [{name: value} for value in values]}
    found = {}
    for name, values in columns.items():
        spec = declared.get(name)
        if spec is None or name in signature.raw:
            found[name] = _objects(values)
        else:
            found[name] = np.asarray(values, dtype=_DTYPES.get(spec.dtype, "object"))
    return found


def _columns(answer: Any) -> Optional[Dict[str, List[Any]]]:
    """The columns of a dict or a DataFrame; None for anything else. Raises WrongAnswerError for a dict of anything else."""
    if hasattr(answer, "columns") and hasattr(answer, "to_numpy"):
        return {str(name): _entries(answer[name], str(name)) for name in answer.columns}
    if not isinstance(answer, Mapping):
        return None
    return {str(name): _entries(values, str(name)) for name, values in answer.items()}


def _entries(values: Any, name: str) -> List[Any]:
    """The entries, one a row. Raises WrongAnswerError for one value, and for a tuple of lists, which are rows or outputs."""
    several = isinstance(values, tuple) and any(isinstance(one, (list, tuple, np.ndarray)) for one in values)
    if several or isinstance(values, (str, bytes, set, frozenset, Mapping)):
        raise WrongAnswerError(f"{name} is a {type(values).__name__}, and no list with one entry for each row")
    try:
        found = values.tolist() if hasattr(values, "tolist") else list(values)
    except TypeError:
        found = None
    if not isinstance(found, list):
        raise WrongAnswerError(f"{name} is one {type(values).__name__}, and no list with one entry for each row")
    return found


def _objects(rows: List[Any]) -> Any:
    """Any values as a 1-D array of objects, each as it is; of a dataclass its fields."""
    array = np.empty(len(rows), dtype=object)
    for place, row in enumerate(rows):
        record = dataclasses.is_dataclass(row) and not isinstance(row, type)
        array[place] = dataclasses.asdict(row) if record else row
    return array
