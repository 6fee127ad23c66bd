"""An ensemble on (a local) Cloud Run: private members, a coordinator with identity tokens, and releases of all of it together."""

from __future__ import annotations

import pickle
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeClassifier

from tests.integration.cli import ask
from tests.integration.clouds import PROJECT, REGION, Cloud, asking
from tests.integration.conftest import Name
from tests.ports import free_port

pytestmark = [pytest.mark.docker, pytest.mark.slow]

ACCOUNT = f"ensemble@{PROJECT}.iam.gserviceaccount.com"
REFUSES = "MLPACK_SERVE_MAX_BODY=10"  # with it, the server starts and answers every request with 413
ROWS, LABELS = load_iris(return_X_y=True)
ASKED = ROWS[::10].tolist()


@dataclass(frozen=True, kw_only=True)
class Ensemble:
    """The folder of an ensemble.yaml with two models, and the name of the ensemble."""

    folder: Path
    name: str
    cloud: Cloud

    def train(self, depth: int) -> list[list[float]]:
        """Write both models; return the probabilities that the ensemble gives for the rows."""
        linear = LogisticRegression(max_iter=500).fit(ROWS, LABELS)
        tree = DecisionTreeClassifier(max_depth=depth, random_state=0).fit(ROWS, LABELS)
        (self.folder / "linear.pkl").write_bytes(pickle.dumps(linear))
        (self.folder / "tree.pkl").write_bytes(pickle.dumps(tree))
        found: list[list[float]] = ((linear.predict_proba(ASKED) + 2 * tree.predict_proba(ASKED)) / 3).tolist()
        return found

    def told(self, *words: str) -> dict[str, Any]:
        """The document of an `mlpack ensemble` command that must succeed."""
        return self.cloud.told("ensemble", *words, cwd=self.folder)

    def service(self, member: str = "") -> dict[str, Any]:
        """A service as the Admin API tells it."""
        return self.cloud.service(f"{self.name}-{member}" if member else self.name)

    def serving(self) -> dict[str, str]:
        """The revision with all the traffic, by member; "" is the coordinator."""
        found = {}
        for name in ("", "linear", "tree"):
            service = self.service(name)
            share = next(one for one in service["trafficStatuses"] if one.get("percent") == 100)
            # The traffic of a first release goes to whatever is the latest.
            found[name] = str(share.get("revision") or service["latestReadyRevision"]).rpartition("/")[2]
        return found

    def status_of(self, url: str, email: str) -> int:
        """What a service answers to a request with the identity token of an account; "": without a token."""
        token = self.cloud.ask(f"/standin/id-token?audience={url}&email={email}")["id_token"] if email else ""
        request = urllib.request.Request(f"{url}/ready", headers={"Authorization": f"Bearer {token}"} if token else {})
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            with error:
                return error.code


@pytest.fixture(scope="module")
def ensemble(cloud: Cloud, fresh_name: Name, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ensemble]:
    made = Ensemble(folder=tmp_path_factory.mktemp("ensemble"), name=fresh_name("ens"), cloud=cloud)
    settings = {"project": PROJECT, "region": REGION, "service_account": ACCOUNT, "allow_unauthenticated": True}
    document = {
        "name": made.name,
        "reduce": "soft_vote",
        "members": [
            {"name": "linear", "model": "linear.pkl"},
            {"name": "tree", "model": "tree.pkl", "weight": 2, "deploy": {"cloudrun": {"concurrency": 20}}},
        ],
        "deploy": {"target": "cloudrun", "cloudrun": settings},
    }
    (made.folder / "ensemble.yaml").write_text(yaml.safe_dump(document))
    yield made
    cloud.disarm()
    cloud.run("ensemble", "delete", "--yes", cwd=made.folder)


