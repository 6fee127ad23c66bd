"""The servers that are compared: ours as it is rendered, the Flask stub that people write, and an echo that predicts nothing."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlpack.formats.sklearn import SklearnFormat
from mlpack.pipeline.inspect import inspect
from tests.benchmarks.wrk import quoted
from tests.contract.served import assemble
from tests.ports import free_port

FLASK = """\
import pickle

from flask import Flask, jsonify, request

app = Flask(__name__)
with open({model}, "rb") as file:
    model = pickle.load(file)


@app.route("/ready")
def ready():
    return jsonify(ready=True)


@app.route("/predict", methods=["POST"])
def predict():
    return jsonify(predictions=model.predict(request.get_json()["instances"]).tolist())
"""
ECHO = """\
ANSWER = b'{"predictions":[0]}'
HEAD = {"type": "http.response.start", "status": 200, "headers": [
    (b"content-type", b"application/json"), (b"content-length", b"%d" % len(ANSWER))]}


async def app(scope, receive, send):
    if scope["type"] == "http":
        while (await receive()).get("more_body"):
            pass
        await send(HEAD)
        await send({"type": "http.response.body", "body": ANSWER})
"""


def train(path: Path, kind: str) -> Path:
    """A pickle of the model that a benchmark serves: `logistic`, `forest`, or `wide` with 100 columns."""
    import numpy as np
    from sklearn.datasets import load_iris
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    features, labels = load_iris(return_X_y=True)
    model: Any = make_pipeline(StandardScaler(), LogisticRegression(max_iter=500))
    if kind == "forest":
        model = RandomForestClassifier(100, random_state=0)
    if kind == "wide":
        features = np.random.default_rng(0).normal(size=(500, 100))
        labels = (features[:, 0] > 0).astype(int)
    path.write_bytes(pickle.dumps(model.fit(features, labels)))
    return path


def ours(folder: Path, model: Path) -> list[str]:
    """The command of our server for the model; its settings are the defaults, its signatures what inspect says."""
    info = inspect(model, formats=[SklearnFormat()])
    assemble(folder, model=model, signatures=info.signatures, settings="")
    return [sys.executable, str(folder / "serve.py"), "--host", "127.0.0.1", "--port"]


def flask(folder: Path, model: Path) -> list[str]:
    """The stub's command."""
    folder.mkdir()
    return gunicorn(folder, FLASK.format(model=quoted(model)))


def gunicorn(folder: Path, text: str) -> list[str]:
    """The command of a Flask program: gunicorn with one worker of four threads."""
    (folder / "stub.py").write_text(text)
    words = ["--chdir", str(folder), "-w1", "--threads=4", "stub:app", "-b", "127.0.0.1:{}"]
    return [sys.executable, "-m", "gunicorn", *words]


def echo(folder: Path) -> list[str]:
    """A bare uvicorn that answers always the same: what HTTP alone costs in Python."""
    folder.mkdir()
    (folder / "echo.py").write_text(ECHO)
    words = ["--app-dir", str(folder), "--no-access-log", "--log-level=error", "--lifespan=off", "echo:app", "--port"]
    return [sys.executable, "-m", "uvicorn", *words]


@dataclass(frozen=True, kw_only=True)
class Running:
    """A server that answers."""

    url: str
    pid: int


@contextmanager
def running(
    command: list[str],
    log: Path,
    *,
    env: Mapping[str, str] | None = None,
    path: str = "/ready",
    cwd: Path | None = None,
) -> Iterator[Running]:
    """The server as a process on loopback, once it answers. Leaving the `with` ends it."""
    port = free_port()
    words = [word.format(port) for word in command] if "{}" in command[-1] else [*command, str(port)]
    if env is not None and "MLSERVER_HOST" in env:  # it reads its port from the environment alone
        words, env = (
            words[:-1],
            {**env, "MLSERVER_HTTP_PORT": str(port), "MLSERVER_GRPC_PORT": str(free_port())},
        )
    with log.open("wb") as out:
        process = subprocess.Popen(
            words, stdout=out, stderr=subprocess.STDOUT, env=env, cwd=cwd, start_new_session=True
        )
    try:
        end = time.monotonic() + 120
        while not _answers(f"http://127.0.0.1:{port}{path}"):
            if process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"{words} does not answer:\n{log.read_text()[-3000:]}")
            time.sleep(0.05)
        yield Running(url=f"http://127.0.0.1:{port}", pid=process.pid)
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(15)
        with suppress(ProcessLookupError):  # its own children, where it left some
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def ask(url: str, body: bytes, headers: Mapping[str, str] | None = None) -> bytes:
    """One POST; its body. Raises urllib's errors."""
    request = urllib.request.Request(url, body, {"Content-Type": "application/json", **(headers or {})})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return bytes(answer.read())


def ask_get(url: str) -> bytes:
    """One GET; its body."""
    with urllib.request.urlopen(url, timeout=60) as answer:
        return bytes(answer.read())


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return bool(answer.status == 200)
    except urllib.error.HTTPError as error:
        with error:
            return error.code in (404, 405)  # a peer without such a route is up as well
    except OSError:
        return False
