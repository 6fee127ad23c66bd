"""An ensemble is planned, released, rolled back and deleted as a whole; whatever fails, all that was changed is restored."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from mlpack.artifacts.image import Image
from mlpack.artifacts.release import Released, Unverified
from mlpack.checks.smoke import Expectation
from mlpack.ensembles.rollout import Candidate, EnsembleDeployment, EnsemblePlan, plan_ensemble, release
from mlpack.ensembles.services import Targets, delete, rollback, status
from mlpack.errors import DeployError, DeployStateError
from tests.standins.small_ensemble import SmallPlatform, small_platform

ALL = ("e-a", "e-b", "e")
GOLDEN = Expectation(request={"instances": [[1]]}, expected={"predictions": [1]})


@pytest.fixture
def platform() -> Iterator[SmallPlatform]:
    with small_platform() as made:
        yield made


def image(name: str) -> Image:
    return Image(id=f"sha256:{name}", tags=(), size=1, platform="linux/amd64", card={}, labels={})


def targets(platform: SmallPlatform, members: tuple[str, ...] = ("a", "b")) -> Targets:
    return Targets(
        name="e",
        coordinator=platform.service("e"),
        members={f"e-{name}": platform.service(f"e-{name}") for name in members},
        other=platform.service,
    )


def planned(platform: SmallPlatform, *, urls: tuple[str, ...] = (), **images: str) -> EnsemblePlan:
    """The plan for these images of the members, by their names; `e` is the coordinator's."""
    wanted = {"a": "a1", "b": "b1", "e": "e1"} | images
    members = tuple(name for name in wanted if name != "e" and name not in urls)
    candidates = [
        Candidate(
            service="e" if name == "e" else f"e-{name}", member="" if name == "e" else name,
            source=Unverified(image=image(wanted[name])), expectation=GOLDEN,
        )
        for name in (*members, "e")
    ]  # fmt: skip
    return plan_ensemble(candidates, targets(platform, members), urls=urls, destination=lambda _target, _name: None)


def deploy(
    platform: SmallPlatform, *, steps: Callable[[str, str], None] = lambda _service, _step: None, **images: str
) -> EnsembleDeployment:
    plan = planned(platform, urls=(), **images)
    released = {
        part.candidate.service: Released(
            reference=part.component.image.id, digest="", tags=(), source=Unverified(image=part.component.image)
        )
        for part in plan.parts
    }
    platform.log.clear()
    return release(plan, released, steps=lambda service: lambda step: steps(service, step))


def test_one_plan_shows_all_changes_the_sum_of_the_costs_and_all_notes(platform: SmallPlatform) -> None:
    """What is not known before the members' first release is said; planning changes nothing."""
    plan = planned(platform)
    whole = plan.whole()
    changes = {change.field: change.after for change in whole.changes}
    assert changes == {
        "e-a image": "sha256:a1", "e-a callers": "e@small.example",
        "e-b image": "sha256:b1", "e-b callers": "e@small.example",
        "e image": "sha256:e1",
        "e env.MLPACK_MEMBER_A_URL": "known after its first release",
        "e env.MLPACK_MEMBER_A_AUDIENCE": "known after its first release",
        "e env.MLPACK_MEMBER_B_URL": "known after its first release",
        "e env.MLPACK_MEMBER_B_AUDIENCE": "known after its first release",
        "e calls.e-a": "its new revision", "e calls.e-b": "its new revision",
    }  # fmt: skip
    assert whole.cost is not None
    assert (whole.cost.idle_month, whole.cost.million_requests) == (3.0, 6.0)
    assert whole.notes == tuple(f"{name}: a note of {name}" for name in ALL)
    assert whole.document == "name: e-a\n---\nname: e-b\n---\nname: e\n"
    assert (whole.exists, whole.changes_nothing) == (False, False)
    assert list(plan.to_json()["services"]) == list(ALL)
    assert platform.log == []


def test_members_are_released_first_and_the_coordinator_finds_them(platform: SmallPlatform) -> None:
    """One service after the other; the coordinator gets URLs, audiences, and the revisions that belong to its release."""
    found = deploy(platform)
    assert platform.log == [f"{name} {step}" for name in ALL for step in ("stage", "promote")]
    component = platform.service("e").revisions[found.coordinator.revision]
    assert component.env == {
        "MLPACK_MEMBER_A_URL": platform.service("e-a").endpoint().url, "MLPACK_MEMBER_A_AUDIENCE": "of e-a",
        "MLPACK_MEMBER_B_URL": platform.service("e-b").endpoint().url, "MLPACK_MEMBER_B_AUDIENCE": "of e-b",
    }  # fmt: skip
    assert component.calls == {"e-a": "r0", "e-b": "r0"}
    assert platform.service("e-a").revisions["r0"].callers == ("e@small.example",)
    document = found.to_json()
    assert (document["ensemble"], document["verified"], document["rollback"]) == (
        "e",
        "golden",
        "mlpack ensemble delete",
    )
    assert {name: one["revision"] for name, one in document["members"].items()} == {"a": "r0", "b": "r0"}


