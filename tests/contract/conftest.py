"""Servers that many tests ask, started once; and `serve`, which starts one for a single test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.contract import models
from tests.contract.coordinators import Coordinate, coordinators
from tests.contract.served import Server, assemble, started

Serve = Callable[..., Server]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Assemble and start a server: `serve(model=..., signatures=..., ready=True, env={}, argv=(), ...)`."""
    with ExitStack() as stack:

        def start(
            *, ready: bool = True, env: dict[str, str] | None = None, argv: tuple[str, ...] = (), **app: Any
        ) -> Server:
            folder = assemble(tmp_path / f"app{len(list(tmp_path.iterdir()))}", **app)
            return stack.enter_context(started(folder, env=env, argv=argv, ready=ready))

        yield start


@pytest.fixture
def coordinate(tmp_path: Path) -> Iterator[Coordinate]:
    """Start a coordinator of these members: `coordinate(members, reducer="soft_vote", settings="", ready=True)`."""
    with coordinators(tmp_path) as start:
        yield start


@pytest.fixture(scope="session")
def iris(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A classifier on a named matrix, at most 50 rows and 64 KiB a request."""
    model, signatures, _ = models.iris()
    settings = 'max_rows=50, max_body="64KiB"'
    folder = assemble(
        tmp_path_factory.mktemp("iris") / "app", model=models.pickled(model), signatures=signatures, settings=settings
    )
    with started(folder) as server:
        yield server


@pytest.fixture(scope="session")
def houses(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A regressor on mixed named columns."""
    model, signatures, _ = models.houses()
    folder = assemble(tmp_path_factory.mktemp("houses") / "app", model=models.pickled(model), signatures=signatures)
    with started(folder) as server:
        yield server


@pytest.fixture(scope="session")
def spam(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A text classifier."""
    model, signatures, _ = models.spam()
    folder = assemble(tmp_path_factory.mktemp("spam") / "app", model=models.pickled(model), signatures=signatures)
    with started(folder) as server:
        yield server


@pytest.fixture(scope="session")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A model of two named tensors, integers and floats, with two outputs: scores of rank 2, labels of rank 1."""
    folder = assemble(
        tmp_path_factory.mktemp("pair") / "app",
        model=b"x",
        signatures=(models.PAIR,),
        loader=models.PAIR_LOADER,
        version="1.4.0",
    )
    with started(folder) as server:
        yield server
