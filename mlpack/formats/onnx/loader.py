"""ONNX in the image: loads a graph with onnxruntime on the CPU, and answers arrays with arrays."""

from __future__ import annotations

import os
from typing import Any, Dict, List, Mapping, Optional, Sequence

import numpy as np

_FATAL = 4


class InputError(ValueError):
    """Values that the model cannot take: a missing text, axes of another length."""


class Model:
    """A session, and how many axes each input has (None where the file does not tell)."""

    def __init__(self, session: Any) -> None:
        self.session = session
        self.ranks = {one.name: _rank(one.shape) for one in session.get_inputs()}


def load(path: str, options: Mapping[str, Any], guard: Any) -> Model:  # noqa: ARG001 - the file names nothing
    """The graph in the file; its data files lie beside it. with `options["extensions"]` it has onnxruntime-extensions'."""
    import onnxruntime

    # Errors come as exceptions; onnxruntime also prints them to standard error, as lines that are not JSON.
    onnxruntime.set_default_logger_severity(_FATAL)
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = _threads()
    settings.log_severity_level = _FATAL
    # Threads that wait for work spin by default, which takes the CPU from the other workers of a small container.
    settings.add_session_config_entry("session.intra_op.allow_spinning", "0")
    if options.get("extensions"):
        import onnxruntime_extensions

        settings.register_custom_ops_library(onnxruntime_extensions.get_library_path())
    return Model(
        onnxruntime.InferenceSession(path, settings, providers=_providers(onnxruntime.get_available_providers()))
    )


def wrap(session: Any) -> Model:
    """A session that the user's own code made, as `predict` takes it."""
    return session if isinstance(session, Model) else Model(session)


def unwrap(model: Model) -> Any:
    """The session, as the user's own code knows it."""
    return model.session


def predict(model: Model, signature: Any, inputs: Mapping[str, Any]) -> Dict[str, Any]:
    """The signature's outputs.

    Raises:
        InputError: a text is missing, or an axis has another length than the graph wants.
    """
    feed = {name: _given(array, model.ranks.get(name), name) for name, array in inputs.items()}
    names = [spec.name for spec in signature.outputs]
    try:
        answers = model.session.run(names, feed)
    except Exception as error:
        if type(error).__name__ == "InvalidArgument":  # its own class has no public place
            raise InputError(str(error).split("\n")[0].rpartition(" : ")[2][:300]) from error
        raise
    return {name: _answer(answer, signature.classes) for name, answer in zip(names, answers)}


def _providers(there: Sequence[str]) -> List[str]:
    """CUDA where the image was made with it, and the CPU."""
    return [name for name in ("CUDAExecutionProvider", "CPUExecutionProvider") if name in there]


def _rank(shape: Any) -> Optional[int]:
    return len(shape) if shape is not None else None


def _given(array: Any, rank: Optional[int], name: str) -> Any:
    """The array with the axes that the graph wants: a column is one axis here, and often a second of length 1 there."""
    if array.dtype == object and any(value is None for value in array.ravel()):
        raise InputError(f"a text of {name!r} is missing, and ONNX has no missing texts")
    if array.dtype == object and any(isinstance(value, bytes) for value in array.ravel()):  # it would take their repr()
        raise InputError(f"a text of {name!r} is not UTF-8, which ONNX wants")
    return array.reshape(-1, 1) if rank == 2 and array.ndim == 1 else array


def _answer(answer: Any, classes: Any) -> Any:
    """An array; of ZipMap's dictionaries the numbers in the order of the labels."""
    if not isinstance(answer, list):
        return np.asarray(answer)
    if not answer or not isinstance(answer[0], Mapping):
        return np.asarray(answer)
    labels = list(classes) if classes else sorted(answer[0])
    return np.array([[row[label] for label in labels] for row in answer], dtype=np.float32)


def _threads() -> int:
    """OMP_NUM_THREADS, else as many as the container may use; onnxruntime itself would count the machine's cores."""
    said = os.environ.get("OMP_NUM_THREADS", "")
    if said.isdecimal() and int(said) > 0:
        return int(said)
    mine = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota, period = _limit("/sys/fs/cgroup/cpu.max") or (
        _number("/sys/fs/cgroup/cpu/cpu.cfs_quota_us"),
        _number("/sys/fs/cgroup/cpu/cpu.cfs_period_us"),
    )
    return max(1, min(mine, -(-quota // period))) if quota > 0 and period > 0 else max(1, mine)


def _limit(path: str) -> Any:
    """Of cgroup v2, the quota and period; (0, 0) without a limit, None where there is no such file."""
    try:
        with open(path) as file:  # noqa: PTH123 - a loader stays plain
            quota, period = file.read().split()
    except (OSError, ValueError):
        return None
    return (int(quota), int(period)) if quota.isdecimal() else (0, 0)


def _number(path: str) -> int:
    try:
        with open(path) as file:  # noqa: PTH123 - a loader stays plain
            return int(file.read())
    except (OSError, ValueError):
        return 0
