"""A small service in this process: real models in their threads, the contracts' routes, and a real server on a port of its own."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import uvloop

from mlpack.runtime.app import App
from mlpack.runtime.card import Card, Signature
from mlpack.runtime.http.body_budget import BodyBudget
from mlpack.runtime.http.messages import Response, Route
from mlpack.runtime.http.server import Server
from mlpack.runtime.models.batching import BatchingPredictor
from mlpack.runtime.models.loaded import LoadedModel
from mlpack.runtime.models.registry import Entry
from mlpack.runtime.settings import Settings
from mlpack.runtime.telemetry.logs import Log
from mlpack.runtime.telemetry.metrics import Metrics

SETTINGS = Settings()
LOOPS = {"uvloop": uvloop.new_event_loop, "asyncio": asyncio.new_event_loop}  # that of Linux and that of Windows
SIGNATURE = {
    "name": "predict", "method": "predict", "layout": "matrix", "batchable": True,
    "inputs": [{"name": "input", "dtype": "FP64", "shape": [-1, 2]}],
    "outputs": [{"name": "total", "dtype": "FP64", "shape": [-1]}],
}  # fmt: skip


def card(name: str = "sums", version: str | None = None, **more: Any) -> Card:
    """The card of a model that takes two numbers a row."""
    document = {"name": name, "version": version, "signatures": [SIGNATURE], "mlpack": "1.2.3", **more}
    signatures = tuple(Signature.from_json(one) for one in document["signatures"])
    return Card(name, version, Path("model"), {}, None, signatures, document)


def loader(factor: float = 1.0) -> Any:
    """The loader of a model that adds the numbers of a row and multiplies the sum by `factor`."""
    return SimpleNamespace(
        load=lambda _path, _options, _guard: factor,
        predict=lambda model, _signature, inputs: {"total": inputs["input"].sum(axis=1) * model},
    )


def quiet_log() -> Log:
    """A log that nobody reads."""
    return Log(os.open(os.devnull, os.O_WRONLY))


def loaded(
    name: str = "sums", version: str | None = None, *, factor: float = 1.0, started: bool = True, load: Any = None
) -> Entry:
    """An entry with a real model behind adaptive batching. `load` is a loader of one's own."""
    described = card(name, version)
    log, metrics = quiet_log(), Metrics()
    model = LoadedModel(described, load or loader(factor), log, metrics)
    predictor = BatchingPredictor(model, SETTINGS, log, metrics)
    if started:
        predictor.start([], lambda: None)
        assert model.decided.wait(30)
    return Entry(described, predictor, model)


class Reply(NamedTuple):
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        """The body."""
        return json.loads(self.body)


class Client:
    """Sends requests to one port, each on a connection of its own."""

    def __init__(self, port: int, server: Server) -> None:
        self.port = port
        self.server = server

    def get(self, path: str, **headers: str) -> Reply:
        """GET."""
        return self.send("GET", path, None, headers)

    def post(self, path: str, document: Any = None, **headers: str) -> Reply:
        """POST of JSON."""
        return self.send("POST", path, json.dumps(document).encode(), headers)

    def send(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> Reply:
        """One request; headers are given with `_` in place of `-`."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
            answer = connection.getresponse()
            found = {name.lower(): value for name, value in answer.getheaders()}
            return Reply(answer.status, found, answer.read())
        finally:
            connection.close()

    def connect(self) -> socket.socket:
        """A bare connection."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=30)


@contextmanager
def serving(
    routes: list[Route],
    settings: Settings = SETTINGS,
    log: Log | None = None,
    drain_s: float = 7.0,
    kind: str = "uvloop",
) -> Iterator[Client]:
    """Serve the routes as the runtime does, on one of the LOOPS; leaving the `with` stops the server and waits for its end."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.setblocking(False)
    server = Server(App(routes, settings, log or quiet_log(), Metrics()), BodyBudget(2**24), drain_s)

    def run() -> None:
        loop = LOOPS[kind]()
        asyncio.set_event_loop(loop)
        loop.run_until_complete(server.serve([listener]))
        loop.close()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield Client(listener.getsockname()[1], server)
    finally:
        server.should_exit = True
        thread.join(30)
    assert not thread.is_alive()


def rows(*values: list[float]) -> dict[str, Any]:
    """A body for /predict."""
    return {"instances": list(values)}


def tensor(*values: list[float]) -> dict[str, Any]:
    """A body for Open Inference."""
    data = np.array(values)
    return {"inputs": [{"name": "input", "datatype": "FP64", "shape": list(data.shape), "data": data.ravel().tolist()}]}


def text(words: str) -> Response:
    """An answer of plain text."""
    return Response(200, words.encode(), b"text/plain")
