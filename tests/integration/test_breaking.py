"""Containers that break a promise: `mlpack test` finds exactly the broken one, exits with 6, and shows the container's log."""

from __future__ import annotations

import json
import shutil
import socket
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from mlpack.artifacts.bundle_file import BundleFile
from mlpack.engines.docker import DockerEngine
from tests.hostile import P4, call, look_up, text
from tests.integration.cli import mlpack, refused
from tests.integration.conftest import BASE, MakeBundle, Name, Packed

pytestmark = [pytest.mark.docker, pytest.mark.slow]

# What stands around the image's own loader, renamed to `sound`.
LOADER = """
import os, threading, time
import numpy as np
from sound import *
import sound

def is_predict(signature):
    return signature.name == "predict"

"""
# What runs in serve.py before the server starts.
SERVE = """
import sys
sys.path.insert(0, "/app")

"""

BROKEN_LOADERS = {
    # Labels that the model never learned.
    "dtype_shape_classes": """
def predict(model, signature, inputs):
    answer = sound.predict(model, signature, inputs)
    return {name: np.full(len(array), "tulip", dtype=object) for name, array in answer.items()} if is_predict(signature) else answer
""",
    # The first answers are others than the later ones.
    "repeatable": """
asked = 0

def predict(model, signature, inputs):
    global asked
    answer = sound.predict(model, signature, inputs)
    if is_predict(signature):
        asked += 1
        if asked <= 3:  # the warm-up, the check of the answer, the first repetition
            return {name: np.where(array == "setosa", "virginica", "setosa") for name, array in answer.items()}
    return answer
""",
    # Eight rows of one request change each other's answers (not those of several requests that were joined later).
    "batch_equals_singles": """
asked = 0

def predict(model, signature, inputs):
    global asked
    answer = sound.predict(model, signature, inputs)
    eight = is_predict(signature) and len(next(iter(inputs.values()))) == 8
    asked += eight
    if eight and asked == 1:
        return {name: np.where(array == "setosa", "virginica", "setosa") for name, array in answer.items()}
    return answer
""",
    # More rows than one request has change each other's answers.
    "mixed_batch": """
def predict(model, signature, inputs):
    time.sleep(0.02)  # meanwhile the others gather
    answer = sound.predict(model, signature, inputs)
    if is_predict(signature) and len(next(iter(inputs.values()))) > 10:
        return {name: np.where(array == "setosa", "virginica", "setosa") for name, array in answer.items()}
    return answer
""",
    # Probabilities of one class too many.
    "method_predict_proba": """
def predict(model, signature, inputs):
    answer = sound.predict(model, signature, inputs)
    return {name: np.hstack([array, array[:, :1]]) for name, array in answer.items()} if signature.name == "predict_proba" else answer
""",
    # Lines that no log collector can read, past everything that Python could catch.
    "logs_are_json": """
def predict(model, signature, inputs):
    os.write(1, b"predicting, dear operator\\n")
    return sound.predict(model, signature, inputs)
""",
}  # fmt: skip

BROKEN_SERVERS = {
    # Ready before the model is there; it never comes.
    "predict": """
import loader, time
loader.load = lambda path, options, guard: time.sleep(600)
from mlpack.runtime.models.registry import ModelRegistry
ModelRegistry.why_not_ready = lambda self, entry=None: ""
""",
    # Bad JSON is the server's own failure.
    "bad_json": """
from mlpack.runtime.protocols import own
strict = own.parse
def parse(body):
    try:
        return strict(body)
    except Exception:
        raise RuntimeError("cannot parse") from None
own.parse = parse
""",
    # SIGTERM is not heard.
    "sigterm": """
import signal
hear = signal.signal
signal.signal = lambda number, handler: None if number == signal.SIGTERM else hear(number, handler)
""",
}

MakeBroken = Any


@pytest.fixture
def broken(iris: Packed, engine: DockerEngine, bundle_of: MakeBundle, fresh_name: Name) -> MakeBroken:
    """Makes an image of iris' whose loader or start is changed; gives its name."""

    def make(name: str, *, loader: str = "", serve: str = "", model: bytes = b"") -> str:
        files, steps = [], [f"FROM {iris.built['tags'][0]}", "USER 0:0"]
        if loader:
            steps.append("RUN mv /app/loader /app/sound\nCOPY loader.py /app/")
            files.append(BundleFile.of_bytes("loader.py", (LOADER + loader).encode()))
        if serve:
            steps.append(
                "RUN mv /app/serve.py /app/kept.py\nCOPY head.py /app/\nRUN cat /app/head.py /app/kept.py > /app/serve.py"
            )
            files.append(BundleFile.of_bytes("head.py", (SERVE + serve).encode()))
        if model:
            steps.append("COPY model.pkl /app/model/")
            files.append(BundleFile.of_bytes("model.pkl", model))
        steps.append("USER 65532:65532")
        tag = f"{fresh_name('broken-' + name.replace('_', '-'))}:1"
        engine.build(bundle_of("\n".join(steps), files=tuple(files)), tags=(tag,), on_progress=lambda _: None)
        return tag

    return make


