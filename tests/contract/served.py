"""A folder like /app made of a model and a card, and the server process that runs from it."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mlpack.artifacts.model import Signature
from mlpack.readers.pickles.files import read_pickles
from tests.ports import free_port

ROOT = Path(__file__).resolve().parents[2]
SKLEARN_LOADER = ROOT / "mlpack" / "formats" / "sklearn" / "loader"
PATIENCE_S = 180  # how long anything may take on a busy machine; nothing is proven by how quick it was
HELD = "held"  # while the folder has this file, a model that asks for it stays busy
BUSY = "busy"  # the file that such a model writes when it begins

SERVE = """import sys
from mlpack.runtime.cpus import limit_threads
limit_threads()
import loader
from mlpack.runtime.server import serve
from mlpack.runtime.settings import Batch, Settings

SETTINGS = Settings({settings})

if __name__ == "__main__":
    raise SystemExit(serve(loader, card="model.json", settings=SETTINGS, argv=sys.argv[1:]))
"""


def assemble(
    folder: Path,
    *,
    model: bytes | Path,
    signatures: Sequence[Signature],
    loader: Path | str = SKLEARN_LOADER,
    settings: str = "",
    **card: Any,
) -> Path:
    """Lay out `folder` as the image's /app. `loader` is a file, its text or a folder; `settings` the arguments of Settings()."""
    (folder / "model").mkdir(parents=True)
    if isinstance(model, Path):
        shutil.copyfile(model, folder / "model" / "model.pkl")
    else:
        (folder / "model" / "model.pkl").write_bytes(model)
    if isinstance(loader, Path) and loader.is_dir():
        shutil.copytree(loader, folder / "loader", ignore=shutil.ignore_patterns("__pycache__"))
    else:
        text = loader.read_text(encoding="utf-8") if isinstance(loader, Path) else loader
        (folder / "loader.py").write_text(text, encoding="utf-8")
    (folder / "serve.py").write_text(SERVE.format(settings=settings), encoding="utf-8")
    (folder / "mlpack").mkdir()
    (folder / "mlpack" / "__init__.py").write_text("", encoding="utf-8")
    skipped = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "mlpack" / "runtime", folder / "mlpack" / "runtime", ignore=skipped)
    document = {
        "schema": 1,
        "name": "test",
        "version": None,
        "model": {"file": "model/model.pkl", "sha256": "", "size": (folder / "model" / "model.pkl").stat().st_size},
        "lock": "sha256:0",
        "python": "3.11",
        "sample": None,
        "options": {},
        "mlpack": "0.1.0",
        "signatures": [signature.to_json() for signature in signatures],
        "guard": {"globals": _globals(folder / "model" / "model.pkl")},
        **card,
    }
    (folder / "model.json").write_text(json.dumps(document), encoding="utf-8")
    return folder


def _globals(model: Path) -> list[str]:
    """What inspection lists for the image's guard."""
    pickles = read_pickles(model)
    return [] if pickles is None else [name.reference for name in pickles.globals]


@dataclass
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """The body as JSON, strictly: NaN is none."""

        def refuse(token: str) -> None:
            raise AssertionError(f"{token} in an answer")

        return json.loads(self.body, parse_constant=refuse)

    @property
    def code(self) -> str:
        """The error's code; checks the error's shape on the way."""
        error = self.json()["error"]
        assert set(error) == {"code", "message", "detail"}
        assert isinstance(error["message"], str)
        assert error["message"]
        return str(error["code"])


@dataclass
class Server:
    """A server process, and the ways to talk to it."""

    process: subprocess.Popen[bytes]
    port: int
    output: Path
    errors: Path
    folder: Path
    exit: int | None = field(default=None)

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        timeout: float = PATIENCE_S,
    ) -> Answer:
        """One request on a connection of its own; a body that is not bytes is sent as JSON."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
            given = {"Content-Type": "application/json"} if data is not None else {}
            connection.request(method, path, data, {**given, **(headers or {})})
            answer = connection.getresponse()
            return Answer(answer.status, {key.lower(): value for key, value in answer.getheaders()}, answer.read())
        finally:
            connection.close()

    def predict(self, body: Any, method: str = "", **more: Any) -> Answer:
        """POST /predict."""
        return self.request("POST", "/predict" + (f"?method={method}" if method else ""), body, **more)

    def until(self, path: str, status: int, seconds: float = PATIENCE_S) -> Answer:
        """Ask until the status comes."""
        end = time.monotonic() + seconds
        last: object = None
        while time.monotonic() < end:
            try:
                answer = self.request("GET", path, timeout=20)
            except OSError as error:
                last = error
            else:
                if answer.status == status:
                    return answer
                last = answer
            if self.process.poll() is not None:
                break
            time.sleep(0.01)
        raise AssertionError(f"{path} never answered {status}: {last}\n{self.text()}")

    def until_bound(self) -> None:
        """Wait until the port takes connections, before anything answers on it."""
        within(self._takes_connections, self.text)

    def until_closed(self) -> None:
        """Wait until the port takes no more connections, while who is inside may still be answered."""
        within(lambda: not self._takes_connections(), self.text)

    def _takes_connections(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def until_waiting(self, rows: int) -> None:
        """Wait until so many rows are in the queue or in the model."""
        within(lambda: self.metric("mlpack_queue_rows") == rows, self.text)

    def metric(self, name: str) -> float:
        """A line of /metrics; 0 where it is not there yet."""
        lines = self.request("GET", "/metrics").body.decode().splitlines()
        return next((float(line.rpartition(" ")[2]) for line in lines if line.startswith(f"{name} ")), 0.0)

    def text(self) -> str:
        """All that it has written."""
        return self.output.read_text(encoding="utf-8") + self.errors.read_text(encoding="utf-8")

    def log(self) -> list[dict[str, Any]]:
        """Its log; every line on stdout and stderr must be a JSON object."""
        return [json.loads(line) for line in self.text().splitlines()]

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send the signal and wait for the end; the exit code."""
        if self.exit is None:
            self.process.send_signal(number)
            self.exit = self.ended()
        return self.exit

    def ended(self, seconds: float = PATIENCE_S) -> int:
        """Wait for the end; the exit code."""
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"it has not ended\n{self.text()}") from None


def within(true: Callable[[], object], told: Callable[[], object] = str) -> None:
    """Wait until it is so; a failure says what `told` tells."""
    end = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < end, told()
        time.sleep(0.01)


@contextmanager
def started(
    folder: Path, *, env: Mapping[str, str] | None = None, argv: Sequence[str] = (), ready: bool = True
) -> Iterator[Server]:
    """The folder's server, as a process that knows nothing of this checkout. Leaving the `with` ends it."""
    port = free_port()
    output, errors = folder / "stdout.log", folder / "stderr.log"
    clean = {"PATH": os.environ["PATH"], "PORT": str(port), **(env or {})}
    with output.open("wb") as out, errors.open("wb") as err:
        command = [sys.executable, "serve.py", *argv]
        process = subprocess.Popen(command, cwd=folder, env=clean, stdout=out, stderr=err, stdin=subprocess.DEVNULL)
    server = Server(process, port, output, errors, folder)
    try:
        if ready:
            server.until("/readyz", 200)
        yield server
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
