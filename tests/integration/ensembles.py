"""What the tests of ensembles ask and expect: Votes are numpy's answers, Load is many clients at once that check each answer."""

from __future__ import annotations

import http.client
import itertools
import json
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

DEADLINE_MS = 2000
HANGS_S = 10.0  # a client that waits longer has met a request that hangs; the rest is for a busy machine
PATIENCE_S = 90.0
IN_A_ROW = 50  # complete answers after which an ensemble counts as recovered
_ROWS = 4  # of a request, at most
_PAUSE_S = 0.02  # after a failure, so that failures do not make up most of the requests
_GROWS_S = 0.5
_MOST = 40  # clients
_KEPT = 20  # failures that are shown


class Votes:
    """What a soft vote may answer for `rows`: numpy's average of the members' own probabilities.

    `probabilities` are, by member, those of each version of its model that may answer at the moment; `optional` are the names
    of the members that may be missing.
    """

    def __init__(
        self,
        rows: Array,
        probabilities: Mapping[str, list[Array]],
        weights: Mapping[str, float],
        optional: Iterable[str],
    ) -> None:
        self.rows = rows
        self.probabilities = dict(probabilities)
        self.weights = weights
        self.optional = frozenset(optional)

    def expected(self, places: Any = slice(None), missing: Iterable[str] = ()) -> list[Array]:
        """The averages for these rows over the members that are not missing, one for each choice of versions."""
        names = [name for name in self.probabilities if name not in set(missing)]
        return [
            np.average(
                np.stack([one[places] for one in chosen]), axis=0, weights=[self.weights[name] for name in names]
            )
            for chosen in itertools.product(*(self.probabilities[name] for name in names))
        ]

    def judge(self, places: list[int], status: int, answer: Any) -> str:
        """What an answer for these rows is: `complete`, `without NAME ...`, or `STATUS NAME` for a failed member.

        Raises AssertionError for any other answer, and for a wrong one.
        """
        if status != 200:
            error = answer["error"]
            member = error["detail"].get("member")
            assert status in (502, 503, 504), error
            assert member in self.probabilities, error
            assert member not in self.optional, error
            assert f"member {member}" in error["message"], error
            return f"{status} {member}"
        missing = answer.get("missing", [])
        assert answer.get("partial", False) is bool(missing), answer
        assert self.optional.issuperset(missing), answer
        found = np.array(answer["predictions"])
        assert any(np.allclose(found, one, rtol=1e-9, atol=1e-12) for one in self.expected(places, missing)), answer
        return f"without {' '.join(missing)}" if missing else "complete"


class Load:
    """Clients that send requests all the time, each over its own connection, and judge each answer."""

    def __init__(self, url: str, votes: Votes, pause_s: float) -> None:
        self._pause_s = pause_s
        self._address = urlsplit(url)
        self._votes = votes
        self._lock = threading.Lock()
        self.ended = threading.Event()
        self._in_a_row = 0
        self.counts: Counter[str] = Counter()
        self.problems: list[str] = []
        self.failures: list[str] = []  # what the ensemble said

    def comes(self, *kinds: str, times: int = 3) -> None:
        """Wait until so many more answers of one of these kinds have come."""
        before = self._total(kinds)
        self._wait(lambda: self._total(kinds) >= before + times, " or ".join(kinds))

    def recovers(self) -> None:
        """Wait until answers are complete again, many in a row."""
        with self._lock:
            self._in_a_row = 0
        self._wait(lambda: self._in_a_row >= IN_A_ROW, "complete answers only")

    def answers(self, number: int) -> None:
        """Wait until so many requests have been answered in all."""
        self._wait(lambda: self.counts.total() >= number, f"{number} answers")

    def run(self, seed: int) -> None:
        """Send requests until the end."""
        chosen = random.Random(seed)
        connection = http.client.HTTPConnection(self._address.netloc, timeout=HANGS_S)
        while not self.ended.is_set():
            places = chosen.choices(range(len(self._votes.rows)), k=chosen.randint(1, _ROWS))
            try:
                status, answer = self._ask(connection, places)
                if status != 200 and len(self.failures) < _KEPT:
                    self.failures.append(f"{time.strftime('%X')} {status} {answer}")
                kind = self._votes.judge(places, status, answer)
            except Exception as error:  # noqa: BLE001 - whatever it is, it is a finding of the test
                connection.close()
                kind = f"{type(error).__name__}"
                self._note(f"{kind}: {error}")
            with self._lock:
                self.counts[kind] += 1
                self._in_a_row = self._in_a_row + 1 if kind == "complete" else 0
            time.sleep(self._pause_s if kind.startswith(("complete", "without")) else _PAUSE_S)
        connection.close()

    def _ask(self, connection: http.client.HTTPConnection, places: list[int]) -> tuple[int, Any]:
        body = json.dumps({"instances": self._votes.rows[places].tolist()})
        headers = {"Content-Type": "application/json", "X-Request-Deadline-Ms": str(DEADLINE_MS)}
        connection.request("POST", "/predict?method=predict_proba", body, headers)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())

    def _note(self, problem: str) -> None:
        with self._lock:
            self.problems.append(f"{time.strftime('%X')} {problem}"[:1000])

    def _total(self, kinds: Iterable[str]) -> int:
        return sum(self.counts[kind] for kind in kinds)

    def _wait(self, reached: Callable[[], bool], what: str) -> None:
        until = time.monotonic() + PATIENCE_S
        while not reached():
            assert not self.problems, self.problems[:5]
            assert time.monotonic() < until, f"never came: {what}; so far {dict(self.counts)}"
            time.sleep(0.02)


@contextmanager
def load(url: str, votes: Votes, connections: int = 8, *, growing: bool = False) -> Iterator[Load]:
    """Clients that send requests while the `with` lasts; after it, no answer was wrong and none hung.

    With `growing` there is one more every half a second, and each pauses between its requests.
    """
    clients = Load(url, votes, pause_s=0.04 if growing else 0.0)
    threads: list[threading.Thread] = []

    def begin() -> None:
        threads.append(threading.Thread(target=clients.run, args=(len(threads),), daemon=True))
        threads[-1].start()

    def grow() -> None:
        while not clients.ended.wait(_GROWS_S) and len(threads) < _MOST:
            begin()

    for _ in range(connections):
        begin()
    grower = threading.Thread(target=grow, daemon=True)
    if growing:
        grower.start()
    try:
        yield clients
    finally:
        clients.ended.set()
        for thread in (grower, *threads) if growing else threads:
            thread.join()
    assert clients.problems == [], clients.problems[:5]
