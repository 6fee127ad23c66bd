"""`--engine process`, through the real command: a model served without an engine, and nothing left behind."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from mlpack.engines.process.unpacked import PREFIX
from tests.extra import few
from tests.integration.cli import MLPACK, PATIENCE_S, Done, ask, mlpack, predictions, refused, told
from tests.new_format import CARD, install
from tests.unit.engines.processes import is_gone, status_of

pytestmark = [
    pytest.mark.network,
    pytest.mark.skipif(sys.platform != "linux", reason="the process engine knows Linux only"),
]
ROOT = Path(__file__).parents[2]
HERE = ("--engine", "process")
CHECKS = {
    "ready", "predict", "dtype_shape_classes", "expected", "method_predict_proba", "repeatable", "batch_equals_singles", "mixed_batch",
    "concurrent", "bad_json", "wrong_shape", "unknown_route", "too_large", "latency", "logs_are_json", "sigterm",
}  # fmt: skip

# A model whose first step is a function of the user's own.
OWN = """
import pickle, steps
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
model = make_pipeline(FunctionTransformer(steps.halved, validate=True), LogisticRegression())
model.fit([[0.0, 1.0], [1.0, 0.0], [2.0, 0.0]], [0, 1, 1])
pickle.dump(model, open("own.pkl", "wb"))
"""


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    """A folder that others may enter, as a home with the common rights is; pytest's own is closed to them."""
    with tempfile.TemporaryDirectory(prefix="open-", dir="/tmp") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture(scope="module")
def env(place: Path) -> Mapping[str, str]:
    """No engine, a cache of our own, a TMPDIR in which every leftover is seen."""
    tmp = place / "tmp"
    tmp.mkdir()
    tmp.chmod(0o1777)
    return {
        "DOCKER_HOST": f"unix://{place}/none.sock",
        "MLPACK_CACHE": str(place / "cache"),
        "TMPDIR": str(tmp),
        "SECRET_TOKEN": "canary-in-the-environment",
    }


@pytest.fixture(scope="module")
def iris(place: Path) -> Path:
    """A folder with examples/iris, trained here."""
    folder = place / "iris"
    folder.mkdir()
    for file in ("make_model.py", "mlpack.yaml"):
        shutil.copy(ROOT / "examples" / "iris" / file, folder)
    subprocess.run([sys.executable, "make_model.py"], cwd=folder, check=True, capture_output=True)
    return folder


@pytest.fixture(scope="module")
def tested(iris: Path, env: Mapping[str, str]) -> Done:
    """The first test of iris: its environment is made on the way."""
    done = mlpack("test", *HERE, "model.pkl", "--json", "--junit", "junit.xml", cwd=iris, env=env)
    if done.code == 4 and "no Python on this machine" in done.stdout:
        pytest.skip(done.document()["error"]["message"])
    return done


