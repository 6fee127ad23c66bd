"""TensorFlow Lite in the image: runs a model with LiteRT's interpreter on the CPU, and answers arrays with arrays."""

from __future__ import annotations

import contextlib
import os
from typing import Any, Dict, Iterator, Mapping, Sequence

import numpy as np


class InputError(ValueError):
    """Values that the model cannot take: a missing text, axes of another length."""


class Model:
    """An interpreter, its signatures' runners by key, and the axes that each tensor of the main graph was last given."""

    def __init__(self, interpreter: Any) -> None:
        self.interpreter = interpreter
        self.runners = {key: interpreter.get_signature_runner(key) for key in interpreter.get_signature_list()}
        self.inputs = _by_name(interpreter.get_input_details())
        self.outputs = {name: one["index"] for name, one in _by_name(interpreter.get_output_details()).items()}
        self.shapes: Dict[str, Any] = {}
        self.sizes: Dict[str, Any] = {}  # of the last call that was answered: others allocate, and print
        self.free = _has_free_sizes(interpreter)


def load(path: str, options: Mapping[str, Any], guard: Any) -> Model:  # noqa: ARG001 - the file names nothing
    """The model in the file."""
    from ai_edge_litert.interpreter import Interpreter

    with _silent():
        interpreter = Interpreter(model_path=path, num_threads=_threads())
        if not _has_free_sizes(interpreter):  # else each call allocates: the placeholder of a free size is no real one
            interpreter.allocate_tensors()
        return Model(interpreter)


def wrap(interpreter: Any) -> Model:
    """An interpreter that the user's own code made, as `predict` takes it."""
    return interpreter if isinstance(interpreter, Model) else Model(interpreter)


def unwrap(model: Model) -> Any:
    """The interpreter, as the user's own code knows it."""
    return model.interpreter


def predict(model: Model, signature: Any, inputs: Mapping[str, Any]) -> Dict[str, Any]:
    """The signature's outputs.

    Raises:
        InputError: a text is missing, or an axis has another length than the model wants.
    """
    feed = {name: _given(array, name) for name, array in inputs.items()}
    runner = model.runners.get(signature.method)
    sizes = {name: array.shape for name, array in feed.items()}
    try:
        with _silent() if model.free and sizes != model.sizes else contextlib.nullcontext():
            answers = runner(**feed) if runner is not None else _main(model, feed)
        model.sizes = sizes
    except (ValueError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and not model.free:
            raise
        raise InputError(str(error).split("\n")[0][:300]) from error
    return {spec.name: _answer(answers[spec.name]) for spec in signature.outputs}


def _by_name(details: Sequence[Mapping[str, Any]]) -> Dict[str, Any]:
    """The tensors by names of their own, as inspection counts them: names of a graph may be the same, or none."""
    found: Dict[str, Any] = {}
    for one in details:
        name, number = one["name"], 0
        while name in found:
            number += 1
            name = "{}_{}".format(one["name"], number)
        found[name] = one
    return found


def _has_free_sizes(interpreter: Any) -> bool:
    """Whether an input has axes of any length; the file has a placeholder for each."""
    return any(-1 in one["shape_signature"] for one in interpreter.get_input_details())


def _main(model: Model, feed: Mapping[str, Any]) -> Dict[str, Any]:
    """A file without signatures: its tensors by name."""
    shapes = {name: array.shape for name, array in feed.items()}
    if shapes != model.shapes:
        model.shapes = {}  # until it is allocated: a size that does not fit fails there
        for name, array in feed.items():
            model.interpreter.resize_tensor_input(model.inputs[name]["index"], array.shape)
        model.interpreter.allocate_tensors()
        model.shapes = shapes
    for name, array in feed.items():
        model.interpreter.set_tensor(model.inputs[name]["index"], array)
    model.interpreter.invoke()
    return {name: model.interpreter.get_tensor(index) for name, index in model.outputs.items()}


def _given(array: Any, name: str) -> Any:
    """Texts as bytes, which is what the interpreter takes."""
    if array.dtype != object:
        return np.ascontiguousarray(array)
    if any(value is None for value in array.ravel()):
        raise InputError(f"a text of {name!r} is missing, and TensorFlow Lite has no missing texts")
    encoded = np.empty(array.shape, dtype=object)
    encoded.ravel()[:] = [value if isinstance(value, bytes) else value.encode() for value in array.ravel()]
    return encoded


def _answer(answer: Any) -> Any:
    array = np.array(answer)
    if array.dtype.kind not in "SO":
        return array
    texts = np.empty(array.shape, dtype=object)
    texts.ravel()[:] = [_text(value) if isinstance(value, bytes) else str(value) for value in array.ravel()]
    return texts


def _text(value: bytes) -> Any:
    """A text, or the bytes as they are where they are none."""
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return value


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """Without what the library writes to standard error by itself: no line of the log that a collector can read."""
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def _threads() -> int:
    """OMP_NUM_THREADS, else one: the interpreter gains little from more, and workers are there for that."""
    said = os.environ.get("OMP_NUM_THREADS", "")
    return int(said) if said.isdecimal() and int(said) > 0 else 1
