"""A release is staged, asked, given the traffic and asked again; whatever fails is put back, and told with its exit code."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from mlpack.artifacts.image import Image
from mlpack.artifacts.release import Released, Unverified
from mlpack.artifacts.report import Check, Report
from mlpack.artifacts.service import Deployment
from mlpack.checks.golden import Golden, ask, golden_of
from mlpack.checks.smoke import Expectation
from mlpack.errors import DeployError, DeployStateError
from mlpack.pipeline.deploy import deploy, refuse_platform, rollback, share
from tests.standins.small_target import SmallTarget, small_target

IMAGE = Image(id="sha256:1", tags=("small:1",), size=1, platform="linux/amd64", card={}, labels={})
RELEASED = Released(reference="small@sha256:0", digest="sha256:0", tags=(), source=Unverified(image=IMAGE))
GOLDEN = Golden(request={"instances": [[1]]}, answer={"predictions": [1]}, signature=None)


@pytest.fixture
def target() -> Iterator[SmallTarget]:
    with small_target() as made:
        yield made


def release(target: SmallTarget, *, golden: Golden | None = GOLDEN, traffic: bool = True) -> Deployment:
    plan = target.plan(IMAGE, None, "small")
    return deploy(plan, RELEASED, target=target, golden=golden, on_step=lambda _: None, traffic=traffic)


def test_a_release_is_asked_before_and_after_it_gets_the_traffic(target: SmallTarget) -> None:
    """The first has nothing to be compared with; the second is measured beside what served."""
    first = release(target)
    assert (first.revision, first.verified, first.previous) == ("r0", "golden", None)
    assert set(first.asked) == {"staged", "live"}
    assert first.rollback == "mlpack delete"
    second = release(target)
    assert (second.revision, second.previous) == ("r1", "r0")
    assert set(second.asked) == {"before", "staged", "live"}
    assert {place["times"] for place in second.asked.values()} == {30}
    assert second.rollback == "mlpack rollback --to r0"
    assert target.calls == ["stage", "promote"] * 2


@pytest.mark.parametrize("answer", [{"predictions": [2]}, {"predictions": []}, 500], ids=str)
def test_a_wrong_answer_never_gets_the_traffic(target: SmallTarget, answer: object) -> None:
    """Exit 8, the first wrong answer in the message, and what served goes on serving."""
    release(target)
    target.answers = answer
    with pytest.raises(DeployError) as told:
        release(target)
    assert (told.value.exit, told.value.code) == (8, "deploy_check")
    assert "golden requests" in told.value.message
    assert "r0 serves" in told.value.message
    assert told.value.document["restored"] == "r0 serves"
    assert target.calls[-2:] == ["stage", "restore"]
    assert not ask(target.place(), GOLDEN).errors


@pytest.mark.parametrize("step", ["stage", "promote"])
def test_a_step_that_fails_is_put_back(target: SmallTarget, step: str) -> None:
    """The failure keeps its own code, and says that things are as before."""
    release(target)
    target.broken = step
    with pytest.raises(DeployError) as told:
        release(target)
    assert (told.value.exit, told.value.code) == (8, "deploy_quota")
    assert target.calls[-1] == "restore"
    assert target.status().serving == target.status().revisions[-1]


def test_what_cannot_be_put_back_is_exit_9(target: SmallTarget) -> None:
    """Both failures are told: what went wrong, and what state is left."""
    release(target)
    target.answers, target.broken = 500, "restore"
    with pytest.raises(DeployStateError) as told:
        release(target)
    assert told.value.exit == 9
    assert "golden requests" in told.value.message
    assert "the door is jammed" in told.value.message


def test_ctrl_c_puts_back_too(target: SmallTarget) -> None:
    """An interrupted release leaves what served serving."""
    release(target)

    steps = []

    def interrupted(step: str) -> None:
        steps.append(step)
        if step.startswith("asking http"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        deploy(target.plan(IMAGE, None, "small"), RELEASED, target=target, golden=GOLDEN, on_step=interrupted)
    assert target.calls[-1] == "restore"
    assert steps[-1] == "r0 serves"
    assert not ask(target.place(), GOLDEN).errors


def test_without_traffic_it_stays_aside(target: SmallTarget) -> None:
    """`--no-traffic` asks the staged release and stops."""
    release(target)
    aside = release(target, traffic=False)
    assert (aside.revision, aside.verified) == ("r1", "golden")
    serving = target.status().serving
    assert serving is not None
    assert serving.name == "r0"
    assert aside.share == "mlpack traffic r1=100"
    target.closed = "it is private"
    assert '"Authorization: Bearer $(print-token)"' in release(target, traffic=False).command


def test_a_place_that_nobody_here_can_ask_is_readiness_only(target: SmallTarget) -> None:
    """It says so in `verified` and in a note, with the reason."""
    target.closed = "it is private"
    found = release(target)
    assert found.verified == "readiness"
    assert any("it is private" in note for note in found.notes)
    assert '"Authorization: Bearer $(print-token)"' in found.command


def test_rollback_and_shares_know_what_is_there(target: SmallTarget) -> None:
    """The newest ready one before what serves; names that are not there are told before anything moves."""
    for _ in range(3):
        release(target)
    service, before = rollback(target, None, lambda _: None)
    assert service.serving is not None
    assert (service.serving.name, before) == ("r1", "r2")
    service, _ = rollback(target, "r0", lambda _: None)
    assert service.serving is not None
    assert service.serving.name == "r0"
    for attempt in (
        lambda: rollback(target, None, lambda _: None),
        lambda: rollback(target, "r9", lambda _: None),
        lambda: share(target, {"r9": 100}, lambda _: None),
    ):
        with pytest.raises(DeployError) as told:
            attempt()
        assert told.value.code == "deploy_missing"
    target._made[2].ready = False
    with pytest.raises(DeployError, match="r2 cannot serve"):
        share(target, {"r2": 50, "r0": 50}, lambda _: None)


def test_the_best_question_is_taken() -> None:
    """The user's own; else what the tested container answered; else one of the card's; else none."""
    card = {
        "signatures": [
            {
                "name": "predict", "method": "predict", "layout": "matrix", "classes": None, "columns": [],
                "inputs": [{"name": "x", "dtype": "FP64", "shape": [-1, 2]}],
                "outputs": [{"name": "y", "dtype": "FP64", "shape": [-1]}],
            }
        ]
    }  # fmt: skip
    kept = {"request": {"instances": [[1, 2]]}, "answer": {"predictions": [3.0]}}
    report = Report(checks=(Check(name="ready", ok=True, seconds=0.1),), golden=kept)
    own = golden_of(card, report, Expectation(request={"instances": [[5, 6]]}, expected={"predictions": [7.0]}))
    assert own is not None
    assert (own.request, own.answer) == ({"instances": [[5, 6]]}, {"predictions": [7.0]})
    tested = golden_of({}, report, Expectation())
    assert tested is not None
    assert (tested.request, tested.answer) == (kept["request"], kept["answer"])
    made = golden_of(card, None, Expectation())
    assert made is not None
    assert (made.answer, len(made.request["instances"][0])) == (None, 2)
    assert golden_of({}, None, Expectation()) is None


@pytest.mark.parametrize(
    ("answer", "wrong"), [({"predictions": [1.5]}, 0), ({"predictions": ["a"]}, 1), ([1], 1)], ids=str
)
def test_an_answer_is_judged_by_the_signature(target: SmallTarget, answer: object, wrong: int) -> None:
    """Without a known answer its type, shape and classes count."""
    signature = {"method": "predict", "outputs": [{"name": "y", "dtype": "FP64", "shape": [-1]}]}
    target.answers = answer
    golden = Golden(request={"instances": [[1]]}, answer=None, signature=signature)
    staged = target.stage(target.plan(IMAGE, None, "small"), RELEASED, lambda _: None)
    assert bool(ask(staged.place, golden).errors) == bool(wrong)


def test_another_processor_is_refused_before_the_push() -> None:
    """An image of an Arm laptop does not get as far as the registry; the command that mends it is told."""
    arm = replace(IMAGE, platform="linux/arm64")
    refuse_platform(IMAGE, "linux/amd64")
    refuse_platform(arm, None)
    with pytest.raises(DeployError) as told:
        refuse_platform(arm, "linux/amd64")
    assert (told.value.exit, told.value.code) == (8, "deploy_platform")
    assert "mlpack build --platform linux/amd64" in told.value.hint