@contextmanager
def serving(iris: Path, env: Mapping[str, str], *words: str) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    """`mlpack run --engine process` and its document."""
    with subprocess.Popen(
        [*MLPACK, "run", *HERE, "--json", *words],
        cwd=iris,
        env={**os.environ, **env},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            lines = []
            for line in process.stdout or ():
                lines.append(line)
                if line == "}\n":
                    break
            assert lines, process.communicate()
            yield process, json.loads("".join(lines))
        finally:
            process.terminate()  # in order, so that nothing is left


def leftovers(env: Mapping[str, str]) -> list[str]:
    """What lies in the folder for temporary files."""
    return sorted(path.name for path in Path(env["TMPDIR"]).iterdir())


def server_of(parent: int, *, patience_s: float = PATIENCE_S) -> int:
    """The serving process that a command started: its only child with a session of its own."""
    end = time.monotonic() + patience_s
    while time.monotonic() < end:
        children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
        for child in map(int, children):
            if os.getsid(child) == child:
                return child
        time.sleep(0.02)
    raise AssertionError(f"{parent} has started no server")


def test_all_checks_pass_and_there_is_no_receipt(tested: Done, iris: Path, env: Mapping[str, str]) -> None:
    """Every check of a container passes here; the document says which engine, that there is no receipt, and no image."""
    assert tested.code == 0, tested
    found = tested.document()
    assert found["ok"] is True
    assert {check["name"] for check in found["checks"]} >= CHECKS
    assert (found["engine"], found["receipt"]) == ("process", None)
    assert "image_size" not in found
    assert 20 < found["peak_memory_mb"] < 1000
    assert "not the image" in tested.stderr
    assert (iris / "junit.xml").read_text().count("<testcase ") == len(found["checks"])
    assert not (iris / ".mlpack").exists()
    assert leftovers(env) == []


@pytest.mark.slow
def test_people_are_told_that_it_is_not_the_image(tested: Done, iris: Path, env: Mapping[str, str]) -> None:
    """As text too; and the second start installs nothing and asks no index."""
    assert tested.code == 0, tested
    before = sorted(path.name for path in (Path(env["MLPACK_CACHE"]) / "venvs").iterdir())
    done = mlpack("test", *HERE, cwd=iris, env={**env, "PIP_INDEX_URL": "http://127.0.0.1:9/simple"})
    assert done.code == 4, "another index is another question"
    done = mlpack("test", *HERE, cwd=iris, env=env)
    assert done.code == 0, done
    assert "cached" in done.stderr
    assert "warning: this is not the image" in done.stderr
    assert "not in its image" in done.stdout
    assert "none: this was not the image" in done.stdout
    assert sorted(path.name for path in (Path(env["MLPACK_CACHE"]) / "venvs").iterdir()) == before


@pytest.mark.usefixtures("tested")
def test_it_serves_as_nobody_on_loopback(iris: Path, env: Mapping[str, str]) -> None:
    """The server has user 65532 when root, one listening socket on 127.0.0.1, and none of our environment."""
    with serving(iris, env, "model.pkl") as (process, document):
        assert (document["engine"], document["image"]) == ("process", None)
        assert predictions(document["url"], json.loads((iris / "request.json").read_text())["instances"])
        answer = subprocess.run(["sh", "-c", document["curl"]], capture_output=True, text=True, check=True)
        assert "predictions" in json.loads(answer.stdout)
        server = server_of(process.pid)
        status = status_of(server)
        assert status["NoNewPrivs"] == "1"
        if os.geteuid() == 0:
            assert set(status["Uid"].split()) == set(status["Gid"].split()) == {"65532"}
            assert status["Groups"] == ""
        assert "canary" not in Path(f"/proc/{server}/environ").read_text()
        inodes = {str(link.readlink()) for link in Path(f"/proc/{server}/fd").iterdir()}
        rows = [line.split() for line in Path(f"/proc/{server}/net/tcp").read_text().splitlines()[1:]]
        rows += [line.split() for line in Path(f"/proc/{server}/net/tcp6").read_text().splitlines()[1:]]
        listening = [row[1] for row in rows if row[3] == "0A" and f"socket:[{row[9]}]" in inodes]
        port = int(document["url"].rpartition(":")[2])
        assert listening == [f"0100007F:{port:04X}"]


@pytest.mark.slow
@pytest.mark.usefixtures("tested")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "sigterm"])
def test_interrupted_while_it_serves(iris: Path, env: Mapping[str, str], number: int) -> None:
    """Ctrl-C and SIGTERM end the command with 130, the server in order, and leave no file."""
    with serving(iris, env, "model.pkl") as (process, document):
        server = server_of(process.pid)
        assert leftovers(env)
        process.send_signal(number)
        assert process.wait(PATIENCE_S) == 130
        assert is_gone(server)
        assert leftovers(env) == []
        assert ask_fails(document["url"])


@pytest.mark.slow
@pytest.mark.usefixtures("tested")
@pytest.mark.parametrize("delay_s", few([0.0, 0.5, 1.2, 2.0], 0.5, 2.0))
def test_interrupted_while_it_tests(iris: Path, env: Mapping[str, str], delay_s: float) -> None:
    """Ctrl-C at any moment of a test: exit 130, no process, no file."""
    with subprocess.Popen(
        [*MLPACK, "test", *HERE, "--json"],
        cwd=iris,
        env={**os.environ, **env},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stderr is not None
        assert b"not the image" in process.stderr.readline()
        time.sleep(delay_s)
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=PATIENCE_S)
        assert process.returncode in {130, 0}, output  # a quick machine may be done
    assert all(is_gone(int(child)) for child in children)
    assert leftovers(env) == []


