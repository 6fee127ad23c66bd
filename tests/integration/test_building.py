"""What a build promises around the image: tags, what rebuilds, the rendered folder, what the image looks like from outside."""

from __future__ import annotations

import json
import os
import pickle
import random
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from mlpack.engines.docker import DockerEngine
from tests.integration.cli import PATIENCE_S, mlpack, predictions, refused, told
from tests.integration.conftest import ROOT, Name, Packed
from tests.ports import free_port

pytestmark = [pytest.mark.docker, pytest.mark.slow]

needs_docker_command = pytest.mark.skipif(shutil.which("docker") is None, reason="no docker command here")
EMPTY = ("ENV", "LABEL", "USER", "EXPOSE", "HEALTHCHECK", "ENTRYPOINT", "CMD")  # instructions that make no layer


@pytest.fixture
def desk(iris: Packed, tmp_path: Path) -> Path:
    """A folder of one's own with the iris model, its question and its answer."""
    for file in ("model.pkl", "request.json", "expected.json"):
        shutil.copy(iris.folder / file, tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def rendered(iris: Packed, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that `mlpack render` writes."""
    folder = tmp_path_factory.mktemp("rendered") / "out"
    told("render", "model.pkl", "--name", "iris", "-o", folder, cwd=iris.folder)
    return folder


def retrained(desk: Path) -> None:
    """Another model of the same kind in the same file, one that no engine has seen."""
    file = desk / "model.pkl"
    model = pickle.loads(file.read_bytes())
    model[-1].coef_ = model[-1].coef_ * (1 + random.random() / 1000)
    file.write_bytes(pickle.dumps(model))


# the sample -----------------------------------------------------------------------------------------


def test_sample_rows_are_predicted_in_the_image(desk: Path, fresh_name: Name) -> None:
    """A build whose model fails on the user's own rows says where, each time, before any service is started."""
    (desk / "rows.json").write_text("[[5.1, 3.5, 1.4, 0.2]]")
    code = desk / "predict.py"
    code.write_text("def predict(model, instances):\n    return [{}['species'] for _ in instances]\n")
    words = ("build", "model.pkl", "--predictor", code, "--sample", "rows.json", "--name", fresh_name("sampled"))
    for _ in range(2):
        failed = refused(6, "check_failed", *words, cwd=desk)
        assert "KeyError: 'species'" in failed["error"]["message"]
        assert "predict.py:2" in failed["error"]["hint"]
    code.write_text("def predict(model, instances):\n    return ['setosa' for _ in instances]\n")
    assert told(*words, cwd=desk)["cached"] is False


# tags -----------------------------------------------------------------------------------------------


def test_a_version_stays_with_its_content(desk: Path, fresh_name: Name, engine: DockerEngine) -> None:
    """The same --version with another model is refused; --force moves it; `latest` and -t tags move by themselves."""
    name = fresh_name("versions")
    words = ("build", "model.pkl", "--name", name, "--version", "1.4.0", "-t", f"elsewhere/{name}:stable")
    first = told(*words, cwd=desk)
    assert first["tags"][1:] == [f"{name}:latest", f"{name}:1.4.0", f"elsewhere/{name}:stable"]
    assert told(*words, cwd=desk)["cached"] is True
    retrained(desk)
    conflict = refused(5, "tag_conflict", *words, cwd=desk)
    assert f"{name}:1.4.0" in conflict["error"]["message"]
    assert "--force" in conflict["error"]["hint"]
    named = [f"{name}:latest", f"{name}:1.4.0", f"elsewhere/{name}:stable"]
    assert {image_id(engine, tag) for tag in named} == {first["id"]}, "a refused build moves nothing"
    other = told("build", "model.pkl", "--name", name, "--version", "1.5.0", "-t", f"elsewhere/{name}:stable", cwd=desk)
    assert other["id"] != first["id"]
    assert [image_id(engine, tag) for tag in named] == [other["id"], first["id"], other["id"]]
    forced = told(*words, "--force", cwd=desk)
    assert image_id(engine, f"{name}:1.4.0") == forced["id"] != first["id"]
    assert image_id(engine, first["tags"][0]) == first["id"], "the content's own tag never moves"


def test_whatever_matters_rebuilds(desk: Path, fresh_name: Name) -> None:
    """A changed byte of the model, a template of one's own, or a setting makes another image; the old input finds the old one."""
    name = fresh_name("changes")
    words = ("build", "model.pkl", "--name", name)
    first = told(*words, cwd=desk)
    assert first["cached"] is False
    assert told(*words, cwd=desk) | {"seconds": 0, "cached": False} == first | {"seconds": 0}

    (desk / "mlpack.yaml").write_text("serve: {max_rows: 77}\n")
    limited = told(*words, cwd=desk)
    (desk / "mine").mkdir()
    own_template = (ROOT / "templates" / "serve.py.j2").read_text() + "# with a note of our own\n"
    (desk / "mine" / "serve.py.j2").write_text(own_template)
    (desk / "mlpack.yaml").write_text("templates: mine\n")
    own = told(*words, cwd=desk)
    (desk / "mlpack.yaml").unlink()
    shutil.copy(desk / "model.pkl", desk / "kept.pkl")
    retrained(desk)
    trained = told(*words, cwd=desk)
    assert [made["cached"] for made in (limited, own, trained)] == [False, False, False]
    assert len({made["id"] for made in (first, limited, own, trained)}) == 4
    shutil.copy(desk / "kept.pkl", desk / "model.pkl")
    back = told(*words, cwd=desk)
    assert (back["id"], back["cached"]) == (first["id"], True)


def test_a_platform_that_is_not_the_engines(desk: Path, fresh_name: Name, engine: DockerEngine) -> None:
    """An image for another machine is built where the engine can, and is for that machine; else the failure names the platform."""
    other = "linux/arm64" if engine.facts().platform == "linux/amd64" else "linux/amd64"
    name = fresh_name("foreign")
    done = mlpack("build", "model.pkl", "--name", name, "--platform", other, "--json", cwd=desk)
    if done.code == 0:
        image = engine.find(f"{name}:latest")
        assert image is not None
        assert image.platform == other
    else:
        error = done.document()["error"]
        assert (done.code, error["exit"]) == (5, 5)
        assert "platform" in error["message"] + error["hint"]
        assert engine.find(f"{name}:latest") is None


# the rendered folder --------------------------------------------------------------------------------


@needs_docker_command
def test_the_rendered_folder_needs_the_docker_command_alone(
    rendered: Path, iris: Packed, fresh_name: Name, engine: DockerEngine
) -> None:
    """The classic builder takes the folder; the container accepts SageMaker's `serve`, answers, and becomes healthy."""
    tag = f"{fresh_name('plain')}:1"
    docker("build", "--quiet", "--tag", tag, str(rendered), env={"DOCKER_BUILDKIT": "0"})
    ran = docker("run", "--detach", "--publish", "127.0.0.1::8080", "--health-interval", "1s", tag, "serve")
    container = ran.strip()
    try:
        address = docker("port", container, "8080/tcp").splitlines()[0]
        answers_as_trained(f"http://{address}", iris.folder)
        wait_until(lambda: health(engine, container) == "healthy")
        docker("stop", container)
        assert engine._client.inspect_container(container)["State"]["ExitCode"] == 0, (
            "SIGTERM ends it, docker kills nobody"
        )
    finally:
        docker("rm", "--force", "--volumes", container)


def test_the_rendered_serve_py_runs_without_docker(rendered: Path, iris: Packed) -> None:
    """`python serve.py` answers with the same values where the packages are installed, and ends with 0 on SIGTERM."""
    port = free_port()
    environ = {**os.environ, "PORT": str(port), "PYTHONDONTWRITEBYTECODE": "1"}
    with subprocess.Popen(
        [sys.executable, "serve.py"], cwd=rendered, env=environ, stdout=subprocess.DEVNULL
    ) as process:
        try:
            answers_as_trained(f"http://127.0.0.1:{port}", iris.folder)
            process.send_signal(signal.SIGTERM)
            assert process.wait(PATIENCE_S) == 0
        finally:
            process.kill()


# from outside ---------------------------------------------------------------------------------------


def test_the_image_tells_what_it_is(iris: Packed, engine: DockerEngine) -> None:
    """No rights, an exec-form start, a health check, OCI labels, and nothing of this machine in its environment."""
    inspected = engine._client.inspect_image(iris.image)
    config = inspected["Config"]
    assert config["User"] == "65532:65532"
    assert config["Entrypoint"] == ["/opt/venv/bin/python", "/app/serve.py"]
    assert not config["Cmd"]
    assert config["Healthcheck"]["Test"][0] == "CMD"
    labels = config["Labels"]
    assert labels["org.opencontainers.image.title"] == iris.name
    assert json.loads(labels["dev.mlpack.card"])["framework"] == "scikit-learn"
    assert labels["dev.mlpack.bundle"].startswith("sha256:")
    names = {entry.partition("=")[0] for entry in config["Env"]}
    assert not {name for name in names if name.startswith(("PIP_", "UV_", "SSL_")) or "proxy" in name.lower()}
    told_by_layers = json.dumps([entry["CreatedBy"] for entry in engine._client.history(iris.image)])
    for secret in ("ca.pem", os.environ["DOCKER_CONFIG"], "http://127.0.0.1"):
        assert secret not in told_by_layers


def test_a_new_model_moves_only_its_own_layers(desk: Path, fresh_name: Name, engine: DockerEngine) -> None:
    """All layers below the model's are the very same in two images of two models, so that they are stored and pushed once."""
    images = []
    for _ in range(
        2
    ):  # both new: an engine that built a step twice keeps both, and an old model's image may stand on either
        retrained(desk)
        images.append(told("build", "model.pkl", "--name", fresh_name("moving"), cwd=desk)["id"])
    old, new = (layers(engine, image) for image in images)
    assert [made_by for made_by, _ in old] == [made_by for made_by, _ in new]
    place = next(place for place, (made_by, _) in enumerate(old) if "COPY model/" in made_by)
    assert place >= 4, "base, bytecode, environment and runtime come first"
    assert old[:place] == new[:place]
    assert old[place] != new[place]


# helpers --------------------------------------------------------------------------------------------


def layers(engine: DockerEngine, image: str) -> list[tuple[str, str]]:
    """The layers from the base upwards: the instruction that made each, and its digest."""
    digests = engine._client.inspect_image(image)["RootFS"]["Layers"]
    steps = [entry["CreatedBy"] for entry in reversed(engine._client.history(image))]
    makers = [step for step in steps if not any(f" {word} " in f" {step} " for word in EMPTY)]
    return list(zip(makers[-len(digests) :], digests, strict=True))


def image_id(engine: DockerEngine, reference: str) -> str:
    """The id that a name stands for."""
    image = engine.find(reference)
    assert image is not None, reference
    return image.id


def answers_as_trained(url: str, folder: Path) -> None:
    """Waits until the service is ready; then it must say what the model said at training."""
    wait_until(lambda: ready(url))
    request = json.loads((folder / "request.json").read_text())["instances"]
    assert predictions(url, request) == json.loads((folder / "expected.json").read_text())["predictions"]


def ready(url: str) -> bool:
    """Whether it says that it can answer."""
    try:
        with urllib.request.urlopen(f"{url}/ready", timeout=20):
            return True
    except urllib.error.HTTPError as error:
        error.close()
        return False
    except OSError:
        return False


def health(engine: DockerEngine, container: str) -> Any:
    """What the engine makes of the health check."""
    return engine._client.inspect_container(container)["State"]["Health"]["Status"]


def wait_until(holds: Any) -> None:
    """Returns when it holds."""
    end = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < end, "it never was so"
        time.sleep(0.1)


def docker(*words: str, env: dict[str, str] | None = None) -> str:
    """The docker command's answer."""
    done = subprocess.run(
        ["docker", *words], env={**os.environ, **(env or {})}, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
