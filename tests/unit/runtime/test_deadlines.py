"""Who waits is remembered until it is answered or its time is up, and no longer."""

from __future__ import annotations

from typing import Any

from mlpack.runtime.http.deadlines import Deadlines


class Asked:
    """A request that waits."""

    answered = False
    expired = False

    def __init__(self, began: float) -> None:
        self.began = began

    def expire(self) -> None:
        """It is told that its time is up."""
        self.expired = self.answered = True


def test_an_answered_one_is_not_kept_by_one_that_waits() -> None:
    """One slow client before many that are answered: theirs are forgotten at the next look, it alone stays."""
    deadlines = Deadlines(60.0)
    slow: Any = Asked(0.0)
    others: list[Any] = [Asked(0.01 + n / 1000) for n in range(100)]
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
    deadlines = Deadlines(0.2)
    asked: list[Any] = [Asked(n / 10) for n in range(5)]
    for one in asked:
        deadlines.add(one)
    deadlines.check(0.35)
    assert [one.expired for one in asked] == [True, True, False, False, False]
    asked[2].answered = True
    deadlines.check(10.0)
    assert [one.expired for one in asked] == [True, True, False, True, True]
    assert len(deadlines) == 0
