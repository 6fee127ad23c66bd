"""Run a coroutine without a Task: CoroutineDriver. The only file that uses a private attribute of asyncio.

Why: a Task costs as much as reading a small request. It is registered with the loop, and its first step and every step after
a wait are scheduled for a later round of the loop; a driver takes the first step at once.

What is private: the code that drives a coroutine gets each future that is awaited with its `_asyncio_future_blocking` set, and
must clear it. Tasks do so, and asyncio has no public name for it. CPython has had this protocol since 3.5; `check` tests that
it holds: in `python -m mlpack.runtime`, and in a unit test with each supported Python that is installed.
"""

from __future__ import annotations

import asyncio
import contextvars
from typing import Any, Coroutine


class CoroutineDriver:
    """Drives one coroutine, which may await futures of the loop and nothing that needs a current task.

    `asyncio.timeout`, task groups and what is built on them need one: such a coroutine belongs in a Task.
    """

    _awaited: Any = None  # the future that the coroutine waits for
    _coroutine: Any = None  # None before it starts and after it has ended

    def __init__(self, loop: asyncio.AbstractEventLoop, context: contextvars.Context) -> None:
        self.loop = loop
        self._context = context

    def drive(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        """Take the coroutine's first step, and go on whenever what it waits for is done."""
        self._coroutine = coroutine
        self._step(coroutine.send, None)

    def interrupt(self, error: BaseException) -> None:
        """Raise the error in the coroutine where it waits, and cancel what it waits for; nothing if it does not wait."""
        awaited, self._awaited = self._awaited, None
        if awaited is not None:
            awaited.remove_done_callback(self._resume)
            awaited.cancel()
            self._step(self._coroutine.throw, error)

    def set_result(self, future: Any) -> None:
        """Give the future the result None; a coroutine that waits for it goes on at once, not in the loop's next round."""
        if future is self._awaited:
            self._awaited = None
            future.remove_done_callback(self._resume)
            future.set_result(None)
            self._step(self._coroutine.send, None)
        elif not future.done():
            future.set_result(None)

    def returned(self, value: Any) -> None:
        """The coroutine has ended with this value."""
        raise NotImplementedError

    def raised(self) -> None:
        """The coroutine has ended with an exception, which goes on to the event loop."""

    def _step(self, how: Any, what: Any) -> None:
        """Run the coroutine until it waits or ends."""
        try:
            awaited = how(what)
        except StopIteration as ended:
            # a driver and its coroutine that hold each other would wait for the garbage collector
            self._coroutine = None
            self.returned(ended.value)
            return
        except BaseException:
            self._coroutine = None
            self.raised()
            raise
        if awaited is None:  # asyncio.sleep(0)
            self.loop.call_soon(self._step, self._coroutine.send, None)
            return
        awaited._asyncio_future_blocking = False  # noqa: SLF001 - see above
        awaited.add_done_callback(self._resume, context=self._context)
        self._awaited = awaited

    def _resume(self, future: Any) -> None:
        if self._awaited is future:  # else it was interrupted meanwhile
            self._awaited = None
            self._step(self._coroutine.send, None)


class _Check(CoroutineDriver):
    result: Any = None

    def returned(self, value: Any) -> None:
        self.result = value


def check() -> None:
    """Raise RuntimeError if this Python's futures do not work with the driver."""

    async def steps(first: Any, second: Any, third: Any) -> list[Any]:
        found: list[Any] = []
        await asyncio.sleep(0)
        found.append(await first)
        found.append(await asyncio.ensure_future(second))
        try:
            await third
        except KeyError as error:
            found.append(str(error))
        return found

    async def run() -> Any:
        loop = asyncio.get_running_loop()
        first, third = loop.create_future(), loop.create_future()
        driver = _Check(loop, contextvars.copy_context())
        driver.drive(steps(first, asyncio.sleep(0, "task"), third))
        await asyncio.sleep(0)
        first.set_result("future")
        for _ in range(5):
            await asyncio.sleep(0)
        driver.interrupt(KeyError("interrupted"))
        return driver.result, third.cancelled()

    found = asyncio.run(run())
    if found != (["future", "task", "'interrupted'"], True):
        raise RuntimeError(f"coroutines cannot be driven without a Task on this Python: {found}")
