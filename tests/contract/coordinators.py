"""Coordinators of ensembles as real servers: `coordinators`, and `entry`, which is a member of their plan."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from tests.contract import models
from tests.contract.served import Server, assemble, started

LOADER = "from mlpack.runtime.ensembles.coordinator import Coordinator\n"
INPUT = {"name": "input", "dtype": "FP64", "shape": [-1, 4]}
Coordinate = Callable[..., Server]


def entry(name: str, url: str, *, classes: Sequence[Any] = (0, 1, 2), **more: Any) -> dict[str, Any]:
    """A member that is asked for probabilities."""
    query = {"method": "predict_proba", "inputs": [INPUT], "output": "predict_proba", "classes": list(classes)}
    return {"name": name, "url": url, "model": "test", "contract": "v2", "queries": {"predict_proba": query}, **more}


@contextmanager
def coordinators(folder: Path) -> Iterator[Coordinate]:
    """Starts coordinators of members: `coordinate(members, reducer="soft_vote", settings="", ready=True)`."""
    with ExitStack() as stack:

        def start(
            members: Sequence[dict[str, Any]],
            *,
            reducer: str = "soft_vote",
            settings: str = "",
            ready: bool = True,
            classes: Sequence[Any] = (0, 1, 2),
            **plan: Any,
        ) -> Server:
            document = {"reducer": reducer, "classes": list(classes), "members": list(members), **plan}
            common: dict[str, Any] = {"classes": tuple(classes), "batchable": True}
            signatures = (
                models.matrix("predict", 4, models.out("predict", "INT64"), **common),
                models.matrix("predict_proba", 4, models.out("predict_proba", "FP64", len(classes)), **common),
            )
            app = assemble(
                folder / f"coordinator{len(list(folder.iterdir()))}",
                model=json.dumps(document).encode(), signatures=signatures, loader=LOADER, settings=settings,
                details={"ensemble": {"reduce": reducer}},
            )  # fmt: skip
            return stack.enter_context(started(app, ready=ready))

        yield start


def at(server: Server) -> str:
    """The server's URL."""
    return f"http://127.0.0.1:{server.port}"
