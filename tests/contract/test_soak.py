"""`make soak` made short: many clients, good and bad, and nothing that must not happen."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.benchmarks import sides
from tests.benchmarks.soak import Seen, expected, soak


@pytest.mark.slow
def test_a_few_seconds_of_bad_weather(tmp_path: Path) -> None:
    """64 clients, malformed, oversized and cancelled requests among them: no wrong answer, no 5xx but 503, flat memory."""
    model = sides.train(tmp_path / "model.pkl", "logistic")
    with sides.running(sides.ours(tmp_path / "app", model), tmp_path / "log") as server:
        seen = asyncio.run(soak(server, expected(model), 6))
    assert seen.problems() == []
    assert seen.statuses[200] > 500


def test_what_the_soak_would_tell() -> None:
    """A wrong answer, a failure of the server and growing memory are each found; a full queue is none of them."""
    good = Seen(memory=[100] * 9)
    good.statuses.update({200: 9, 400: 1, 413: 1, 503: 4})
    assert good.problems() == []
    bad = Seen(memory=[100, 100, 100, 150, 150, 150, 200, 200, 200], wrong=["1 is not 2"])
    bad.statuses.update({200: 9, 400: 1, 413: 1, 500: 1, 504: 1})
    assert len(bad.problems()) == 4
