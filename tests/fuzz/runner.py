"""The runner: worker processes over the kinds, watched from outside; what they found is counted, saved and shown."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from tests.fuzz.cases import Failure, generator
from tests.fuzz.summary import Summary
from tests.fuzz.worker import REPLACED_AFTER, Orders, work

_HANGS = 90  # seconds for one input: inspection's own limit is 10, and each loader has one
_LONGEST_START = 300  # seconds until the first input is checked, on a busy machine
_BETWEEN = 10  # seconds between two lines of progress


@dataclass(kw_only=True)
class Worker:
    """A worker process, and the input that it has in hand."""

    process: Any
    channel: Connection
    orders: Orders
    next: dict[str, int]
    kind: str = ""
    number: int = 0
    since: float = field(default_factory=time.monotonic)
    over: bool = False  # it ended, and its last message was taken


def run(
    kinds: Sequence[str],
    *,
    seconds: float,
    seed: int,
    jobs: int,
    source: str,
    folder: Path,
    quiet: bool = False,
    most: int = REPLACED_AFTER,
) -> Summary:
    """Fuzz for so long; Ctrl-C ends it early, with what was counted until then. A process checks `most` inputs."""
    summary = Summary(folder=folder)
    context = multiprocessing.get_context("spawn")
    orders = Orders(kinds=tuple(kinds), first={}, step=jobs, source=source, most=most)
    workers = [_start(context, replace(orders, first=dict.fromkeys(kinds, seed + place))) for place in range(jobs)]
    began = told = time.monotonic()
    starting = True
    try:
        while (now := time.monotonic()) - began < seconds or (starting and now - began < _LONGEST_START):
            for channel in wait([one.channel for one in workers], timeout=0.5):
                worker = next(one for one in workers if one.channel is channel)
                if _take(worker, summary) and starting:
                    starting, began = False, time.monotonic()  # imports and seeds do not count
            for place, worker in enumerate(workers):
                if worker.kind and now - worker.since > _HANGS:
                    os.kill(worker.process.pid, signal.SIGKILL)
                if worker.over:
                    _ended(worker, summary)
                    worker.channel.close()
                    workers[place] = _start(context, replace(orders, first=worker.next))
            if not quiet and now - told > _BETWEEN:
                told = now
                print(f"{now - began:5.0f} s: {summary.line()}", flush=True)
    except KeyboardInterrupt:
        summary.interrupted = True
    finally:
        for worker in workers:
            _stop(worker)
        summary.seconds = time.monotonic() - began
    return summary


def _start(context: Any, orders: Orders) -> Worker:
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=work, args=(orders, theirs), daemon=False)
    process.start()
    theirs.close()
    return Worker(process=process, channel=ours, orders=orders, next=dict(orders.first))


def _take(worker: Worker, summary: Summary) -> bool:
    """Take a worker's message into account; whether it says that an input was checked."""
    try:
        message = worker.channel.recv()
    except (EOFError, OSError):
        worker.over = True
        return False
    if message[0] == "ready":
        summary.missing.update(message[1])
    elif message[0] == "begins":
        _, worker.kind, worker.number = message
        worker.since = time.monotonic()
        worker.next[worker.kind] = worker.number + worker.orders.step
    else:
        _, kind, number, made, outcome, seconds = message
        worker.kind = ""
        summary.add(kind, number, made, outcome, seconds)
        return True
    return False


def _ended(worker: Worker, summary: Summary) -> None:
    """A worker's end amid an input is inspection's: it crashed, or hung where no alarm is heard."""
    worker.process.join()
    if worker.kind:
        code = worker.process.exitcode
        from tests.fuzz.inspection import Watch
        from tests.fuzz.kinds import kinds_of

        made = kinds_of([worker.kind], Watch())[worker.kind].make(generator(worker.kind, worker.number))
        failure = Failure(
            promise="crash",
            loader="inspection",
            about=f"exit code {code}",
            detail=f"the process that inspected the file ended with {code}",
        )
        summary.fail(worker.kind, worker.number, made, failure)


def _stop(worker: Worker) -> None:
    worker.channel.close()  # the worker's next message fails, and it ends its loaders
    worker.process.join(5)
    if worker.process.is_alive():
        worker.process.kill()
        worker.process.join()
