"""Keras in the image: loads what Keras 2 or 3 saved, on TensorFlow, and answers arrays with arrays."""

from __future__ import annotations

import importlib
import inspect
import os
import tempfile
from typing import Any, Dict, List, Mapping

import numpy as np

from .ends import arranged, by_name
from .names import UnreadableError, names_in

__all__ = ["InputError", "Model", "UnreadableError", "load", "predict", "prepare", "unwrap", "wrap"]

_DTYPES = {
    "BOOL": "bool", "INT8": "int8", "INT16": "int16", "INT32": "int32", "INT64": "int64", "UINT8": "uint8",
    "UINT16": "uint16", "UINT32": "uint32", "UINT64": "uint64", "FP16": "float16", "FP32": "float32", "FP64": "float64",
    "BYTES": "string",
}  # fmt: skip
_ABOUT_PLACES = ("Graph execution error", "Detected at node", "File ", "<stack traces", "[[", "{{", "Stack trace")
_SUFFIX = {"hdf5": ".h5", "zip": ".keras", "folder": ""}


class InputError(ValueError):
    """Values that the model cannot take: a missing text, a number that its layers do not know."""


class Model:
    """A Keras model and, for each signature, its graph: traced once, for any number of rows."""

    def __init__(self, keras_model: Any, options: Mapping[str, Any]) -> None:
        self.keras_model = keras_model
        self.named = bool(options.get("named"))
        self.nested = options.get("nested")
        self.graphs: Dict[int, Any] = {}
        layers = keras_model._flatten_layers() if options.get("stateful") else ()  # noqa: SLF001 - no other name reaches all
        self.stateful = [one for one in layers if getattr(one, "stateful", False) and hasattr(one, "reset_states")]


def prepare(options: Mapping[str, Any]) -> None:
    """Says which Keras is meant, before anything imports it: with `options["legacy"]` it is Keras 2, as tf-keras."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    if options.get("legacy"):
        os.environ["TF_USE_LEGACY_KERAS"] = "1"


def load(path: str, options: Mapping[str, Any], guard: Any) -> Model:
    """The model in the file, without its optimizer; `options["legacy"]` says that Keras 2 wrote it.

    The configuration is read first, as Keras reads it, and every name in it must be one that inspection listed.
    """
    prepare(options)
    names = names_in(path, str(options.get("container")))
    for kind, found in names.items():
        guard.check(kind, found)
    keras = importlib.import_module("tf_keras" if options.get("legacy") else "keras")
    _threads()
    own = {name: _found(dotted) for name, dotted in (options.get("own") or {}).items()}
    own.update({name.rpartition(">")[2]: value for name, value in list(own.items())})
    named = _with_suffix(path, _SUFFIX.get(str(options.get("container")), ""))
    # Keras's safe mode refuses all functions by value; these are listed one by one. It is known from 2.13 on.
    known = "safe_mode" in inspect.signature(keras.models.load_model).parameters
    more = {"safe_mode": not names["code"]} if known else {}
    return Model(keras.models.load_model(named, custom_objects=own, compile=False, **more), options)


def wrap(keras_model: Any) -> Model:
    """A model that the user's own code loaded, as `predict` takes it."""
    return keras_model if isinstance(keras_model, Model) else Model(keras_model, {})


def unwrap(model: Model) -> Any:
    """The model, as the user's own code knows it."""
    return model.keras_model


def predict(model: Model, signature: Any, inputs: Mapping[str, Any]) -> Dict[str, Any]:
    """The signature's outputs.

    Raises:
        InputError: a text is missing, or the model says that it cannot take a value.
    """
    import tensorflow as tf

    graph = model.graphs.get(id(signature))
    if graph is None:
        graph = model.graphs[id(signature)] = _graph(tf, model, signature)
    names = [spec.name for spec in signature.inputs]
    try:
        tensors = [tf.constant(_plain(inputs[name])) for name in names]
        for layer in model.stateful:  # else a row's answer depends on the requests before
            layer.reset_states()
        answers = graph(*tensors)
    except tf.errors.InvalidArgumentError as error:
        raise InputError(_said(error)) from error
    told = by_name(answers, [spec.name for spec in signature.outputs])
    return {name: _array(answer) for name, answer in told.items()}


