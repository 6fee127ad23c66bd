"""Who goes together and whose turn it is, asked of the real queue with real arrays."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from mlpack.runtime.card import Signature
from mlpack.runtime.models.batch_queue import BatchQueue, Part, joined, split
from mlpack.runtime.models.pending import PendingCall, size_of
from mlpack.runtime.models.predictor import Call


def signature(name: str = "predict") -> Signature:
    return Signature.from_json({
        "name": name, "method": name, "layout": "matrix", "batchable": True,
        "inputs": [{"name": "input", "dtype": "FP64", "shape": [-1, 2]}],
        "outputs": [{"name": "out", "dtype": "FP64", "shape": [-1]}],
    })  # fmt: skip


FIRST, SECOND = signature(), signature("transform")


class Clock:
    """A clock that goes when told to."""

    now = 1000.0

    def __call__(self) -> float:
        """The time."""
        return self.now


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    made = asyncio.new_event_loop()
    yield made
    made.close()


@pytest.fixture
def pending(loop: asyncio.AbstractEventLoop) -> Any:
    def make(
        rows: int = 1, *, of: Signature = FIRST, join: bool = True, dtype: Any = float, width: int = 2
    ) -> PendingCall:
        inputs = {"input": np.arange(rows * width).reshape(rows, width).astype(dtype)}
        return PendingCall(Call(of, inputs), loop, join=join)

    return make


def taken(waiting: BatchQueue) -> list[list[Part]]:
    calls = []
    while parts := waiting.take():
        calls.append(parts)
    return calls


def sizes(calls: list[list[Part]]) -> list[list[int]]:
    return [[part.stop - part.start for part in parts] for parts in calls]


def test_all_that_wait_go_together_in_their_order(pending: Any) -> None:
    """One call takes every pending that fits; each gets its own rows back, in order."""
    waiting = BatchQueue(100, 10**6)
    calls = [pending(rows) for rows in (1, 3, 2)]
    for one in calls:
        waiting.add(one)
    (parts,) = taken(waiting)
    assert [part.pending for part in parts] == calls
    rows = joined(parts)["input"]
    assert rows.shape == (6, 2)
    for part, piece in split({"out": rows}, parts):
        np.testing.assert_array_equal(piece["out"], part.pending.call.inputs["input"])


def test_nothing_waits_for_more(pending: Any) -> None:
    """A single pending is taken at once, and then there is nothing: no timer, no least size."""
    waiting = BatchQueue(100, 10**6)
    waiting.add(pending())
    assert sizes(taken(waiting)) == [[1]]
    assert waiting.take() == []


def test_rows_and_bytes_are_bounds(pending: Any) -> None:
    """A call never has more than either bound."""
    waiting = BatchQueue(4, 10**6)
    for _ in range(3):
        waiting.add(pending(3))
    assert sizes(taken(waiting)) == [[3], [3], [3]]
    waiting = BatchQueue(100, 5 * 16)  # a row is two doubles
    for _ in range(3):
        waiting.add(pending(2))
    assert sizes(taken(waiting)) == [[2, 2], [2]]


def test_kinds_are_never_mixed(pending: Any) -> None:
    """Signature, dtype and trailing shape: what differs in one of them goes by itself."""
    waiting = BatchQueue(100, 10**6)
    kinds: list[dict[str, Any]] = [{}, {"of": SECOND}, {"dtype": "float32"}, {"width": 3}, {"dtype": "<i8"}]
    for _ in range(3):
        for kind in kinds:
            waiting.add(pending(**kind))
    calls = taken(waiting)
    assert sizes(calls) == [[1, 1, 1]] * 5
    for parts in calls:
        assert len({part.pending.key for part in parts}) == 1


def test_without_a_key_each_is_called_alone_and_whole(pending: Any) -> None:
    """Rows that may depend on each other are neither joined nor split."""
    waiting = BatchQueue(4, 10**6)
    for rows in (1, 9, 2):
        waiting.add(pending(rows, join=False))
    assert sizes(taken(waiting)) == [[1], [9], [2]]


def test_a_large_one_is_split_and_put_together_again(pending: Any) -> None:
    """Its pieces are as large as a call, and its answer is in the order of its rows."""
    waiting = BatchQueue(4, 10**6)
    large = pending(10)
    waiting.add(large)
    whole = None
    for parts in taken(waiting):
        for part, piece in split({"out": joined(parts)["input"]}, parts):
            assert whole is None
            whole = part.pending.whole(piece, part.stop)
    assert whole is not None
    np.testing.assert_array_equal(whole["out"], large.call.inputs["input"])


def test_bytes_split_too(pending: Any) -> None:
    """Few rows of many bytes are a large one as well."""
    waiting = BatchQueue(1000, 4 * 16)
    waiting.add(pending(10))
    assert sizes(taken(waiting)) == [[4], [4], [2]]


def test_large_and_small_take_turns(pending: Any) -> None:
    """Small ones that come while a large one is under way wait for one of its pieces at most."""
    waiting = BatchQueue(4, 10**6)
    waiting.add(pending(12))
    waiting.add(pending(10))
    order = []
    for _ in range(6):
        waiting.add(pending(1))
        order.append([part.pending.rows for part in waiting.take()])
    assert [rows in ([12], [10]) for rows in order] in ([True, False] * 3, [False, True] * 3)
    large = [rows[0] for rows in order if rows[0] > 1]
    assert large[:2] in ([12, 10], [10, 12])  # two large ones take turns as well


def test_kinds_take_turns(pending: Any) -> None:
    """A kind with a long queue does not keep another from its call."""
    waiting = BatchQueue(2, 10**6)
    for _ in range(6):
        waiting.add(pending())
    waiting.add(pending(of=SECOND))
    assert [call[0].pending.call.signature.name for call in taken(waiting)] == [
        "predict",
        "transform",
        "predict",
        "predict",
    ]


def test_the_cancelled_are_not_called_for(pending: Any) -> None:
    """Who has left, or is overdue, is gone from the next call, small or large."""
    waiting = BatchQueue(4, 10**6)
    calls = [pending(1), pending(1), pending(9)]
    for one in calls:
        waiting.add(one)
    calls[0].future.cancel()
    first = waiting.take()
    second = waiting.take()
    assert {part.pending for part in (*first, *second)} == {calls[1], calls[2]}
    calls[2].future.cancel()
    assert waiting.take() == []


def test_who_failed_in_company_is_called_alone(pending: Any) -> None:
    """A second chance, one by one."""
    waiting = BatchQueue(100, 10**6)
    for _ in range(3):
        waiting.add(pending())
    for part in waiting.take():
        part.pending.alone = True
        waiting.add(part.pending)
    waiting.add(pending())
    assert sorted(sizes(taken(waiting))) == [[1], [1], [1], [1]]


def test_three_failures_in_ten_seconds_end_the_joining_for_a_minute(pending: Any) -> None:
    """Not two, not three in a longer time; and after the minute it is as before."""
    clock = Clock()
    waiting = BatchQueue(100, 10**6, clock)

    def calls() -> list[list[int]]:
        for _ in range(3):
            waiting.add(pending())
        return sizes(taken(waiting))

    for seconds in (0.0, 6.0, 6.0):
        clock.now += seconds
        assert not waiting.joined_run_failed()
    assert calls() == [[1, 1, 1]]
    clock.now += 1.0
    assert waiting.joined_run_failed()
    assert calls() == [[1], [1], [1]]
    clock.now += 59.9
    assert calls() == [[1], [1], [1]]
    clock.now += 0.2
    assert calls() == [[1, 1, 1]]
    assert not waiting.joined_run_failed()


def test_texts_weigh_what_they_hold() -> None:
    """An object array counts the texts and lists in it, not eight bytes a pointer."""
    array = np.empty(2, dtype=object)
    array[:] = ["x" * 1000, None]
    assert 1000 < size_of(array) < 1300
    array[0] = [{"key": "y" * 5000}]
    assert size_of(array) > 5000
    assert size_of(np.zeros((10, 3))) == 240
