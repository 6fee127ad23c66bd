"""What happens to requests when revisions come, fail and go."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import pytest
from google.api_core import exceptions
from google.cloud import run_v2

from .conftest import Cloud, target, template, update

pytestmark = [pytest.mark.docker, pytest.mark.slow]

Create = Callable[..., Any]
SOON = run_v2.Probe(
    tcp_socket=run_v2.TCPSocketAction(port=8080), period_seconds=1, timeout_seconds=1, failure_threshold=3
)


def test_traffic_is_split_by_percent_and_reached_by_tag(cloud: Cloud, image: str, service: Create) -> None:
    """80 to 20 is about that; a tag has a URL of its own, and a host name on the service's port."""
    one = service(template(image, "one"))
    two = update(
        cloud,
        one.name,
        "template",
        "traffic",
        template=template(image, "two", revision=f"{one.name.rpartition('/')[2]}-next"),
        traffic=[target(one.latest_ready_revision, 100), target(f"{one.name.rpartition('/')[2]}-next", 0, "next")],
    )
    assert two.latest_ready_revision.endswith("-next")
    (tagged,) = (status for status in two.traffic_statuses if status.tag == "next")
    assert tagged.uri not in {"", two.uri}
    assert {cloud.ask(two.uri, audience=two.uri).mark for _ in range(10)} == {"one"}
    assert cloud.ask(tagged.uri, audience=two.uri).mark == "two"
    assert cloud.ask(two.uri, audience=two.uri, Host="next---anything").mark == "two"
    assert cloud.ask(two.uri, audience=two.uri, Host="other---anything").status == 404
    split = [target(one.latest_ready_revision, 80), target(two.latest_ready_revision, 20, "next")]
    three = update(cloud, one.name, "traffic", traffic=split)
    assert [status.uri for status in three.traffic_statuses] == ["", tagged.uri]
    marks = [cloud.ask(two.uri, audience=two.uri).mark for _ in range(100)]
    assert 65 <= marks.count("one") <= 92
    assert marks.count("one") + marks.count("two") == 100


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"env_EXIT": "3"}, "failed to start and listen on the port defined provided by the PORT=8080"),
        ({"env_HOST": "127.0.0.1"}, "failed to start and listen on the port"),
    ],
)
def test_a_revision_that_does_not_start_leaves_the_old_one(
    cloud: Cloud, image: str, service: Create, variables: dict[str, Any], words: str
) -> None:
    """An end, a wrong address, a slow start: the operation fails, names this revision, and the old one serves on."""
    one = service(template(image, "one"))
    for _ in range(2):  # the second failure tells of itself, not of the first
        with pytest.raises(exceptions.FailedPrecondition) as caught:
            update(cloud, one.name, "template", template=template(image, "bad", startup_probe=SOON, **variables))
        now = cloud.services().get_service(name=one.name)
        bad = now.latest_created_revision.rpartition("/")[2]
        assert f"Revision '{bad}' is not ready and cannot serve traffic. " in str(caught.value)
        assert words in str(caught.value)
        assert now.latest_ready_revision == one.latest_ready_revision
        assert now.observed_generation == now.generation
        assert not now.reconciling
        assert now.terminal_condition.state == run_v2.Condition.State.CONDITION_FAILED
        assert bad in now.terminal_condition.message
        revision = cloud.revisions().get_revision(name=now.latest_created_revision)
        assert revision.conditions[0].revision_reason == run_v2.Condition.RevisionReason.HEALTH_CHECK_CONTAINER_ERROR
        assert "starting bad" in cloud.ask(revision.log_uri).text
        assert cloud.ask(one.uri, audience=one.uri).mark == "one"
        assert cloud.containers(now.latest_created_revision) == []
        variables = {**variables, "env_AGAIN": "1"}


def test_memory_that_is_not_there_shows_as_a_failed_start(cloud: Cloud, image: str, service: Create) -> None:
    """The condition speaks of the port, as Cloud Run's does; the log tells of the memory."""
    one = service(template(image, "one"))
    greedy = template(image, "greedy", limits={"cpu": "1", "memory": "128Mi"}, env_EAT="400", startup_probe=SOON)
    with pytest.raises(exceptions.FailedPrecondition, match="failed to start and listen"):
        update(cloud, one.name, "template", template=greedy)
    bad = cloud.services().get_service(name=one.name).latest_created_revision
    assert "Memory limit of 128 MiB exceeded" in cloud.ask(cloud.revisions().get_revision(name=bad).log_uri).text


def test_an_image_that_is_not_there_is_told(cloud: Cloud, image: str, service: Create) -> None:
    """By digest and by tag."""
    one = service(template(image, "one"))
    name = image.partition("@")[0]
    for gone in (f"{name}@sha256:{'0' * 64}", f"{name}:never"):
        with pytest.raises(exceptions.FailedPrecondition, match=re.escape(f"Image '{gone}' not found")):
            update(cloud, one.name, "template", template=template(gone))


