"""A TensorFlow SavedModel in the image: loads it with its tags, and asks its signatures with named tensors."""

from __future__ import annotations

import hashlib
import os
from typing import Any, Dict, Mapping, Sequence, Set

import numpy as np

_TELLING = ("output_stream", "descriptor_source", "vocab_file", "module")  # as in nodes.py
_ABOUT_PLACES = ("Graph execution error", "Detected at node", "File ", "<stack traces", "[[", "{{", "Stack trace")


class InputError(ValueError):
    """Values that the model cannot take: a missing text, a message that cannot be parsed, a shape that does not fit."""


def prepare(options: Mapping[str, Any]) -> None:
    """Says which Keras is meant, before anything imports it: with `options["legacy"]` it is Keras 2, as tf-keras."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if options.get("legacy"):
        os.environ["TF_USE_LEGACY_KERAS"] = "1"


def load(path: str, options: Mapping[str, Any], guard: Any) -> Any:
    """The model in the folder; `options` has `tags`, and `legacy` for one that holds objects of Keras 2.

    What TensorFlow's own parser finds in the file must be what inspection listed.
    """
    prepare(options)
    import tensorflow as tf

    tags = list(options.get("tags") or ["serve"])
    guard.check("operators", _operators(path, tags))
    _threads(tf)
    if options.get("legacy"):
        import tf_keras  # noqa: F401 - knows the classes that the file's objects were made of
    return tf.saved_model.load(path, tags=tags)


def _operators(path: str, tags: Sequence[str]) -> Set[str]:
    """Every operator of the graph with these tags and of its functions, and digests of attributes that decide what one does."""
    from tensorflow.core.protobuf import saved_model_pb2

    saved = saved_model_pb2.SavedModel()
    with open(os.path.join(path, "saved_model.pb"), "rb") as file:  # noqa: PTH118, PTH123 - a loader stays plain
        saved.ParseFromString(file.read())
    found: Set[str] = set()
    for graph in saved.meta_graphs:
        if len(saved.meta_graphs) > 1 and set(graph.meta_info_def.tags) != set(tags):
            continue
        bodies = [graph.graph_def.node, *(one.node_def for one in graph.graph_def.library.function)]
        for node in (node for body in bodies for node in body):
            found.add(node.op)
            for key in _TELLING:
                if node.attr[key].s if key in node.attr else b"":
                    found.add(f"{node.op} {key} sha256:{hashlib.sha256(node.attr[key].s).hexdigest()}")
    return found


def predict(model: Any, signature: Any, inputs: Mapping[str, Any]) -> Dict[str, Any]:
    """The signature's outputs.

    Raises:
        InputError: a text is missing, or TensorFlow says that it cannot take a value.
    """
    import tensorflow as tf

    call = model.signatures[signature.name]
    wanted = call.structured_input_signature[1]
    tensors = {}
    for name, array in inputs.items():
        tensor = tf.constant(_plain(array))
        dtype = wanted[name].dtype if name in wanted else tensor.dtype
        tensors[name] = tensor if tensor.dtype == dtype else tf.cast(tensor, dtype)
    try:
        answers = call(**tensors)
    except (tf.errors.InvalidArgumentError, tf.errors.OutOfRangeError) as error:
        raise InputError(_said(error)) from error
    return {spec.name: _array(answers[spec.name]) for spec in signature.outputs}


def _threads(tf: Any) -> None:
    """TensorFlow takes a thread for each of the machine's cores, also where the container may use fewer."""
    asked = os.environ.get("TF_NUM_INTRAOP_THREADS") or os.environ.get("OMP_NUM_THREADS")
    if asked and asked.isdecimal() and int(asked) > 0:
        try:
            tf.config.threading.set_intra_op_parallelism_threads(int(asked))
            tf.config.threading.set_inter_op_parallelism_threads(min(2, int(asked)))
        except RuntimeError:  # it runs already, in a process of somebody's own
            return


def _plain(array: Any) -> Any:
    """An array as TensorFlow takes it: texts as bytes."""
    if array.dtype != object:
        return array
    found = np.empty(array.shape, dtype=object)
    for place, value in enumerate(array.ravel()):
        if value is None:
            raise InputError("a text is missing")
        found.flat[place] = value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogateescape")
    return found


def _array(answer: Any) -> Any:
    found = answer.numpy()
    if getattr(answer, "dtype", None) is not None and answer.dtype.name == "bfloat16":
        return found.astype("float32")
    if isinstance(found, bytes):
        return np.array(_text(found), dtype=object)
    if found.dtype == object:
        decoded = np.empty(found.size, dtype=object)
        decoded[:] = [_text(value) for value in found.ravel()]
        return decoded.reshape(found.shape)
    return found


def _text(value: bytes) -> Any:
    """A text, or the bytes as they are where they are none."""
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return value


def _said(error: Any) -> str:
    """The line that says what is wrong, of the many that TensorFlow writes about where."""
    lines = [line.strip() for line in str(error.message).split("\n")]
    told = [line for line in lines if line and not line.startswith(_ABOUT_PLACES)]
    return (told or lines)[0][:300]