def _graph(tf: Any, model: Model, signature: Any) -> Any:
    """The model as a function of tensors, traced for any number of rows, so that no count of rows is traced anew."""
    names = [spec.name for spec in signature.inputs]
    fixed = getattr(signature, "batch", "any")

    def call(*tensors: Any) -> Any:
        given: Any = dict(zip(names, tensors))
        if model.nested is not None:
            given = arranged(model.nested, given)
        elif not model.named:
            given = list(tensors) if len(tensors) > 1 else tensors[0]
        return model.keras_model(given, training=False)

    specs: List[Any] = []
    for spec in signature.inputs:
        lengths = [length if isinstance(length, int) and length >= 0 else None for length in spec.shape[1:]]
        first: List[Any] = [] if fixed == "none" else [1 if fixed == "one" else None]
        specs.append(tf.TensorSpec(first + lengths, _DTYPES[spec.dtype], name=None))
    traced = tf.function(call, input_signature=specs)
    try:
        traced.get_concrete_function()
    except Exception:  # noqa: BLE001 - a layer of the user's own may do what only works step by step
        return call
    return traced


def _threads() -> None:
    """TensorFlow takes a thread for each of the machine's cores, also where the container may use fewer."""
    import tensorflow as tf

    asked = os.environ.get("TF_NUM_INTRAOP_THREADS") or os.environ.get("OMP_NUM_THREADS")
    if asked and asked.isdecimal() and int(asked) > 0:
        try:
            tf.config.threading.set_intra_op_parallelism_threads(int(asked))
            tf.config.threading.set_inter_op_parallelism_threads(min(2, int(asked)))
        except RuntimeError:  # it runs already, in a process of somebody's own
            return


def _found(dotted: str) -> Any:
    """A class or function of the user's own by its path; of `__main__`, where the server put it."""
    module, _, name = dotted.rpartition(".")
    return getattr(importlib.import_module(module), name)


def _with_suffix(path: str, suffix: str) -> str:
    """The path under a name that Keras knows by its ending; a link where the file is called otherwise."""
    known = (".h5", ".hdf5") if suffix == ".h5" else (suffix,)
    if path.endswith(known):
        return path
    link = os.path.join(tempfile.mkdtemp(prefix="mlpack-"), "model" + suffix)  # noqa: PTH118 - a loader stays plain
    os.symlink(os.path.abspath(path), link)  # noqa: PTH100, PTH211 - the same
    return link


def _plain(array: Any) -> Any:
    if array.dtype != object:
        return array
    found = np.empty(array.shape, dtype=object)
    for place, value in enumerate(array.ravel()):
        if value is None:
            raise InputError("a text is missing")
        found.flat[place] = value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogateescape")
    return found


def _text(value: bytes) -> Any:
    """A text, or the bytes as they are where they are none."""
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return value


def _array(answer: Any) -> Any:
    found = answer.numpy() if hasattr(answer, "numpy") else np.asarray(answer)
    if found.dtype.name == "bfloat16":
        return found.astype("float32")
    if found.dtype == object:
        texts = [_text(value) if isinstance(value, bytes) else value for value in found.ravel()]
        decoded = np.empty(len(texts), dtype=object)
        decoded[:] = texts
        return decoded.reshape(found.shape)
    return found


def _said(error: Any) -> str:
    """The line that says what is wrong, of the many that TensorFlow writes about where."""
    lines = [line.strip() for line in str(error.message).split("\n")]
    told = [line for line in lines if line and not line.startswith(_ABOUT_PLACES)]
    return (told or lines)[0][:300]
