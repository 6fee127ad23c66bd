"""Several questions to the network at once, none of which holds up Ctrl-C."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue
from typing import TypeVar

Item = TypeVar("Item")
Answer = TypeVar("Answer")

_WORKERS = 8


def at_once(ask: Callable[[Item], Answer], items: Sequence[Item]) -> list[Answer]:
    """The answer for each item, in their order; raises the first error there is.

    The threads are daemons, which concurrent.futures' are not: an index that hangs would keep an interrupted command
    alive until it gives up.
    """
    waiting: SimpleQueue[int] = SimpleQueue()
    answered: SimpleQueue[tuple[int, Answer | None, BaseException | None]] = SimpleQueue()
    for number in range(len(items)):
        waiting.put(number)

    def work() -> None:
        while not waiting.empty():
            try:
                number = waiting.get_nowait()
            except Empty:  # another worker was quicker
                return
            try:
                answered.put((number, ask(items[number]), None))
            except BaseException as error:  # noqa: BLE001 - raised where the answers are awaited
                answered.put((number, None, error))

    for _ in range(min(_WORKERS, len(items))):
        threading.Thread(target=work, name="asking", daemon=True).start()
    answers: dict[int, Answer] = {}
    while len(answers) < len(items):
        number, answer, error = answered.get()
        if error is not None:
            raise error
        answers[number] = answer  # type: ignore[assignment]  # None only when it is the answer
    return [answers[number] for number in range(len(items))]
