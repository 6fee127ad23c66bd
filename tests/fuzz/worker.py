"""One worker: makes inputs, inspects and loads them, and tells the runner of each: `work` is the process's main function."""

from __future__ import annotations

import contextlib
import gc
import os
import resource
import signal
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from tests.fuzz.cases import Input, Kind, Outcome, generator
from tests.fuzz.loaders.sandbox import end_with_parent

_WEIGHTS = {"pickle": 6.0, "zip": 2.0, "hdf5": 1.0, "protobuf": 1.0}  # shares of the time
_WARM = 20  # inputs made in advance
REPLACED_AFTER = 20_000  # inputs; generators and readers fill caches
_MOST_MEMORY = 8 << 30  # bytes of address space: a reader that takes more is stopped, and has long failed


@dataclass(frozen=True, kw_only=True)
class Orders:
    """What a worker does: inputs `first`, `first + step`, ... of each kind, until it is ended, or `most` of them are checked."""

    kinds: Sequence[str]
    first: Mapping[str, int]
    step: int
    most: int = REPLACED_AFTER
    source: str = ""  # the checkout whose mlpack is tested; "" is this one


def work(orders: Orders, runner: Connection) -> None:
    """Tell of each input: ("begins", kind, number), then ("ended", kind, number, Input or None, Outcome, seconds)."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with_parent()
    resource.setrlimit(resource.RLIMIT_AS, (_MOST_MEMORY, _MOST_MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if orders.source:
        sys.path.insert(0, orders.source)  # the tests, this file among them, stay this checkout's: they are imported
    with Bench(orders.kinds) as bench, contextlib.suppress(BrokenPipeError):
        bench.warm()
        runner.send(("ready", bench.missing))
        numbers = dict(orders.first)
        spent = dict.fromkeys(orders.kinds, 0.0)
        for done in range(orders.most):
            kind = min(orders.kinds, key=lambda one: spent[one] / _WEIGHTS[one])
            number = numbers[kind]
            numbers[kind] += orders.step
            began = time.monotonic()
            runner.send(("begins", kind, number))
            made, outcome = bench.run(kind, number)
            seconds = time.monotonic() - began
            spent[kind] += seconds
            runner.send(("ended", kind, number, made if outcome.failures else None, outcome, seconds))
            if bench.spoilt:
                return
            if not done % 500:
                gc.collect()


class Bench:
    """All that checking an input takes: the kinds, their loaders' processes, a folder for the files.

    `without` names groups of loaders that are not started; `missing` says why others could not be.
    """

    def __init__(self, kinds: Sequence[str], *, without: Sequence[str] = ()) -> None:
        from tests.fuzz.generators.names import modules_of_names
        from tests.fuzz.inspection import Watch
        from tests.fuzz.kinds import kinds_of
        from tests.fuzz.loaders.client import Loaders

        self._watch = Watch()
        self._watch.start()
        self.kinds: dict[str, Kind] = kinds_of(kinds, self._watch)
        groups = sorted({group for kind in self.kinds.values() for group in kind.groups} - {*without})
        modules = {"pickles": modules_of_names()}
        every = {group: Loaders(group=group, modules=modules.get(group, ())) for group in groups}
        self.loaders = {name: one for name, one in every.items() if one.start()}
        self.missing = {name: one.missing for name, one in every.items() if one.missing}

    def __enter__(self) -> Bench:  # noqa: PYI034 - typing.Self is younger than the oldest Python here
        self._folder = tempfile.TemporaryDirectory(prefix="mlpack-fuzz-")
        return self

    def __exit__(self, *_: object) -> None:
        for one in self.loaders.values():
            one.stop()
        self._folder.cleanup()

    def warm(self) -> None:
        """Make the seeds, which the first inputs would have to wait for."""
        for name, kind in self.kinds.items():
            for number in range(_WARM):
                kind.make(generator(name, number))

    @property
    def spoilt(self) -> bool:
        """Whether this process took so much memory that it should be replaced."""
        return self._watch.spoilt

    def run(self, kind: str, number: int) -> tuple[Input, Outcome]:
        """Make an input and check it."""
        rng = generator(kind, number)
        made = self.kinds[kind].make(rng)
        return made, self.check(kind, made, rng)

    def check(self, kind: str, made: Input, rng: Any) -> Outcome:
        """Check an input that was made."""
        path = Path(self._folder.name) / f"input{made.suffix}"
        path.write_bytes(made.data)
        try:
            return self.kinds[kind].check(path, self.loaders, rng)
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)  # noqa: PTH108 - thousands a minute
