"""A release is staged, verified, gets the traffic and is verified again; a failure is rolled back and has its exit code."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace

import pytest

from mlpack.artifacts.image import Image
from mlpack.artifacts.release import Released, Unverified
from mlpack.artifacts.report import Check, Report
from mlpack.artifacts.service import Deployment, Endpoint
from mlpack.checks.golden import GoldenRequest, golden_request_of, send_golden
from mlpack.checks.smoke import Expectation
from mlpack.errors import DeployError, DeployStateError
from mlpack.pipeline.deploy import deploy, refuse_platform, rollback, split_traffic
from tests.standins.port_forward import port_forward
from tests.standins.small_target import SmallTarget, small_target

IMAGE = Image(id="sha256:1", tags=("small:1",), size=1, platform="linux/amd64", card={}, labels={})
RELEASED = Released(reference="small@sha256:0", digest="sha256:0", tags=(), source=Unverified(image=IMAGE))
GOLDEN = GoldenRequest(request={"instances": [[1]]}, answer={"predictions": [1]}, signature=None)


@pytest.fixture
def target() -> Iterator[SmallTarget]:
    with small_target() as made:
        yield made


def release(target: SmallTarget, *, golden: GoldenRequest | None = GOLDEN, traffic: bool = True) -> Deployment:
    plan = target.plan(RELEASED.release)
    return deploy(plan, RELEASED, target=target, golden=golden, on_step=lambda _: None, traffic=traffic)


def test_a_release_is_verified_before_and_after_it_gets_the_traffic(target: SmallTarget) -> None:
    """The first release is compared with nothing, the second with the revision before."""
    first = release(target)
    assert (first.revision, first.verified, first.previous) == ("r0", "golden", None)
    assert set(first.measured) == {"staged", "live"}
    assert first.rollback == "mlpack delete"
    second = release(target)
    assert (second.revision, second.previous) == ("r1", "r0")
    assert set(second.measured) == {"before", "staged", "live"}
    assert {place["times"] for place in second.measured.values()} == {30}
    assert second.rollback == "mlpack rollback --to r0"
    assert target.calls == ["stage", "promote"] * 2


@pytest.mark.parametrize("answer", [{"predictions": [2]}, {"predictions": []}, 500], ids=str)
def test_a_wrong_answer_never_gets_the_traffic(target: SmallTarget, answer: object) -> None:
    """Exit 8, the first wrong answer in the message, and the previous revision keeps the traffic."""
    release(target)
    target.answers = answer
    with pytest.raises(DeployError) as caught:
        release(target)
    assert (caught.value.exit, caught.value.code) == (8, "deploy_check")
    assert "golden requests" in caught.value.message
    assert "r0 serves" in caught.value.message
    assert caught.value.document["restored"] == "r0 serves"
    assert target.calls[-2:] == ["stage", "restore"]
    assert not send_golden(target.endpoint(), GOLDEN).errors


@pytest.mark.parametrize("step", ["stage", "promote"])
def test_a_failed_step_is_rolled_back(target: SmallTarget, step: str) -> None:
    """The error keeps its code, and the previous revision has the traffic."""
    release(target)
    target.broken = step
    with pytest.raises(DeployError) as caught:
        release(target)
    assert (caught.value.exit, caught.value.code) == (8, "deploy_quota")
    assert target.calls[-1] == "restore"
    assert target.status().serving == target.status().revisions[-1]


def test_a_failed_rollback_is_exit_9(target: SmallTarget) -> None:
    """The message has both errors: why the release failed, and the state that is left."""
    release(target)
    target.answers, target.broken = 500, "restore"
    with pytest.raises(DeployStateError) as caught:
        release(target)
    assert caught.value.exit == 9
    assert "golden requests" in caught.value.message
    assert "the front server is stuck" in caught.value.message


def test_ctrl_c_rolls_back(target: SmallTarget) -> None:
    """After an interrupted release, the previous revision has the traffic."""
    release(target)

    steps = []

    def interrupted(step: str) -> None:
        steps.append(step)
        if step.startswith("verifying http"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        deploy(target.plan(RELEASED.release), RELEASED, target=target, golden=GOLDEN, on_step=interrupted)
    assert target.calls[-1] == "restore"
    assert steps[-1] == "r0 serves"
    assert not send_golden(target.endpoint(), GOLDEN).errors


def test_a_release_without_traffic_stays_staged(target: SmallTarget) -> None:
    """`--no-traffic` verifies the staged release and stops."""
    release(target)
    aside = release(target, traffic=False)
    assert (aside.revision, aside.verified) == ("r1", "golden")
    serving = target.status().serving
    assert serving is not None
    assert serving.name == "r0"
    assert aside.share == "mlpack traffic r1=100"
    target.closed = "it is private"
    assert '"Authorization: Bearer $(print-token)"' in release(target, traffic=False).command


def test_an_endpoint_closed_to_this_machine_is_readiness_only(target: SmallTarget) -> None:
    """`verified` and a note say so, with the reason."""
    target.closed = "it is private"
    found = release(target)
    assert found.verified == "readiness"
    assert any("it is private" in note for note in found.notes)
    assert '"Authorization: Bearer $(print-token)"' in found.command


@dataclass(frozen=True, kw_only=True)
class Forwarded(Endpoint):
    """A service in a network of its own: requests go through a port-forward, which is open during the `with` alone."""

    port: int
    opened: list[str] = field(default_factory=list, compare=False)
    stack: ExitStack = field(default_factory=ExitStack, compare=False)

    def __enter__(self) -> Endpoint:
        self.opened.append(f"http://127.0.0.1:{self.stack.enter_context(port_forward(self.port))}")
        return Endpoint(url=self.opened[-1])

    def __exit__(self, *_: object) -> None:
        self.stack.close()


def test_an_endpoint_is_open_while_requests_are_sent(target: SmallTarget) -> None:
    """A target with port-forwarding: the golden requests go through it, it is closed afterwards, the URL shown is the service's."""
    made: list[Forwarded] = []

    def reached(url: str) -> Endpoint:
        port = int(url.rpartition(":")[2])
        made.append(Forwarded(url=f"http://small-{port}.internal", port=port))
        return made[-1]

    target.reached = reached
    found = release(target)
    assert (found.verified, found.measured["live"]["errors"]) == ("golden", 0)
    assert found.url.endswith(".internal")
    assert [len(one.opened) for one in made] == [1, 1]
    for one in made:
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", int(one.opened[0].rpartition(":")[2]))) != 0


