"""`mlpack ensemble test` on real servers: what passes, and what the checks of an ensemble find."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeClassifier

from mlpack.artifacts.image import Image
from mlpack.checks.smoke import Expectation
from mlpack.engines.base import Exit, JobResult, Limits, Stats
from mlpack.ensembles.assembly import Built, Described
from mlpack.ensembles.coordinator import PLAN, coordinator_of
from mlpack.ensembles.file import read_ensemble
from mlpack.ensembles.fitting import fit
from mlpack.ensembles.members import of_card, of_url
from mlpack.ensembles.verify import run_together
from mlpack.errors import CheckFailedError, UsageError
from tests.contract import models
from tests.contract.served import Server, assemble, started

LOADER = "from mlpack.runtime.ensembles.coordinator import Coordinator\n"


class Process:
    """A server of this machine as an engine's Running."""

    def __init__(self, server: Server) -> None:
        self.url = self.address = f"http://127.0.0.1:{server.port}"
        self._server = server

    def stats(self) -> Stats:
        """Unknown."""
        return Stats(peak_memory=None)

    def logs(self) -> str:
        """What it has written."""
        return self._server.text()

    def alive(self) -> bool:
        """Whether it runs."""
        return self._server.process.poll() is None

    def stop(self, *, grace_s: float) -> Exit:
        """End it."""
        del grace_s
        return Exit(code=self._server.stop(), oom_killed=False, seconds=0.0)


class Processes:
    """A Runner whose images are folders like /app, and whose containers are processes of this machine."""

    @contextmanager
    def run(
        self, image: Image, *, limits: Limits, env: Mapping[str, str], port: int, host_port: int = 0,
        arguments: tuple[str, ...] = (), network: str = "",
    ) -> Iterator[Process]:  # fmt: skip
        """Start the folder's server."""
        del limits, port, host_port, arguments
        assert network == "loopback"
        with started(Path(image.id), env=env, ready=False) as server:
            yield Process(server)

    @contextmanager
    def network(self) -> Iterator[str]:
        """The loopback interface."""
        yield "loopback"

    def job(self, image: Image, **_more: Any) -> JobResult:
        """Nothing here needs one."""
        raise NotImplementedError(image)


def image_of(folder: Path) -> Image:
    """The folder as an image with its card."""
    card = json.loads((folder / "model.json").read_text(encoding="utf-8"))
    return Image(id=str(folder), tags=("t",), size=1, platform="linux/amd64", card=card, labels={})


Build = Callable[..., Built]


