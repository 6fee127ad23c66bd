"""Run network requests in parallel, in threads that Ctrl-C does not wait for."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

_WORKERS = 8


def run_parallel(request: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
    """The result of `request` for each item, in order; raises the first error.

    Unlike those of concurrent.futures, the threads are daemons: an index that hangs does not delay an interrupted command.
    """
    waiting: SimpleQueue[int] = SimpleQueue()
    finished: SimpleQueue[tuple[int, Result | None, BaseException | None]] = SimpleQueue()
    for number in range(len(items)):
        waiting.put(number)

    def work() -> None:
        while not waiting.empty():
            try:
                number = waiting.get_nowait()
            except Empty:  # another worker was quicker
                return
            try:
                finished.put((number, request(items[number]), None))
            except BaseException as error:  # noqa: BLE001 - raised again by the waiting thread
                finished.put((number, None, error))

    for _ in range(min(_WORKERS, len(items))):
        threading.Thread(target=work, name="request", daemon=True).start()
    results: dict[int, Result] = {}
    while len(results) < len(items):
        number, result, error = finished.get()
        if error is not None:
            raise error
        results[number] = result  # type: ignore[assignment]  # None only when it is the result
    return [results[number] for number in range(len(items))]
