"""A TensorFlow SavedModel in the image: loads it with its tags, and asks its signatures with named tensors."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from typing import Any, Dict, Iterator, Mapping

import numpy as np


class InputError(ValueError):
    """Values that the model cannot take: a missing text, a message that cannot be parsed, a shape that does not fit."""


def load(path: str, options: Mapping[str, Any]) -> Any:
    """The model in the folder; `options` has `tags`, and `legacy` for one that holds objects of Keras 2."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if options.get("legacy"):
        os.environ["TF_USE_LEGACY_KERAS"] = "1"
    with _quiet():
        import tensorflow as tf

        _threads(tf)
        if options.get("legacy"):
            import tf_keras  # noqa: F401 - knows the classes that the file's objects were made of
        return tf.saved_model.load(path, tags=list(options.get("tags") or ["serve"]))


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
        raise InputError(str(error.message).strip().split("\n")[0][:300]) from error
    return {spec.name: _array(answers[spec.name]) for spec in signature.outputs}


@contextmanager
def _quiet() -> Iterator[None]:
    """Keeps what TensorFlow's C++ half chats on stderr while it starts out of the log, whose lines are JSON; not a failure's."""
    sys.stderr.flush()
    kept = os.dup(2)
    held = os.memfd_create("chatter")
    os.dup2(held, 2)
    try:
        yield
    except BaseException:
        os.lseek(held, 0, os.SEEK_SET)
        sys.stderr.write(os.read(held, 20_000).decode("utf-8", "replace"))
        raise
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(held)


def _threads(tf: Any) -> None:
    """TensorFlow takes a thread for each of the machine's cores, also where the container may use fewer."""
    asked = os.environ.get("TF_NUM_INTRAOP_THREADS") or os.environ.get("OMP_NUM_THREADS")
    if asked and asked.isdigit() and int(asked) > 0:
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
        return np.array(found.decode("utf-8", "replace"), dtype=object)
    if found.dtype == object:
        decoded = np.empty(found.size, dtype=object)
        decoded[:] = [value.decode("utf-8", "replace") for value in found.ravel()]
        return decoded.reshape(found.shape)
    return found
