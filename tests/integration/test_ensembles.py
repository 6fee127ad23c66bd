"""Ensembles as real containers: answers equal to numpy's reducers, members replaced under load, and every fault of a member."""

from __future__ import annotations

import io
import shutil
import signal
import socket
import subprocess
import tarfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
import yaml
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from mlpack.engines.docker import DockerEngine
from tests.engine import packages
from tests.engine.errors import EngineError
from tests.integration.cli import PATIENCE_S, ask, mlpack, refused, told
from tests.integration.conftest import BASE, Name
from tests.integration.ensembles import Votes, load
from tests.integration.test_interrupted import started
from tests.ports import free_port
from tests.standins import changing_member

pytestmark = [pytest.mark.docker, pytest.mark.slow, pytest.mark.usefixtures("compose")]

X, Y = load_iris(return_X_y=True)
WEIGHTS = {"linear": 1.0, "waiting": 2.0, "changing": 0.5}
OPTIONAL = ("waiting", "changing")
QUIET = {"MLPACK_SERVE_LOG": "error"}  # thousands of requests
Fault = tuple[tuple[str, ...], Callable[[], None], Callable[[], None]]  # what is answered; its beginning and its end
WAITING = '''
"""A step of a model that takes its time while a file is there; with a variable, the model takes it to load."""
import os
import time
from pathlib import Path

time.sleep(600 * int(os.environ.get("HOLD", "0")))


def wait(x):
    if Path("/tmp/slow").exists():
        time.sleep(2)
    return x
'''
WEIGHTED = """
import json
INPUTS = {"area": "FP64", "age": "FP64"}
OUTPUTS = {"price": "FP64"}


def load(path):
    with open(path) as file:
        return json.load(file)


def predict(model, inputs):
    return model[0] * inputs["area"] + model[1] * inputs["age"]
"""


@dataclass(frozen=True, kw_only=True)
class Ensemble:
    """A running ensemble: its folder, its name, what `up` printed, and what it may answer."""

    folder: Path
    name: str
    up: dict[str, Any]
    votes: Votes

    @property
    def url(self) -> str:
        """The address of its coordinator."""
        return str(self.up["url"])

    def container(self, member: str) -> str:
        """The container of a member."""
        return f"{self.name}-{member}"


@dataclass(frozen=True, kw_only=True)
class Alone:
    """An ensemble of one member, which is an image."""

    folder: Path
    name: str
    image: str
    port: int

    def write(self, **env: str) -> None:
        """Write the ensemble.yaml; the member gets these variables."""
        member = {"name": "waiting", "image": self.image, "deploy": {"compose": {"env": env, "memory": "300m"}}}
        document = {"name": self.name, "reduce": "soft_vote", "members": [member]}
        (self.folder / "ensemble.yaml").write_text(yaml.safe_dump(document))


@pytest.fixture(scope="module")
def compose() -> None:
    """`docker compose` or `docker-compose`; on Debian it can be installed."""
    if shutil.which("docker-compose") is None:
        try:
            packages.install({"docker-compose": "docker-compose"})
        except EngineError as error:
            pytest.skip(f"no docker-compose here: {error}")


