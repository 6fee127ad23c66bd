"""The circuit breaker and the retry budget, with a clock of the test's own."""

from __future__ import annotations

from mlpack.runtime.ensembles.resilience import CircuitBreaker, RetryBudget


class Clock:
    """A time that the test sets."""

    now = 0.0

    def __call__(self) -> float:
        """The time."""
        return self.now


def opened(clock: Clock) -> CircuitBreaker:
    """A breaker after five failures in a row."""
    breaker = CircuitBreaker(clock)
    for _ in range(5):
        assert breaker.allows()
        breaker.failed()
    return breaker


def test_five_failures_in_a_row_open_it() -> None:
    """A success in between starts the count again."""
    breaker = CircuitBreaker(Clock())
    for _ in range(4):
        breaker.failed()
    breaker.succeeded()
    for _ in range(4):
        breaker.failed()
    assert breaker.allows()
    breaker.failed()
    assert (breaker.state, breaker.allows()) == ("open", False)


def test_one_probe_closes_it_or_opens_it_for_longer() -> None:
    """After the pause exactly one call is allowed; while it runs no other is."""
    clock = Clock()
    breaker = opened(clock)
    clock.now = 1.0
    assert breaker.state == "half_open"
    assert [breaker.allows() for _ in range(3)] == [True, False, False]
    breaker.failed()
    clock.now = 2.9
    assert not breaker.allows()
    clock.now = 3.0
    assert breaker.allows()
    breaker.succeeded()
    assert (breaker.state, breaker.allows(), breaker.allows()) == ("closed", True, True)


def test_the_pause_has_a_bound() -> None:
    """30 s, however often the probe fails."""
    clock = Clock()
    breaker = opened(clock)
    for _ in range(20):
        clock.now += 30.0
        assert breaker.allows()
        breaker.failed()
    clock.now += 29.9
    assert not breaker.allows()
    clock.now += 0.1
    assert breaker.allows()


def test_a_probe_that_was_given_up_says_nothing() -> None:
    """The next call is the probe."""
    clock = Clock()
    breaker = opened(clock)
    clock.now = 1.0
    assert breaker.allows()
    breaker.cancelled()
    assert breaker.allows()


def test_retries_are_a_tenth_of_the_calls() -> None:
    """Beside the ten that a quiet time has saved up."""
    budget, retries = RetryBudget(), 0
    for _ in range(1000):
        budget.called()
        retries += budget.take()
    assert 100 <= retries <= 110