@pytest.fixture(scope="module")
def members(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The folders of two classifiers."""
    x, y = load_iris(return_X_y=True)
    fitted = {
        "linear": LogisticRegression(max_iter=500).fit(x, y),
        "tree": DecisionTreeClassifier(max_depth=2).fit(x, y),
    }
    folders = {}
    for name, model in fitted.items():
        common: dict[str, Any] = {"classes": (0, 1, 2), "batchable": True}
        signatures = (
            models.matrix("predict", 4, models.out("predict", "INT64"), **common),
            models.matrix("predict_proba", 4, models.out("predict_proba", "FP64", 3), **common),
        )
        folder = tmp_path_factory.mktemp(name) / "app"
        folders[name] = assemble(
            folder, model=models.pickled(model), signatures=signatures, name=f"e-{name}", format="sklearn"
        )
    return folders


@pytest.fixture
def build(members: dict[str, Path], tmp_path: Path) -> Build:
    """Build an ensemble of both: `build("soft_vote", plan=...)`; `plan` changes the coordinator's plan."""

    def built(reduce: str, *, change: Callable[[dict[str, Any]], None] = lambda _: None, more: str = "") -> Built:
        text = f"name: e\nreduce: {reduce}\n{more}members:\n  - {{name: linear, image: a}}\n  - {{name: tree, image: b, required: false}}\n"
        (tmp_path / "ensemble.yaml").write_text(text, encoding="utf-8")
        ensemble, _ = read_ensemble(tmp_path)
        images = {name: image_of(folder) for name, folder in members.items()}
        facts = tuple(of_card(entry, images[entry.name].card) for entry in ensemble.members)
        fitted = fit(ensemble, facts)
        info = coordinator_of(ensemble, fitted, tmp_path / "plan")
        plan = json.loads((tmp_path / "plan" / PLAN).read_text(encoding="utf-8"))
        change(plan)
        folder = assemble(
            tmp_path / "app", model=json.dumps(plan).encode(), signatures=info.signatures, loader=LOADER, name="e",
            format="ensemble",
        )  # fmt: skip
        described = Described(ensemble=ensemble, facts=facts, models={}, images=images, fitted=fitted, info=info)
        return Built(described=described, coordinator=image_of(folder), members=images)

    return built


def checks(built: Built, **more: Any) -> dict[str, tuple[bool, str]]:
    """The results by the checks' names."""
    results = run_together(built, runner=Processes(), **more)
    assert results.verified.image is built.coordinator
    return {one.name: (one.ok, one.detail) for one in results.verified.report.checks}


@pytest.mark.parametrize("reduce", ["soft_vote", "hard_vote"])
def test_a_sound_ensemble_passes(build: Build, reduce: str) -> None:
    """All checks of a service, and those of an ensemble; the receipt is the coordinator's."""
    found = checks(build(reduce))
    assert all(ok for ok, _ in found.values()), found
    assert found["equals_reducer"][1] == f"8 rows, {reduce} of linear, tree"
    assert found["without_tree"][1] == f"8 rows, {reduce} of linear"
    assert {"ready", "predict", "bad_json", "latency", "sigterm"} <= set(found)


def test_an_answer_that_is_not_the_reducers_fails(build: Build) -> None:
    """A coordinator with other classes in its plan than its members have: both values are shown."""

    def swap(plan: dict[str, Any]) -> None:
        for member in plan["members"]:
            member["queries"]["predict_proba"]["classes"] = [2, 1, 0]

    found = checks(build("soft_vote", change=swap))
    ok, detail = found["equals_reducer"]
    assert not ok
    assert "expected" in detail


def test_a_member_that_does_not_start_is_named(build: Build, tmp_path: Path) -> None:
    """With the end of its log; no check is reported for the coordinator."""
    broken = assemble(tmp_path / "broken", model=b"no pickle", signatures=(), name="e-tree")
    built = build("soft_vote")
    with pytest.raises(CheckFailedError, match="the member tree did not become ready") as caught:
        run_together(replace(built, members={**built.members, "tree": image_of(broken)}), runner=Processes())
    assert "model" in caught.value.detail


def test_the_users_own_request_and_answer_are_used(build: Build) -> None:
    """As in `mlpack test`: an answer that differs fails."""
    rows = [[5.1, 3.5, 1.4, 0.2]]
    right = checks(
        build("soft_vote"), expectation=Expectation(request={"instances": rows}, expected={"predictions": [0]})
    )
    assert right["expected"][0]


@pytest.fixture(scope="module")
def served(members: dict[str, Path]) -> Iterator[Server]:
    """One of the members."""
    with started(members["linear"]) as server:
        yield server


@pytest.mark.parametrize("path", ["", "/v2/models/e-linear", "/v1/models/e-linear", "/v2/models/e-linear/infer"])
def test_a_service_of_mlpack_tells_all_of_its_signatures(served: Server, tmp_path: Path, path: str) -> None:
    """Whatever path of it the URL names."""
    url = f"http://127.0.0.1:{served.port}"
    text = f"name: e\nreduce: soft_vote\nmembers:\n  - {{name: linear, url: '{url}{path}'}}\n"
    (tmp_path / "ensemble.yaml").write_text(text, encoding="utf-8")
    ensemble, _ = read_ensemble(tmp_path)
    facts = of_url(ensemble.members[0])
    assert (facts.url, facts.model, [one.name for one in facts.signatures]) == (
        url,
        "e-linear",
        ["predict", "predict_proba"],
    )
    assert facts.signatures[0].classes == (0, 1, 2)


def test_an_ensemble_is_no_member_of_itself(build: Build, tmp_path: Path) -> None:
    """Neither by its image, nor by the URL of its own coordinator; that of another ensemble is a member like others."""
    built = build("soft_vote")
    text = "name: e\nreduce: soft_vote\nmembers:\n  - {name: linear, image: a}\n"
    (tmp_path / "ensemble.yaml").write_text(text, encoding="utf-8")
    (entry,) = read_ensemble(tmp_path)[0].members
    with pytest.raises(UsageError, match="is the coordinator of an ensemble"):
        of_card(entry, built.coordinator.card)
    with started(Path(built.coordinator.id), ready=False) as server:
        server.until("/livez", 200)
        url = f"http://127.0.0.1:{server.port}"
        facts = of_url(entry.model_copy(update={"url": url, "image": None}))
        assert (facts.ensemble, facts.model) == (True, "e")
        (tmp_path / "ensemble.yaml").write_text(text.replace("image: a", f"url: '{url}'"), encoding="utf-8")
        done = subprocess.run(
            [sys.executable, "-m", "mlpack", "ensemble", "inspect", "--json"], cwd=tmp_path, capture_output=True, text=True,
            check=False,
        )  # fmt: skip
    assert done.returncode == 2
    assert "is this ensemble itself" in json.loads(done.stdout)["error"]["message"]