def test_an_ensemble_is_released_changed_restored_rolled_back_and_deleted_as_a_whole(ensemble: Ensemble) -> None:
    """Members are private and answer the coordinator alone, whose answers are the weighted means of theirs.

    A second release gives one member a new revision, a failed one is restored, a rollback goes back to the first. No request
    fails in the meantime; each answer is that of one of the two releases.
    """
    old, cloud = ensemble.train(depth=1), ensemble.cloud
    nobody = ("ensemble", "deploy", "--set", "service_account=null", "--yes")
    refused = cloud.refused(2, "usage", *nobody, cwd=ensemble.folder)
    assert "--service-account" in refused["error"]["hint"]
    planned = ensemble.told("deploy", "--dry-run")
    fields = {change["field"]: change["after"] for change in planned["plan"]["changes"]}
    assert fields[f"{ensemble.name} env.MLPACK_MEMBER_TREE_URL"] == "known after its first release"
    assert fields[f"{ensemble.name}-tree invokers"] == f"serviceAccount:{ACCOUNT}"
    assert fields[f"{ensemble.name}-tree concurrency"] == "20"
    assert fields[f"{ensemble.name} access"] == "everybody"

    first = ensemble.told("deploy", "--yes")
    assert (first["verified"], first["previous"], first["rollback"]) == ("golden", None, "mlpack ensemble delete")
    assert {one["verified"] for one in first["members"].values()} == {"golden"}
    url, body = str(first["url"]), {"instances": ASKED}
    assert_close(ask(url, body, path="/predict?method=predict_proba")["predictions"], old)
    member = ensemble.service("tree")
    assert member["template"]["serviceAccount"] == ACCOUNT
    assert [ensemble.status_of(member["uri"], who) for who in ("", "other@example.com", ACCOUNT)] == [403, 403, 200]
    released = ensemble.serving()
    assert first["revision"] == released[""]
    state = ensemble.told("status")
    assert (state["url"], state["ready"], state["changed"], state["missing"]) == (url, True, [], [])
    assert state["coordinator"]["revisions"][0]["calls"] == {
        f"{ensemble.name}-{member}": released[member] for member in ("linear", "tree")
    }

    answers = {"predictions": ask(url, body)["predictions"]}  # the labels of both releases are the same
    with asking(url, body, answers, rate=8, clients=2) as asked:
        new = ensemble.train(depth=2)
        second = ensemble.told("deploy", "--yes")
        assert_close(ask(url, body, path="/predict?method=predict_proba")["predictions"], new)
        serving = ensemble.serving()
        assert serving["linear"] == released["linear"]
        assert serving["tree"] != released["tree"]
        assert {change["field"].partition(" ")[0] for change in second["plan"]["changes"]} == {
            f"{ensemble.name}-tree", ensemble.name,
        }  # fmt: skip
        assert second["rollback"] == "mlpack ensemble rollback"

        file = ensemble.folder / "ensemble.yaml"
        file.write_text(file.read_text().replace("concurrency: 20", "concurrency: 30"))
        words = ("ensemble", "deploy", "--env", REFUSES, "--yes")
        failed = cloud.refused(8, "deploy_check", *words, cwd=ensemble.folder)
        assert "413" in failed["error"]["message"]
        assert failed["service"] == ensemble.name
        assert set(failed["restored"]) == {ensemble.name, f"{ensemble.name}-tree"}
        assert ensemble.serving() == serving

        # On another machine there are neither records nor models.
        (ensemble.folder / ".mlpack" / "ensembles" / ensemble.name / "deployed.json").unlink()
        for model in ensemble.folder.glob("*.pkl"):
            model.rename(model.with_suffix(".away"))
        back = ensemble.told("rollback")
        assert (back["revision"], back["previous"]) == (first["revision"], second["revision"])
        assert back["moved"] == {f"{ensemble.name}-tree": released["tree"]}
        assert (ensemble.serving(), back["changed"]) == (released, [])
        assert_close(ask(url, body, path="/predict?method=predict_proba")["predictions"], old)
    assert asked.failures == []
    assert asked.answers > 20

    deleted = ensemble.told("delete", "--yes")
    assert deleted["services"] == [ensemble.name, f"{ensemble.name}-linear", f"{ensemble.name}-tree"]
    cloud.refused(8, "deploy_missing", "ensemble", "status", cwd=ensemble.folder)


def test_an_ensemble_is_deployed_on_this_machine(ensemble: Ensemble) -> None:
    """`--target compose` starts what was tested; there is nothing to roll back to, and delete removes all of it."""
    wanted = ensemble.train(depth=2)
    target = ("--target", "compose")
    port = free_port()
    deployed = ensemble.told("deploy", *target, "--set", f"port={port}", "--yes")
    assert deployed["url"] == f"http://127.0.0.1:{port}"
    assert {change["field"] for change in deployed["plan"]["changes"]} >= {f"{ensemble.name}-tree image"}
    body = {"instances": ASKED}
    assert_close(ask(deployed["url"], body, path="/predict?method=predict_proba")["predictions"], wanted)
    state = ensemble.told("status", *target)
    assert (state["url"], state["ready"]) == (deployed["url"], True)
    assert set(state["services"]) == {ensemble.name, f"{ensemble.name}-linear", f"{ensemble.name}-tree"}
    refused = ensemble.cloud.refused(2, "usage", "ensemble", "rollback", *target, cwd=ensemble.folder)
    assert "keeps no earlier release" in refused["error"]["message"]
    assert ensemble.told("delete", *target, "--yes")["deleted"] == ensemble.name
    ensemble.cloud.refused(8, "deploy_missing", "ensemble", "status", *target, cwd=ensemble.folder)


def assert_close(found: Any, wanted: list[list[float]]) -> None:
    """Probabilities equal to the last few bits."""
    np.testing.assert_allclose(np.asarray(found), np.asarray(wanted), rtol=1e-9, atol=1e-12)