@pytest.mark.parametrize("check", [*BROKEN_LOADERS, *BROKEN_SERVERS])
def test_the_broken_promise_is_found(broken: MakeBroken, check: str, tmp_path: Path) -> None:
    """Exactly the check that was made to fail fails; exit 6; the log is on stderr; the receipt and JUnit say so."""
    image = broken(check, loader=BROKEN_LOADERS.get(check, ""), serve=BROKEN_SERVERS.get(check, ""))
    done = mlpack("test", image, "--json", "--junit", "junit.xml", cwd=tmp_path)
    document = done.document()
    assert [entry["name"] for entry in document["checks"] if not entry["ok"]] == [check], done
    assert (done.code, document["ok"], document["error"]["code"]) == (6, False, "check_failed")
    assert check in document["error"]["message"]
    assert '"message":' in done.stderr, "the container's log is shown"
    assert json.loads(Path(document["receipt"]).read_text())["report"]["ok"] is False
    (failed,) = ET.parse(tmp_path / "junit.xml").getroot().findall(".//failure/..")
    assert failed.get("name") == check
    refused(6, "not_verified", "push", image, "--to", "127.0.0.1:1/nowhere", cwd=tmp_path)


def test_a_failure_is_shown_to_people(broken: MakeBroken, tmp_path: Path) -> None:
    """Without --json the table says which check failed and what was seen; the model's own words are in the log below."""
    loader = 'def load(path, options, guard):\n    raise RuntimeError("the model needs more coffee")\n'
    done = mlpack("test", broken("never-loads", loader=loader), cwd=tmp_path)
    assert done.code == 6
    assert "FAIL ready" in done.stdout
    assert "the container's log" in done.stderr
    assert "the model needs more coffee" in done.stderr
    assert "checks failed: ready" in done.stderr


def test_the_image_refuses_what_inspection_did_not_see(broken: MakeBroken, tmp_path: Path) -> None:
    """Another model than the inspected one asks for one more name: the service ends at once, with one line that names it."""
    evil = P4 + call(look_up("os", "system"), text("echo it ran; sleep 600")) + b"."
    done = mlpack("test", broken("swapped", model=evil), cwd=tmp_path)
    assert done.code == 6
    assert "FAIL ready" in done.stdout
    lines = [json.loads(one) for one in done.stderr.splitlines() if one.startswith("{")]
    line = next(one for one in lines if one["severity"] == "CRITICAL")
    assert line["message"] == (
        "the model is not loaded: the model file asks for os:system, which inspection did not see (globals)"
    )
    assert "it ran" not in done.stderr
    assert "Traceback" not in done.stderr


def test_out_of_memory_is_named(broken: MakeBroken, tmp_path: Path) -> None:
    """A model that does not fit the memory limit is not just `not ready`: the limit is named as the cause."""
    loader = "def load(path, options, guard):\n    held = [np.ones(2**24) for _ in range(64)]\n    return sound.load(path, options, guard)\n"
    document = refused(6, "check_failed", "test", broken("greedy", loader=loader), "--memory", "400MiB", cwd=tmp_path)
    told = json.dumps(document["checks"])
    assert "memory" in told


def test_a_wrong_expectation(iris: Packed, tmp_path: Path) -> None:
    """Values other than the ones the user expects fail the check `expected` alone, which names the row and both values."""
    shutil.copy(iris.folder / "request.json", tmp_path)
    expected = json.loads((iris.folder / "expected.json").read_text())
    right, expected["predictions"][3] = expected["predictions"][3], "tulip"
    (tmp_path / "expected.json").write_text(json.dumps(expected))
    words = ("test", iris.image, "--request", "request.json", "--expected", "expected.json")
    document = refused(6, "check_failed", *words, cwd=tmp_path)
    (failed,) = [entry for entry in document["checks"] if not entry["ok"]]
    assert failed["name"] == "expected"
    assert {"3", repr(right), "'tulip'"} <= set(
        failed["detail"].replace("[", " ").replace("]", " ").replace(":", " ").replace(",", " ").split()
    )


# no image, no engine --------------------------------------------------------------------------------


def test_an_image_of_others(iris: Packed, tmp_path: Path) -> None:  # noqa: ARG001  # iris' build has fetched the base
    """An image that mlpack did not build, and one that is not there, are told apart from a failed check."""
    assert "not built by mlpack" in refused(5, "image_not_found", "test", BASE, cwd=tmp_path)["error"]["message"]
    refused(5, "image_not_found", "test", "no-such-image:anywhere", cwd=tmp_path)
    (tmp_path / "here.pkl").touch()
    for verb in (("test",), ("run",), ("push", "--to", "127.0.0.1:1/here")):
        error = refused(5, "image_not_found", *verb, "here.pkl", cwd=tmp_path)["error"]
        assert "mlpack build here.pkl" in error["hint"]
    error = refused(5, "image_not_found", "deploy", "tehre.pkl", "--target", "compose", "--yes", cwd=tmp_path)["error"]
    assert "no file" in error["hint"]
    refused(2, "usage", "test", cwd=tmp_path)
    refused(2, "usage", "test", "--memory", "lots", cwd=tmp_path)


@pytest.mark.parametrize("kind", ["tcp", "unix"])
def test_a_dead_engine(iris: Packed, kind: str, tmp_path: Path) -> None:
    """Where no engine answers, build, test, run and push say so, name the address, and say what to do."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{probe.getsockname()[1]}" if kind == "tcp" else f"unix://{tmp_path}/docker.sock"
        for words in (
            ("build", "model.pkl"),
            ("test", iris.image),
            ("run", iris.image),
            ("push", iris.image, "--to", "127.0.0.1:1/x"),
        ):
            document = refused(5, "engine_unavailable", *words, cwd=iris.folder, env={"DOCKER_HOST": address})
            assert address in document["error"]["message"]
            assert "DOCKER_HOST" in document["error"]["hint"]