@pytest.mark.slow
@pytest.mark.usefixtures("tested")
def test_kill_9_of_the_command(iris: Path, env: Mapping[str, str]) -> None:
    """The server ends with it; the next run works, and takes the left folder away."""
    with serving(iris, env, "model.pkl") as (process, _):
        server = server_of(process.pid)
        process.kill()
    assert is_gone(server)
    [left] = leftovers(env)
    assert left.startswith(PREFIX)
    assert told("test", *HERE, cwd=iris, env=env)["ok"] is True
    assert leftovers(env) == []


@pytest.mark.slow
@pytest.mark.usefixtures("tested")
def test_two_at_once(iris: Path, env: Mapping[str, str]) -> None:
    """Two tests and a server in one folder at once do not disturb each other."""
    with serving(iris, env, "model.pkl") as (_, document), ThreadPoolExecutor(2) as pool:
        for done in pool.map(lambda _: mlpack("test", *HERE, "--json", cwd=iris, env=env), range(2)):
            assert done.code == 0, done
        assert predictions(document["url"], [[5.1, 3.5, 1.4, 0.2]]) == ["setosa"]


@pytest.mark.slow
def test_two_first_starts_at_once(iris: Path, env: Mapping[str, str], place: Path, tested: Done) -> None:
    """Two commands that need the same new environment make it once; one killed on the way is no trouble for the next."""
    assert tested.code == 0
    fresh = {**env, "MLPACK_CACHE": str(place / "cache2")}
    shutil.copytree(Path(env["MLPACK_CACHE"]) / "locks", place / "cache2" / "locks")
    venvs = place / "cache2" / "venvs"
    with subprocess.Popen(
        [*MLPACK, "test", *HERE],
        cwd=iris,
        env={**os.environ, **fresh},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        end = time.monotonic() + PATIENCE_S
        while not list(venvs.glob(".new-*/venv/lib")) and time.monotonic() < end:
            time.sleep(0.01)
        process.kill()
    assert list(venvs.glob(".new-*")), "it was killed on the way"
    assert not [path for path in venvs.iterdir() if path.is_dir() and not path.name.startswith(".")]
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(lambda _: mlpack("test", *HERE, "--json", cwd=iris, env=fresh), range(2))
    assert (first.code, second.code) == (0, 0), (first, second)
    assert len([path for path in venvs.iterdir() if path.is_dir() and not path.name.startswith(".")]) == 1


def test_what_is_dangerous_is_refused(place: Path, env: Mapping[str, str]) -> None:
    """Dangerous code is refused even with --trust, because it would load on this machine. Nothing is loaded."""
    folder = place / "unsafe"
    folder.mkdir(exist_ok=True)
    mark = folder / "was-run"
    (folder / "evil.pkl").write_bytes(evil(f"open({str(mark)!r}, 'w')"))
    for words in ((), ("--trust",)):
        error = refused(3, "unsafe", "test", *HERE, "evil.pkl", *words, cwd=folder, env=env)["error"]
        assert "on this machine" in error["message"]
    error = refused(3, "unsafe", "run", *HERE, "evil.pkl", cwd=folder, env=env)["error"]
    assert "eval" in error["message"]
    assert not mark.exists()
    assert leftovers(env) == []


@pytest.mark.slow
def test_own_code_needs_trust_here(place: Path, env: Mapping[str, str], tested: Done) -> None:
    """A model with a class of the user's own asks for --trust even when --include brings it; with it every check passes."""
    assert tested.code == 0
    folder = place / "own"
    folder.mkdir()
    (folder / "steps.py").write_text("def halved(values):\n    return values / 2\n")
    subprocess.run([sys.executable, "-c", OWN], cwd=folder, check=True)
    words = ("test", *HERE, "own.pkl", "--include", "steps.py")
    error = refused(3, "unsafe", *words, cwd=folder, env=env)["error"]
    assert "on this machine" in error["message"]
    assert "--trust" in error["hint"]
    assert leftovers(env) == []
    done = mlpack(*words, "--trust", "--json", cwd=folder, env=env)
    assert done.code == 0, done
    assert "--trust: code that mlpack does not know runs on this machine" in done.stderr


def test_words_that_do_not_fit(iris: Path, env: Mapping[str, str]) -> None:
    """A receipt cannot be asked for; a model's options are for this engine alone; an engine must exist."""
    refused(2, "usage", "test", *HERE, "model.pkl", "--receipt", "r.json", cwd=iris, env=env)
    error = refused(2, "usage", "run", "some:tag", "--entry", "model", cwd=iris, env=env)["error"]
    assert "--engine process" in error["message"] + error["hint"]
    error = refused(2, "usage", "test", "some:tag", "--engine", "kubernetes", cwd=iris, env=env)["error"]
    assert "docker, process" in error["hint"]
    assert not (iris / "r.json").exists()


@pytest.mark.parametrize("words", [("build", "model.pkl"), ("test", "some:tag"), ("run", "some:tag")], ids=" ".join)
def test_without_an_engine_it_is_offered(iris: Path, env: Mapping[str, str], words: tuple[str, ...]) -> None:
    """The error of a command that finds no container engine names this way out."""
    assert "--engine process" in refused(5, "engine_unavailable", *words, cwd=iris, env=env)["error"]["hint"]


def test_a_python_that_is_not_here(iris: Path, env: Mapping[str, str]) -> None:
    """A Python that the model can have and this machine has not is told with what it has."""
    running = f"3.{sys.version_info.minor}"
    absent = next(
        minor for minor in ("3.14", "3.13", "3.12") if minor != running and not shutil.which(f"python{minor}")
    )
    done = mlpack("test", *HERE, "model.pkl", "--python", absent, "--json", cwd=iris, env=env)
    assert (done.code, done.document()["error"]["code"]) == (4, "resolve"), done
    assert absent in done.stdout


@pytest.mark.slow
def test_the_demo_falls_back(place: Path, env: Mapping[str, str], tested: Done) -> None:
    """`make demo` where no engine can be started goes on with a local process, says so, and gets its answer."""
    assert tested.code == 0
    folder = place / "checkout"
    folder.mkdir()
    for name in ("Makefile", "examples", "tests", "mlpack", "templates", "pyproject.toml"):
        source = ROOT / name
        copy: Callable[..., Any] = shutil.copytree if source.is_dir() else shutil.copy
        copy(source, folder / name)
    python = folder / "python"  # this machine's, on which the tests' engine cannot be started
    python.write_text(
        '#!/bin/sh\n[ "$2" = tests.engine ] && { echo "error: not root" >&2; exit 1; }\nexec python3 "$@"\n'
    )
    python.chmod(0o755)
    deaf = ["sh", "-c", "trap '' INT; exec \"$@\"", "sh"]  # as a CI step or nohup starts it: SIGINT is ignored
    make = ["make", "-s", "demo", "-o", ".venv/.installed", f"PYTHON={python}", f"BIN={Path(sys.executable).parent}"]
    done = subprocess.run(
        [*deaf, *make], cwd=folder, env={**os.environ, **env}, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done
    assert "Traceback" not in done.stderr, done
    assert "No container engine:" in done.stdout
    assert "NOT the image" in done.stdout
    assert "$ mlpack test --engine process model.pkl" in done.stdout
    assert done.stdout.rstrip().endswith("]}")
    assert "predictions" in done.stdout.rsplit("$ curl", 1)[1]
    assert leftovers(env) == []


@pytest.mark.slow
@pytest.mark.usefixtures("tested")
def test_a_format_of_another_package(place: Path, env: Mapping[str, str]) -> None:
    """The scorecard of docs/new-format.md passes every check by its own loader, whose folder the server imports."""
    site, folder = place / "site", place / "cards"
    site.mkdir()
    folder.mkdir()
    install(site)
    (folder / "churn.card").write_text(CARD)
    found = told("test", *HERE, folder, cwd=folder, env={**env, "PYTHONPATH": str(site)})
    assert found["ok"] is True
    refused(3, "unreadable", "test", *HERE, folder, cwd=folder, env=env)  # without the package no file is a model


def ask_fails(url: str) -> bool:
    """Whether nobody answers any more."""
    try:
        ask(url, {"instances": [[1, 2, 3, 4]]})
    except OSError:
        return True
    return False


def evil(argument: str) -> bytes:
    """A model that calls eval when it is loaded."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import FunctionTransformer

    class Call:
        def __reduce__(self) -> tuple[Callable[..., Any], tuple[str]]:
            return eval, (argument,)

    model = LogisticRegression().fit([[0.0, 1.0], [1.0, 0.0]], [0, 1])
    return pickle.dumps(Pipeline([("first", FunctionTransformer(Call())), ("model", model)]))