def test_rollback_and_shares_check_the_revisions(target: SmallTarget) -> None:
    """Rollback chooses the newest ready revision before the current one; unknown names are errors before anything changes."""
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
        lambda: split_traffic(target, {"r9": 100}, lambda _: None),
    ):
        with pytest.raises(DeployError) as caught:
            attempt()
        assert caught.value.code == "deploy_missing"
    target._made[2].ready = False
    with pytest.raises(DeployError, match="r2 cannot serve"):
        split_traffic(target, {"r2": 50, "r0": 50}, lambda _: None)


def test_the_best_request_is_taken() -> None:
    """The user's own; else the one that the tested container answered; else one from the card; else none."""
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
    own = golden_request_of(card, report, Expectation(request={"instances": [[5, 6]]}, expected={"predictions": [7.0]}))
    assert own is not None
    assert (own.request, own.answer) == ({"instances": [[5, 6]]}, {"predictions": [7.0]})
    tested = golden_request_of({}, report, Expectation())
    assert tested is not None
    assert (tested.request, tested.answer) == (kept["request"], kept["answer"])
    made = golden_request_of(card, None, Expectation())
    assert made is not None
    assert (made.answer, len(made.request["instances"][0])) == (None, 2)
    assert golden_request_of({}, None, Expectation()) is None


@pytest.mark.parametrize(
    ("answer", "wrong"), [({"predictions": [1.5]}, 0), ({"predictions": ["a"]}, 1), ([1], 1)], ids=str
)
def test_an_answer_is_judged_by_the_signature(target: SmallTarget, answer: object, wrong: int) -> None:
    """Without a known answer its type, shape and classes count."""
    signature = {"method": "predict", "outputs": [{"name": "y", "dtype": "FP64", "shape": [-1]}]}
    target.answers = answer
    golden = GoldenRequest(request={"instances": [[1]]}, answer=None, signature=signature)
    staged = target.stage(target.plan(RELEASED.release), RELEASED.release, lambda _: None)
    assert bool(send_golden(staged.endpoint, golden).errors) == bool(wrong)


def test_another_processor_is_refused_before_the_push() -> None:
    """An image for Arm is refused before it is pushed, with the command that builds the right one."""
    arm = replace(IMAGE, platform="linux/arm64")
    refuse_platform(IMAGE, ("linux/amd64",))
    refuse_platform(arm, ())
    refuse_platform(arm, ("linux/amd64", "linux/arm64"))
    with pytest.raises(DeployError) as caught:
        refuse_platform(arm, ("linux/amd64",))
    assert (caught.value.exit, caught.value.code) == (8, "deploy_platform")
    assert "mlpack build --platform linux/amd64" in caught.value.hint