def test_only_a_member_that_changed_is_released_again(platform: SmallPlatform) -> None:
    """The other one is only verified; the coordinator's new revision names what belongs to it."""
    deploy(platform)
    found = deploy(platform, b="b2")
    assert platform.log == ["e-b stage", "e-b promote", "e stage", "e promote"]
    assert found.members["a"].revision == "r0"
    assert found.members["a"].verified == "golden"
    assert platform.service("e").revisions["r1"].calls == {"e-a": "r0", "e-b": "r1"}
    assert found.coordinator.rollback == "mlpack ensemble rollback"


def test_the_same_again_changes_nothing(platform: SmallPlatform) -> None:
    """All services are verified as they are."""
    deploy(platform)
    assert planned(platform).whole().changes_nothing
    assert deploy(platform).coordinator.revision == "r0"
    assert platform.log == []


@pytest.mark.parametrize("service", ALL)
@pytest.mark.parametrize("step", ["stage", "promote", "answer"])
def test_a_failure_anywhere_restores_everything(platform: SmallPlatform, service: str, step: str) -> None:
    """Exit 8 with the code of the cause; what was changed is restored, the last one first."""
    deploy(platform)
    before = platform.serving()
    broken = platform.service(service)
    if step == "answer":
        broken.answers = {"predictions": [2]}
    else:
        broken.broken = step
    with pytest.raises(DeployError) as caught:
        deploy(platform, a="a2", b="b2")
    assert caught.value.code == ("deploy_check" if step == "answer" else "deploy_quota")
    touched = ALL[: ALL.index(service) + 1]
    assert [one for one in platform.log if one.endswith("restore")] == [f"{name} restore" for name in reversed(touched)]
    assert platform.serving() == before
    assert caught.value.document["service"] == service
    assert caught.value.document["restored"] == dict.fromkeys(touched, "r0 serves")
    assert f"{service}: r0 serves" in caught.value.message


def test_a_first_release_that_fails_leaves_nothing(platform: SmallPlatform) -> None:
    """The members that were created are deleted again."""
    platform.service("e").answers = 500
    with pytest.raises(DeployError) as caught:
        deploy(platform)
    assert "e: e was deleted again; e-b: e-b was deleted again; e-a: e-a was deleted" in caught.value.message
    assert platform.serving() == {}


def test_a_service_that_cannot_be_restored_is_named_and_the_others_are_restored(platform: SmallPlatform) -> None:
    """Exit 9: the cause, the service that is left, and those that were restored."""
    deploy(platform)
    platform.service("e-b").broken = "restore"
    platform.service("e").answers = 500
    with pytest.raises(DeployStateError) as caught:
        deploy(platform, a="a2", b="b2")
    assert caught.value.exit == 9
    for words in ("golden requests", "e-b: the front server is stuck", "restored: e: r0 serves; e-a: r0 serves"):
        assert words in caught.value.message
    assert platform.serving() == {"e-a": "r0", "e-b": "r1", "e": "r0"}
    assert caught.value.document["not_restored"] == {"e-b": "the front server is stuck"}


def test_ctrl_c_restores_everything(platform: SmallPlatform) -> None:
    """Also between two services; a second Ctrl-C ends the rollback and names what is left."""
    deploy(platform)
    before = platform.serving()
    platform.service("e").interrupt_at = "stage"
    with pytest.raises(KeyboardInterrupt):
        deploy(platform, a="a2", b="b2")
    assert platform.serving() == before
    platform.service("e-b").interrupt_at = "restore"
    with pytest.raises(DeployStateError) as caught:
        deploy(platform, a="a2", b="b2")
    assert caught.value.document["not_restored"] == {
        "e-b": "interrupted during its rollback", "e-a": "not rolled back",
    }  # fmt: skip


def test_a_change_by_someone_else_is_a_conflict(platform: SmallPlatform) -> None:
    """The coordinator's second plan may not change more than the user has confirmed."""
    deploy(platform)

    def meddle(service: str, step: str) -> None:
        if service == "e-b" and step.startswith("verifying"):
            current = platform.service("e").revisions
            current["r0"] = replace(current["r0"], image=image("theirs"))

    with pytest.raises(DeployError) as caught:
        deploy(platform, steps=meddle, b="b2")
    assert (caught.value.code, caught.value.document["service"]) == ("deploy_conflict", "e")
    assert "image" in caught.value.message
    assert platform.serving() == {"e-a": "r0", "e-b": "r0", "e": "r0"}


