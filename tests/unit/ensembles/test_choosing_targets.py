"""The settings of an ensemble's services: those of ensemble.yaml for all, a member's own first, some for the coordinator alone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from mlpack.artifacts.image import Image
from mlpack.artifacts.release import Component, Release
from mlpack.cli.ensemble_targets import Chosen, choose_target
from mlpack.cli.target_command import GivenOption, offered_options
from mlpack.errors import ConfigError, UsageError
from mlpack.targets.cloudrun import CloudRun
from mlpack.workspace import Deployed, Workspace
from tests import standins
from tests.standins.google_tokens import GoogleTokens

ACCOUNT = "e@demo.iam.gserviceaccount.com"
WHERE = {"project": "demo", "region": "europe-west1"}


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A folder with two models, and a key file of a service account, with which no request is sent."""
    google = GoogleTokens()
    (tmp_path / "key.json").write_text(json.dumps(google.key_file()))
    for name in ("a", "b"):
        (tmp_path / f"{name}.pkl").touch()
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "key.json"))
    monkeypatch.chdir(tmp_path)
    yield
    google.close()


def choose(
    deploy: dict[str, Any], *options: tuple[str, Any], own: Any = None, name: str = "e", target: str = ""
) -> Chosen:
    """What is chosen for an ensemble.yaml; `own` are the settings of its member b."""
    members = [{"name": "a", "model": "a.pkl"}, {"name": "b", "model": "b.pkl", "deploy": own or {}}]
    text = yaml.safe_dump({"name": name, "reduce": "mean", "members": members, "deploy": deploy})
    Path("ensemble.yaml").write_text(text)
    offered = {one.option.flag: one for one in offered_options(None)}
    given = [
        GivenOption(option=offered[flag].option, value=value, targets=tuple(offered[flag].helps))
        for flag, value in options
    ]
    return choose_target(Path(), target or None, given, [])


def settings(chosen: Chosen, service: str = "") -> dict[str, Any]:
    """The settings that were given to a service of Cloud Run; "" is the coordinator."""
    assert chosen.services is not None
    found = chosen.services.of(service) if service else chosen.services.coordinator
    assert isinstance(found, CloudRun)
    return found._settings.model_dump(exclude_unset=True)


def test_settings_are_for_all_and_a_members_own_come_first() -> None:
    """Variables, secrets and access are the coordinator's; options are like settings in the file; members are private."""
    common = {**WHERE, "memory": "1Gi", "service_account": ACCOUNT, "env": {"A": "1"}, "secrets": {"B": "b"}}
    chosen = choose(
        {"target": "cloudrun", "cloudrun": {**common, "allow_unauthenticated": True, "invokers": ["me@x.y"]}},
        ("--max-instances", 3),
        own={"cloudrun": {"memory": "2Gi", "env": {"C": "3"}}},
    )
    shared = {**WHERE, "service_account": ACCOUNT, "max_instances": 3, "allow_unauthenticated": False}
    assert settings(chosen)["env"] == {"A": "1"}
    assert settings(chosen)["allow_unauthenticated"] is True
    assert settings(chosen, "e-a") == {**shared, "memory": "1Gi"}
    assert settings(chosen, "e-b") == {**shared, "memory": "2Gi", "env": {"C": "3"}}
    assert settings(chosen, "e-gone") == {**shared, "memory": "1Gi"}
    assert chosen.platforms == ("linux/amd64",)


def test_the_place_of_the_last_deployment_is_remembered() -> None:
    """For this ensemble alone: a single model of the same folder has its own."""
    deployed = Deployed(target="cloudrun", service="e", where=WHERE)
    Workspace(Path.cwd()).note_deployed(Deployed(target="compose", service="other", where={}))
    Workspace(Path.cwd()).note_deployed(deployed, ensemble="e")
    assert settings(choose({}))["region"] == "europe-west1"
    with pytest.raises(UsageError, match="no Google Cloud project is given"):
        choose({"target": "cloudrun"}, name="other")


@pytest.mark.parametrize(
    ("deploy", "own", "words"),
    [
        ({"cloudrun": {**WHERE, "service": "x"}}, {}, "deploy.cloudrun.service` cannot be set"),
        ({"cloudrun": WHERE}, {"cloudrun": {"allow_unauthenticated": True}}, "of the member b must be false"),
        ({"cloudrun": WHERE}, {"cloudrun": 3}, "must contain keys"),
        ({"cloudrun": WHERE}, {"cloudrun": {"memroy": "1Gi"}}, "cloudrun of b has no setting `memroy`"),
    ],
)
def test_a_wrong_setting_is_an_error_before_anything_is_built(deploy: Any, own: Any, words: str) -> None:
    """The message names the member."""
    with pytest.raises(ConfigError) as told:
        choose({"target": "cloudrun", **deploy}, own=own)
    assert words in told.value.message
    assert told.value.hint


def test_without_a_target_the_hint_names_the_file() -> None:
    """As for every key of an ensemble."""
    with pytest.raises(UsageError, match="no target is named") as told:
        choose({})
    assert told.value.hint.endswith("`deploy: {target: ...}` in ensemble.yaml.")


def test_a_name_that_is_too_long_has_the_remedy_for_an_ensemble() -> None:
    """There is no option --service."""
    with pytest.raises(UsageError, match="is not a valid name") as told:
        choose({"target": "cloudrun", "cloudrun": WHERE}, name="e" * 48)
    assert "shorten the name of the ensemble or of the member" in told.value.hint


def test_on_cloud_run_the_coordinators_account_must_be_known() -> None:
    """The setting or the one that serves; the remedy is in the hint."""
    chosen = choose({"target": "cloudrun", "cloudrun": {**WHERE, "service_account": ACCOUNT}})
    assert chosen.services is not None
    assert chosen.services.coordinator.identity() == ACCOUNT


def test_a_target_may_release_no_ensembles(monkeypatch: pytest.MonkeyPatch) -> None:
    """One of another package, which knows nothing of them."""
    monkeypatch.syspath_prepend(Path(standins.__file__).with_name("toy_package"))
    with pytest.raises(UsageError, match="the target toy releases no ensembles"):
        choose({"toy": {"platform_url": "http://127.0.0.1:1"}}, target="toy")


def test_the_plan_of_a_compose_project_shows_each_container(tmp_path: Path) -> None:
    """What `up` would change, before it asks."""
    chosen = choose({"target": "compose", "compose": {"memory": "300m"}})
    assert chosen.runner is not None
    image = Image(id="sha256:1", tags=(), size=1, platform="linux/amd64", card={}, labels={})
    components = tuple(
        Component(name=name, image=image, report=None, reference=f"{name}:1", member=member)
        for name, member in (("e", ""), ("e-a", "a"), ("e-b", "b"))
    )
    plan = chosen.runner.plan(Release(components=components))
    changes = {change.field: change.after for change in plan.changes}
    assert {f"{name} image": f"{name}:1" for name in ("e", "e-a", "e-b")}.items() <= changes.items()
    assert changes["e-a mem_limit"] == "300m"
    assert (plan.exists, chosen.runner.url(), chosen.runner.services()) == (False, "", {})
    folder = tmp_path / ".mlpack" / "ensembles" / "e"
    folder.mkdir(parents=True)
    (folder / "compose.yaml").write_text(plan.document)
    again = chosen.runner.plan(Release(components=components))
    assert (again.exists, again.changes) == (True, ())
    assert chosen.runner.url() == "http://127.0.0.1:8080"
