"""Engines have all that their protocols promise; the type checker compares the signatures."""

from __future__ import annotations

from mlpack.engines.base import Engine, LocalRunner
from mlpack.engines.docker import DockerEngine
from mlpack.engines.process.runner import ProcessRunner
from mlpack.plugins import BUILT_IN, load
from tests.standins.toy_engine import ToyEngine

ENGINES: list[type[Engine]] = [DockerEngine, ToyEngine]
LOCAL_RUNNERS: list[type[LocalRunner]] = [ProcessRunner]


def test_every_engine_is_of_one_kind() -> None:
    """A class attribute says which; no name does."""
    found = {load("engines", name).is_local: load("engines", name) for name in BUILT_IN["engines"]}
    assert found == {False: ENGINES[0], True: LOCAL_RUNNERS[0]}