def test_a_member_that_became_a_url_loses_its_variables(platform: SmallPlatform) -> None:
    """Else the coordinator would still call the old service; a note says that it stays."""
    deploy(platform)
    plan = planned(platform, urls=("b",))
    assert {one.field for one in plan.coordinator.plan.changes} == {
        "env.MLPACK_MEMBER_B_URL", "env.MLPACK_MEMBER_B_AUDIENCE", "calls.e-b",
    }  # fmt: skip
    assert any("e-b is no member any more" in note for note in plan.notes)


def test_a_rollback_moves_the_coordinator_and_the_members_of_its_release(platform: SmallPlatform) -> None:
    """The coordinator first, then exactly the members that differ; an older release can be named."""
    deploy(platform)
    deploy(platform, b="b2")
    deploy(platform, a="a2", b="b2")
    platform.log.clear()
    found = rollback(targets(platform), None, lambda _: None)
    assert platform.log == ["e route", "e-a route"]
    assert (found.revision, found.previous, found.moved) == ("r1", "r2", {"e-a": "r0"})
    assert platform.serving() == {"e-a": "r0", "e-b": "r1", "e": "r1"}
    assert found.state.changed == ()
    platform.log.clear()
    rollback(targets(platform), "r0", lambda _: None)
    assert platform.log == ["e route", "e-b route"]
    with pytest.raises(DeployError, match="no earlier revision"):
        rollback(targets(platform), None, lambda _: None)


def test_a_rollback_that_fails_moves_everything_back(platform: SmallPlatform) -> None:
    """Exit 8, or exit 9 if that fails too; nothing moves if a revision is gone or cannot serve."""
    deploy(platform)
    deploy(platform, a="a2", b="b2")
    before = platform.serving()
    platform.service("e-a").broken = "route"
    with pytest.raises(DeployError) as caught:
        rollback(targets(platform), None, lambda _: None)
    assert caught.value.exit == 8
    assert "the traffic of e, e-b was moved back" in caught.value.message
    assert platform.serving() == before
    platform.service("e-a").broken = ""
    platform.service("e-a")._made[0].ready = False
    platform.log.clear()
    with pytest.raises(DeployError, match="r0 of e-a cannot serve"):
        rollback(targets(platform), None, lambda _: None)
    assert platform.log == []


def test_a_rollback_that_cannot_be_undone_names_the_services(platform: SmallPlatform) -> None:
    """Exit 9."""
    deploy(platform)
    deploy(platform, a="a2", b="b2")
    platform.service("e").broken, platform.service("e").patience = "route", 1
    platform.service("e-b").interrupt_at = "route"
    with pytest.raises(DeployStateError) as caught:
        rollback(targets(platform), None, lambda _: None)
    assert "e: route failed" in caught.value.message
    assert "e-b: interrupted" in caught.value.message


def test_the_status_shows_all_services_and_what_is_not_as_it_was_released(platform: SmallPlatform) -> None:
    """A member that was moved by itself, and one that is gone."""
    deploy(platform)
    deploy(platform, a="a2")
    assert status(targets(platform)).changed == ()
    platform.service("e-a").route({"r0": 100}, lambda _: None)
    assert status(targets(platform)).changed == ("e-a",)
    platform.service("e-b").delete(lambda _: None)
    document = status(targets(platform)).to_json()
    assert (document["missing"], document["changed"]) == (["e-b"], ["e-a", "e-b"])
    assert document["coordinator"]["revisions"][0]["calls"] == {"e-a": "r1", "e-b": "r0"}


def test_delete_removes_the_coordinator_first_and_members_of_earlier_releases(platform: SmallPlatform) -> None:
    """What is left after a failure is named, and the next call deletes it."""
    deploy(platform)
    deploy(platform, c="c1")
    platform.log.clear()
    platform.service("e-b").broken = "delete"
    with pytest.raises(DeployStateError, match="deleted: e, e-a; left: e-b, e-c"):
        delete(targets(platform), lambda _: None)
    platform.service("e-b").broken = ""
    assert delete(targets(platform, ("a", "b", "c")), lambda _: None) == ("e-b", "e-c")
    assert platform.log == ["e delete", "e-a delete", "e-b delete", "e-b delete", "e-c delete"]
    with pytest.raises(DeployError) as caught:
        delete(targets(platform), lambda _: None)
    assert caught.value.code == "deploy_missing"
