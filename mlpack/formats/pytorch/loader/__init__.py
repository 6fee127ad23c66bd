"""PyTorch in the image: loads TorchScript, a module, weights or an exported program, and answers arrays with arrays."""

from __future__ import annotations

import importlib
import inspect
import os
from typing import Any, List, Mapping, Optional

import torch

from .calls import Model, predict
from .pickles import picked, unpickled
from .programs import exported
from .scripts import scripted

__all__ = ["Model", "load", "predict", "unwrap", "wrap"]


def load(path: str, options: Mapping[str, Any], guard: Any) -> Model:
    """The model in the file, ready to answer; `options["kind"]` says what the file is.

    Raises:
        ValueError: the weights do not fit the module that the user's function makes; the file is of another kind.
        the guard's own error: the file names something that `guard` does not list.
    """
    threads = os.environ.get("OMP_NUM_THREADS", "")
    if threads.isdecimal() and int(threads) > 0:
        torch.set_num_threads(int(threads))
    kind = options.get("kind")
    if kind == "torchscript":
        return scripted(path, options, guard)
    if kind == "exported":
        return exported(path, options, guard)
    if kind == "module":
        held = unpickled(path, guard)
        return wrap(picked(held, options.get("key")), options)
    return wrap(_made(path, options, guard), options)


def wrap(module: Any, options: Optional[Mapping[str, Any]] = None) -> Model:
    """A module that the user's own code loaded, as `predict` takes it."""
    if isinstance(module, Model):
        return module
    if hasattr(module, "eval"):
        module.eval()
    names = _parameters(module)

    def ask(inputs: Mapping[str, Any]) -> Any:
        if set(inputs) <= set(names):
            return module(**inputs)
        return module(*inputs.values())

    return Model(ask, module, options or {})


def unwrap(model: Model) -> Any:
    """The module, as the user's own code knows it."""
    return model.module


def _made(path: str, options: Mapping[str, Any], guard: Any) -> Any:
    """The module of the user's function with the file's weights in it."""
    name, _, function = str(options["entry"]).partition(":")
    module = getattr(importlib.import_module(name), function)()
    state = _state(path, options, guard)
    try:
        module.load_state_dict(state, strict=True)
    except RuntimeError as error:
        raise ValueError(f"the weights do not fit the module that {options['entry']} makes: {error}") from error
    return module


def _state(path: str, options: Mapping[str, Any], guard: Any) -> Any:
    if options.get("kind") == "safetensors":
        return importlib.import_module("safetensors.torch").load_file(path)
    held = unpickled(path, guard, weights=True)
    state = picked(held, options.get("key"))
    # Weights that were saved from a model in parallel, or compiled, have its name before each of theirs.
    for prefix in ("module.", "_orig_mod."):
        if state and all(str(name).startswith(prefix) for name in state):
            state = {name[len(prefix) :]: value for name, value in state.items()}
    return state


def _parameters(module: Any) -> List[str]:
    try:
        found = inspect.signature(getattr(module, "forward", module)).parameters.values()
    except (TypeError, ValueError):  # made in C++
        return []
    return [one.name for one in found if one.kind in (one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY)]
