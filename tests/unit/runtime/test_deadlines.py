"""A waiting request is kept until it is answered or its deadline has passed, and no longer."""

from __future__ import annotations

from typing import Any

from mlpack.runtime.http.deadlines import Deadlines


class Asked:
    """A request that waits."""

    answered = False
    expired = False

    def __init__(self, began: float, seconds: float) -> None:
        self.began = began
        self.deadline = began + seconds

    def expire(self) -> None:
        """Its deadline has passed."""
        self.expired = self.answered = True


def test_an_answered_one_is_not_kept_by_one_that_waits() -> None:
    """One slow client before many that are answered: theirs are forgotten at the next look, it alone stays."""
    deadlines = Deadlines()
    slow: Any = Asked(0.0, 60)
    others: list[Any] = [Asked(0.01 + n / 1000, 60) for n in range(100)]
    for one in (slow, *others):
        deadlines.add(one)
    deadlines.check(1.0)
    assert len(deadlines) == 101
    for one in others:
        one.answered = True
    deadlines.check(1.1)
    assert len(deadlines) == 1
    deadlines.check(59.9)
    assert not slow.expired
    deadlines.check(60.1)
    assert slow.expired
    assert len(deadlines) == 0


def test_time_is_up_for_each_by_itself() -> None:
    """Whoever began in time to be over is told, in the order of their coming, and who came later is not."""
    deadlines = Deadlines()
    asked: list[Any] = [Asked(n / 10, 0.2) for n in range(5)]
    for one in asked:
        deadlines.add(one)
    deadlines.check(0.35)
    assert [one.expired for one in asked] == [True, True, False, False, False]
    asked[2].answered = True
    deadlines.check(10.0)
    assert [one.expired for one in asked] == [True, True, False, True, True]
    assert len(deadlines) == 0


def test_a_later_request_may_have_an_earlier_deadline() -> None:
    """Each has its own, whatever the order in which they came."""
    deadlines = Deadlines()
    long, short = Asked(0.0, 60), Asked(0.1, 0.3)
    for one in (long, short):
        deadlines.add(one)
    deadlines.check(0.5)
    assert (long.expired, short.expired) == (False, True)
    assert len(deadlines) == 1
