"""Which loaders there are: groups by what has to be imported for them. A group is a function that imports and names them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.fuzz.loaders.events import Events

Loader = Callable[[str, dict[str, Any]], Any]  # (path, request) -> what the oracle compares, as JSON values


def _pickles(events: Events) -> dict[str, Loader]:
    from tests.fuzz.loaders.pickles import loaders

    return loaders(events)


def _torch(events: Events) -> dict[str, Loader]:
    from tests.fuzz.loaders.torch_files import loaders

    return loaders(events)


def _hdf5(events: Events) -> dict[str, Loader]:  # noqa: ARG001 - it looks up no names
    from tests.fuzz.loaders.hdf5 import loaders

    return loaders()


def _onnx(events: Events) -> dict[str, Loader]:  # noqa: ARG001 - it looks up no names
    from tests.fuzz.loaders.onnx_files import loaders

    return loaders()


def _tensorflow(events: Events) -> dict[str, Loader]:  # noqa: ARG001 - it looks up no names
    from tests.fuzz.loaders.saved_models import loaders

    return loaders()


GROUPS: dict[str, Callable[[Events], dict[str, Loader]]] = {
    "pickles": _pickles,
    "torch": _torch,
    "hdf5": _hdf5,
    "onnx": _onnx,
    "tensorflow": _tensorflow,
}
FRAMEWORKS = frozenset({"torch", "tensorflow"})  # groups that need the environment of the frameworks