def test_an_image_by_tag_becomes_the_digest_of_its_revision(cloud: Cloud, image: str, service: Create) -> None:
    """What the tag says later changes nothing."""
    made = service(template(image.partition("@")[0] + ":one"))
    assert cloud.revisions().get_revision(name=made.latest_ready_revision).containers[0].image == image


def test_traffic_for_a_revision_that_is_not_there_fails(cloud: Cloud, image: str, service: Create) -> None:
    """The routes stay as they were."""
    one = service(template(image, "one"))
    with pytest.raises(exceptions.InternalServerError, match="does not exist or is deleted"):
        update(cloud, one.name, "traffic", traffic=[target("nowhere", 100)])
    now = cloud.services().get_service(name=one.name)
    assert [each.type_ for each in now.conditions if each.state == run_v2.Condition.State.CONDITION_FAILED] == [
        "RoutesReady"
    ]
    assert cloud.ask(one.uri, audience=one.uri).mark == "one"


def test_an_http_probe_decides(cloud: Cloud, image: str, service: Create) -> None:
    """200 to 399 is well, 500 is not."""
    well = run_v2.Probe(http_get=run_v2.HTTPGetAction(path="/status?code=204"), period_seconds=1, failure_threshold=30)
    one = service(template(image, "one", startup_probe=well))
    ill = run_v2.Probe(http_get=run_v2.HTTPGetAction(path="/status?code=500"), period_seconds=1, failure_threshold=2)
    with pytest.raises(exceptions.FailedPrecondition, match="failed the configured startup probe checks"):
        update(cloud, one.name, "template", template=template(image, "ill", startup_probe=ill))


def test_nobody_notices_when_traffic_moves(cloud: Cloud, image: str, service: Create) -> None:
    """50 requests a second through a deploy, a broken deploy and a rollback, and slow ones that are under way: none fails."""
    one = service(template(image, "one"), invoker_iam_disabled=True)
    slow: list[str] = []
    waiting = threading.Thread(target=lambda: slow.append(cloud.ask(one.uri, "/sleep?s=4").mark))
    with asking(cloud, one.uri) as answers:
        waiting.start()
        time.sleep(0.5)
        update(cloud, one.name, "template", template=template(image, "two"))
        with pytest.raises(exceptions.FailedPrecondition):
            update(cloud, one.name, "template", template=template(image, "bad", env_EXIT="1"))
        moved = time.monotonic()
        time.sleep(0.5)
        leaving = time.monotonic()
        update(cloud, one.name, "traffic", traffic=[target(one.latest_ready_revision, 100)])
        back = time.monotonic()
        time.sleep(1)
    waiting.join()
    assert slow == ["one"]
    assert {answer.mark for answer in answers} == {"one", "two"}  # a failure would be here by its status
    assert {answer.mark for answer in answers if moved < answer.asked and answer.came < leaving} == {"two"}
    assert {answer.mark for answer in answers if answer.asked > back} == {"one"}


def test_who_is_not_asked_falls_asleep_and_wakes_when_asked(cloud: Cloud, image: str, service: Create) -> None:
    """No instance after a few idle seconds, unless a minimum is set; the next request waits for one."""
    sleepy = service(template(image, "one"))
    assert cloud.ask(sleepy.uri, audience=sleepy.uri).mark == "one"
    (before,) = cloud.containers(sleepy.latest_ready_revision)
    awake = service(template(image, "one", scaling=run_v2.RevisionScaling(min_instance_count=1)))
    end = time.monotonic() + 120
    while cloud.containers(sleepy.latest_ready_revision) and time.monotonic() < end:
        time.sleep(0.2)
    assert cloud.containers(sleepy.latest_ready_revision) == []
    assert len(cloud.containers(awake.latest_ready_revision)) == 1
    assert cloud.ask(sleepy.uri, audience=sleepy.uri).mark == "one"
    assert cloud.containers(sleepy.latest_ready_revision) != [before]


class Answer(NamedTuple):
    """What came back, its mark or its status where it failed; when it was asked for, and when it came."""

    mark: str
    asked: float
    came: float


@contextmanager
def asking(cloud: Cloud, url: str) -> Iterator[list[Answer]]:
    """50 requests a second while the `with` lasts."""
    answers: list[Answer] = []
    stop = threading.Event()
    threads: list[threading.Thread] = []

    def one() -> None:
        asked = time.monotonic()
        try:
            answer = cloud.ask(url)
            mark = answer.mark if answer.status == 200 else str(answer.status)
        except OSError as error:
            mark = repr(error)
        answers.append(Answer(mark, asked, time.monotonic()))

    def many() -> None:
        while not stop.wait(0.02):
            threads.append(threading.Thread(target=one))
            threads[-1].start()

    asker = threading.Thread(target=many)
    asker.start()
    try:
        yield answers
    finally:
        stop.set()
        asker.join()
        for each in threads:
            each.join()