@pytest.fixture(scope="module")
def waiting(fresh_name: Name, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Any]:
    """The image of a model with a step that can wait, and the model without that step."""
    folder = tmp_path_factory.mktemp("waiting")
    (folder / "waiting.py").write_text(WAITING)
    (folder / "mlpack.yaml").write_text("model: model.joblib\ninclude: [waiting.py]\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        from waiting import wait  # type: ignore[import-not-found]  # written above

        model = make_pipeline(FunctionTransformer(wait), LogisticRegression(max_iter=500, C=0.1)).fit(X, Y)
        joblib.dump(model, folder / "model.joblib")
    name = fresh_name("waiting")
    told("build", "--name", name, cwd=folder)
    return f"{name}:latest", model[-1]


@pytest.fixture(scope="module")
def changing(engine: DockerEngine, fresh_name: Name) -> Iterator[tuple[str, str]]:
    """A service of another make, in a container: its name, and a URL that this machine and all containers reach.

    It is published on the address of Docker's own bridge, which nothing outside this machine reaches.
    """
    client, name = engine._client, fresh_name("changing")
    gateway = client.inspect_network("bridge")["IPAM"]["Config"][0]["Gateway"]
    made = client.create_container(
        BASE, ["python3", "-m", "tests.standins.changing_member"], name=name, working_dir="/", ports=[changing_member.PORT],
        host_config=client.create_host_config(port_bindings={changing_member.PORT: (gateway, None)}),
    )  # fmt: skip
    try:
        client.put_archive(made["Id"], "/", standins())
        client.start(made["Id"])
        [bound] = client.inspect_container(made["Id"])["NetworkSettings"]["Ports"][f"{changing_member.PORT}/tcp"]
        yield name, f"http://{gateway}:{bound['HostPort']}/v2/models/{changing_member.MODEL}"
    finally:
        client.remove_container(made["Id"], force=True)


@pytest.fixture(scope="module")
def folder(
    waiting: tuple[str, Any], changing: tuple[str, str], fresh_name: Name, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """An ensemble.yaml with members of each kind."""
    folder = tmp_path_factory.mktemp("ensemble")
    joblib.dump(LogisticRegression(max_iter=500).fit(X, Y), folder / "linear.joblib")
    members: dict[str, dict[str, Any]] = {
        "linear": {"model": "linear.joblib"},
        "waiting": {"image": waiting[0]},
        "changing": {"url": changing[1], "classes": [0, 1, 2], "output": "predict_proba"},
    }
    for name, member in members.items():
        member.update(name=name, weight=WEIGHTS[name], deploy={"compose": {"memory": "300m", "env": dict(QUIET)}})
        if name in OPTIONAL:
            member.update(required=False, timeout_s=1)
    document = {
        "name": fresh_name("vote"), "reduce": "soft_vote", "members": list(members.values()),
        "deploy": {"compose": {"env": dict(QUIET)}},
    }  # fmt: skip
    (folder / "ensemble.yaml").write_text(yaml.safe_dump(document))
    return folder


@pytest.fixture(scope="module")
def ensemble(folder: Path, waiting: tuple[str, Any], engine: DockerEngine) -> Iterator[Ensemble]:
    """The ensemble as `up` starts it; in the end `down` leaves nothing."""
    name = yaml.safe_load((folder / "ensemble.yaml").read_text())["name"]
    probabilities = {
        "linear": [joblib.load(folder / "linear.joblib").predict_proba(X)],
        "waiting": [waiting[1].predict_proba(X)],
        "changing": [np.tile(changing_member.GOOD, (len(X), 1))],
    }
    up = told("ensemble", "up", "--port", str(free_port()), cwd=folder)
    yield Ensemble(folder=folder, name=name, up=up, votes=Votes(X, probabilities, WEIGHTS, OPTIONAL))
    assert told("ensemble", "down", cwd=folder) == {"ensemble": name, "removed": True}
    assert left(engine, name) == []
    assert not (folder / ".mlpack" / "ensembles" / name / "compose.yaml").exists()
    refused(8, "deploy_missing", "ensemble", "down", cwd=folder)


# the commands ---------------------------------------------------------------------------------------


def test_members_of_each_kind_fit(folder: Path, changing: tuple[str, str]) -> None:
    """`inspect` reads a model file and the card of an image, and asks a running service; no engine builds anything."""
    found = told("ensemble", "inspect", cwd=folder)
    assert {one["name"]: (one["required"], one["weight"]) for one in found["members"]} == {
        name: (name not in OPTIONAL, weight) for name, weight in WEIGHTS.items()
    }
    assert [one["classes"] for one in found["signatures"]] == [[0, 1, 2]] * 2
    assert found["members"][-1]["what"] == changing[1]


def test_the_test_of_an_ensemble_passes(folder: Path) -> None:
    """The usual checks through the coordinator, its answers recomputed from those of the members, once without one of them."""
    report = told("ensemble", "test", cwd=folder)
    assert report["ok"] is True
    assert {"explain", "equals_reducer", "without_waiting", "sigterm"} <= {one["name"] for one in report["checks"]}


def test_every_contract_answers_as_numpy(ensemble: Ensemble) -> None:
    """Labels and probabilities by /predict, V2 and V1; `explain` shows each member; the metrics count each member."""
    [wanted] = ensemble.votes.expected()
    rows, proba = X[::10].tolist(), wanted[::10]
    labels = proba.argmax(axis=1).tolist()
    assert ask(ensemble.url, {"instances": rows})["predictions"] == labels
    explained = ask(ensemble.url, {"instances": rows}, path="/predict?method=predict_proba&explain=true")
    same(explained["predictions"], proba)

    v2 = f"/v2/models/{ensemble.name}/infer"
    tensor = {"name": "input", "datatype": "FP64", "shape": [len(rows), 4], "data": rows}
    [output] = ask(ensemble.url, {"inputs": [tensor]}, path=v2)["outputs"]
    assert (output["name"], output["data"]) == ("predict", labels)
    body: dict[str, Any] = {"inputs": [tensor], "parameters": {"method": "predict_proba"}}
    [output] = ask(ensemble.url, body, path=v2)["outputs"]
    same(np.reshape(output["data"], output["shape"]), proba)

    v1 = f"/v1/models/{ensemble.name}:predict"
    assert ask(ensemble.url, {"instances": rows}, path=v1)["predictions"] == labels
    body = {"instances": rows, "signature_name": "predict_proba"}
    same(ask(ensemble.url, body, path=v1)["predictions"], proba)

    assert sorted(one["member"] for one in explained["members"]) == sorted(WEIGHTS)
    for one in explained["members"]:
        [own] = ensemble.votes.probabilities[one["member"]]
        same(one["outputs"]["predict_proba"], own[::10])
        assert one["attempts"] == 1
    with urllib.request.urlopen(f"{ensemble.url}/metrics", timeout=10) as answer:
        metrics = dict(line.rsplit(" ", 1) for line in answer.read().decode().splitlines() if line[0] != "#")
    for member in WEIGHTS:
        assert metrics[f'mlpack_member_circuit{{member="{member}"}}'] == "0"
        assert int(metrics[f'mlpack_member_requests_total{{member="{member}"}}']) >= 6  # those above


def test_only_the_coordinator_is_reachable(ensemble: Ensemble, engine: DockerEngine) -> None:
    """Members are on an internal network without ports; each container is bounded, read-only and without rights."""
    client = engine._client
    made = {one["name"]: one["container"] for one in ensemble.up["members"]}
    assert made == {name: None if name == "changing" else ensemble.container(name) for name in WEIGHTS}
    found = {name: client.inspect_container(id_) for name, id_ in containers(engine, ensemble.name).items()}
    assert set(found) == {ensemble.name, *(name for name in made.values() if name)}
    for name, facts in found.items():
        host, networks = facts["HostConfig"], facts["NetworkSettings"]["Networks"]
        internal = {client.inspect_network(one)["Internal"] for one in networks}
        ports = [one for bound in facts["NetworkSettings"]["Ports"].values() for one in bound or ()]
        if name == ensemble.name:
            assert internal == {True, False}
            assert [(one["HostIp"], ensemble.url.endswith(f":{one['HostPort']}")) for one in ports] == [
                ("127.0.0.1", True)
            ]
        else:
            assert (internal, ports) == ({True}, [])
        assert (host["ReadonlyRootfs"], host["CapDrop"], host["Privileged"]) == (True, ["ALL"], False)
        assert host["SecurityOpt"] == ["no-new-privileges:true"]
        assert 0 < host["Memory"] == host["MemorySwap"]
        assert (host["PidsLimit"], host["NanoCpus"] > 0) == (256, True)
        assert facts["Config"]["User"] == "65532:65532"
    home = ensemble.folder / ".mlpack" / "ensembles" / ensemble.name
    services = yaml.safe_load((home / "compose.yaml").read_text())["services"]
    assert services[ensemble.name]["depends_on"] == {ensemble.container("linear"): {"condition": "service_healthy"}}


# changes and faults ---------------------------------------------------------------------------------


def test_a_changed_member_is_replaced_without_a_failed_request(ensemble: Ensemble, engine: DockerEngine) -> None:
    """`up` after a model file was trained anew: every answer is that of the old or of the new model, then of the new one.

    More and more clients send requests, so that the coordinator opens connections at every moment.
    """
    before = containers(engine, ensemble.name)
    retrained = LogisticRegression(max_iter=500, C=0.01).fit(X, Y)
    joblib.dump(retrained, ensemble.folder / "linear.joblib")
    versions = ensemble.votes.probabilities["linear"]
    versions.append(retrained.predict_proba(X))
    with load(ensemble.url, ensemble.votes, growing=True) as clients:
        clients.recovers()
        told("ensemble", "up", cwd=ensemble.folder)
        del versions[0]
        clients.recovers()
    assert not [kind for kind in clients.counts if not kind.startswith(("complete", "without"))], clients.failures
    after = containers(engine, ensemble.name)
    assert {name for name in after if after[name] != before.get(name)} == {ensemble.container("linear")}
    assert len(after) == len(before)


def test_ten_thousand_requests_under_faults(
    ensemble: Ensemble, engine: DockerEngine, changing: tuple[str, str]
) -> None:
    """Each answer is right, partial, or names the member that failed; after each fault all are complete again.

    None is wrong, and none comes long after its deadline of two seconds. The coordinator joins requests here, after a change of
    its settings that leaves the members alone.
    """
    client = engine._client
    before = containers(engine, ensemble.name)
    document = yaml.safe_load((ensemble.folder / "ensemble.yaml").read_text())
    document["deploy"]["compose"]["env"]["MLPACK_SERVE_BATCH_MODE"] = "on"
    (ensemble.folder / "ensemble.yaml").write_text(yaml.safe_dump(document))
    told("ensemble", "up", cwd=ensemble.folder)
    after = containers(engine, ensemble.name)
    assert {name for name in after if after[name] != before.get(name)} == {ensemble.name}
    linear, waiting = ensemble.container("linear"), ensemble.container("waiting")
    answers = tuple(f"{status} linear" for status in (502, 503, 504))
    end = ("python3", "-c", "import os; os.kill(1, 15)")

    def behave(mode: str) -> None:
        inside(engine, changing[0], "sh", "-c", f"echo {mode} > {changing_member.MODE}")

    faults: list[Fault] = [
        (answers, lambda: client.kill(linear), lambda: client.start(linear)),
        (answers, lambda: inside(engine, linear, *end), nothing),  # the engine starts it again
        (("504 linear",), lambda: client.kill(linear, "STOP"), lambda: client.kill(linear, "CONT")),
        (("without waiting",), lambda: client.pause(waiting), lambda: client.unpause(waiting)),
        (("without waiting",), lambda: client.kill(waiting, "STOP"), lambda: client.kill(waiting, "CONT")),
        (("without waiting",), lambda: client.kill(waiting), lambda: client.start(waiting)),
        (
            ("without waiting",),
            lambda: inside(engine, waiting, "touch", "/tmp/slow"),
            lambda: inside(engine, waiting, "rm", "/tmp/slow"),
        ),
        *((("without changing",), partial(behave, mode), partial(behave, "good")) for mode in ("shape", "nan", "html")),
    ]
    with load(ensemble.url, ensemble.votes, connections=16) as clients:
        for kinds, begin, finish in faults:
            clients.recovers()
            begin()
            clients.comes(*kinds)
            finish()
        clients.recovers()
        clients.answers(10_000)


# starts that fail -----------------------------------------------------------------------------------


@pytest.fixture
def alone(waiting: tuple[str, Any], fresh_name: Name, tmp_path: Path) -> Iterator[Alone]:
    """An ensemble of one image, for starts that fail."""
    made = Alone(folder=tmp_path / "here", name=fresh_name("alone"), image=waiting[0], port=free_port())
    made.folder.mkdir()
    made.write()
    yield made
    mlpack("ensemble", "down", cwd=made.folder)


def test_a_first_start_that_fails_leaves_nothing(alone: Alone, engine: DockerEngine) -> None:
    """Exit 8 for a taken port and for a member that does not start, with its log; 130 for Ctrl-C while a member starts.

    Each time all containers, networks and files are removed again.
    """
    words = ("ensemble", "up", "--port", str(alone.port))
    with socket.create_server(("127.0.0.1", alone.port)):
        error = refused(8, "deploy_taken", *words, cwd=alone.folder)["error"]
        assert "--port" in error["hint"]
    assert left(engine, alone.name) == []

    alone.write(MLPACK_SERVE_MAX_ROWS="x")
    done = mlpack(*words, "--json", cwd=alone.folder)
    error = done.document()["error"]
    assert (done.code, error["code"]) == (8, "deploy_start"), done
    assert f"{alone.name}-waiting" in error["message"]
    assert "MLPACK_SERVE_MAX_ROWS" in done.stderr  # its log
    assert left(engine, alone.name) == []

    alone.write(HOLD="1")
    with started(*words, cwd=alone.folder) as command:
        command.comes_to(lambda: f"{alone.name}-waiting" in containers(engine, alone.name))
        command.end(signal.SIGINT)
    assert left(engine, alone.name) == []
    assert list(alone.folder.rglob("compose.yaml")) == []
    refused(8, "deploy_missing", "ensemble", "down", cwd=alone.folder)


def test_a_change_that_is_interrupted_is_taken_back(alone: Alone, engine: DockerEngine) -> None:
    """Ctrl-C while the new container of a member starts: the ensemble has the containers of before, and answers."""
    words = ("ensemble", "up", "--port", str(alone.port))
    url = told(*words, cwd=alone.folder)["url"]
    before = containers(engine, alone.name)
    alone.write(HOLD="1")
    with started(*words, cwd=alone.folder) as command:
        command.comes_to(lambda: len(containers(engine, alone.name)) > len(before))
        command.end(signal.SIGINT)
    assert containers(engine, alone.name) == before
    assert ask(url, {"instances": X[:1].tolist()}) == {"predictions": [0]}
    told("ensemble", "down", cwd=alone.folder)
    assert left(engine, alone.name) == []
    refused(8, "deploy_missing", "ensemble", "down", cwd=alone.folder)


# without mlpack -------------------------------------------------------------------------------------


def test_a_rendered_ensemble_needs_compose_alone(fresh_name: Name, tmp_path: Path) -> None:
    """`docker-compose up --build` in the folder that `render` wrote builds the images and starts them in order."""
    name, port = fresh_name("small"), free_port()
    (tmp_path / "weights.json").write_text("[2.0, -1.0]")
    (tmp_path / "predict.py").write_text(WEIGHTED)
    (tmp_path / "mlpack.yaml").write_text("predictor: predict.py\n")
    document = {
        "name": name, "reduce": "mean", "members": [{"name": "weights", "model": "weights.json"}],
        "deploy": {"compose": {"port": port}},
    }  # fmt: skip
    (tmp_path / "ensemble.yaml").write_text(yaml.safe_dump(document))
    out = tmp_path / "out"
    told("ensemble", "render", "-o", out, cwd=tmp_path)
    compose = partial(subprocess.run, cwd=out, check=True, capture_output=True, timeout=PATIENCE_S)
    try:
        compose(["docker-compose", "up", "--build", "--detach"])
        until(lambda: answers(port))
        found = ask(f"http://127.0.0.1:{port}", {"instances": [{"area": 3.0, "age": 1.0}]})
        assert found == {"predictions": [5.0]}
    finally:
        compose(["docker-compose", "down"])


# helpers --------------------------------------------------------------------------------------------


def containers(engine: DockerEngine, ensemble: str) -> dict[str, str]:
    """The ids of the running containers of an ensemble, by name."""
    found = engine._client.containers(filters={"label": f"com.docker.compose.project=mlpack-ensemble-{ensemble}"})
    return {one["Names"][0].removeprefix("/"): one["Id"] for one in found}


def left(engine: DockerEngine, name: str) -> list[str]:
    """The containers and networks of an ensemble, whatever their state."""
    made = engine._client.containers(all=True, filters={"name": name})
    networks = engine._client.networks(names=[name])
    return [str(one["Id"]) for one in made + networks]


def same(found: Any, wanted: Any) -> None:
    """Equal but for the last bits."""
    np.testing.assert_allclose(found, wanted, rtol=1e-9, atol=1e-12)


def nothing() -> None:
    """Do nothing."""


def answers(port: int) -> bool:
    """Whether a service on this port is ready."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/ready", timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def until(reached: Callable[[], bool]) -> None:
    """Wait until it is so."""
    ends = time.monotonic() + PATIENCE_S
    while not reached():
        assert time.monotonic() < ends
        time.sleep(0.1)


def inside(engine: DockerEngine, container: str, *words: str) -> None:
    """Run a command in a container."""
    made = engine._client.exec_create(container, list(words))
    text = engine._client.exec_start(made["Id"])
    assert engine._client.exec_inspect(made["Id"])["ExitCode"] == 0, text


def standins() -> bytes:
    """The program of the changing member, as an archive."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for module in ("__init__", "standins/__init__", "standins/member", "standins/changing_member"):
            archive.add(Path(__file__).parents[1] / f"{module}.py", f"tests/{module}.py")
    return packed.getvalue()
