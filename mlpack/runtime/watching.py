"""Requests that take long are watched: has the client gone, is their time up? Watches, and one Watch for each."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any, Deque, Optional

from .errors import ClientGoneError, DeadlineError, ServeError, SlowBodyError
from .wire import Receive

_PATIENCE_S = 0.05  # a request that is answered sooner is never looked at


class Watches:
    """All requests under way. One timer looks after them together, because a timer for each would cost each of them."""

    def __init__(self, deadline_s: float) -> None:
        self._deadline_s = deadline_s
        self._patience_s = min(_PATIENCE_S, deadline_s)
        self._young: Deque[Watch] = deque()
        self._old: Deque[Watch] = deque()
        self._ticking = False

    def open(self, receive: Receive) -> Watch:
        """Watch the task that calls this, until it closes the watch."""
        loop = asyncio.get_running_loop()
        watch = Watch(loop, receive)
        self._young.append(watch)
        if not self._ticking:
            self._ticking = True
            loop.call_later(self._patience_s, self._tick, loop)
        return watch

    def _tick(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        young, old = self._young, self._old
        while young and (young[0].closed or young[0].began <= now - self._patience_s):
            watch = young.popleft()
            if not watch.closed:
                watch.lose_patience()
                old.append(watch)
        while old and (old[0].closed or old[0].began <= now - self._deadline_s):
            old.popleft().expire()
        self._ticking = bool(young or old)
        if self._ticking:
            loop.call_later(self._patience_s, self._tick, loop)


class Watch:
    """Cancels a request's task when its client has gone or its time is up, and remembers which it was (`reason`)."""

    __slots__ = ("_here", "_listener", "_loop", "_patient", "_receive", "_task", "began", "reason")

    def __init__(self, loop: asyncio.AbstractEventLoop, receive: Receive) -> None:
        self.began = loop.time()
        self.reason: Optional[ServeError] = None
        self._loop = loop
        self._receive = receive
        self._task: Optional[asyncio.Task[Any]] = asyncio.current_task(loop)
        self._here = False
        self._patient = True
        self._listener: Optional[asyncio.Task[None]] = None

    @property
    def closed(self) -> bool:
        """Whether the request is over."""
        return self._task is None

    def body_is_here(self) -> None:
        """From now on nothing else reads from the client, so that its leaving can be listened for."""
        self._here = True
        if not self._patient:
            self._listener = self._loop.create_task(self._listen())

    def close(self) -> None:
        """Stop watching."""
        self._task = None
        if self._listener is not None:
            self._listener.cancel()

    def lose_patience(self) -> None:
        """It takes long: listen whether the client goes."""
        self._patient = False
        if self._here:
            self._listener = self._loop.create_task(self._listen())

    def expire(self) -> None:
        """Its time is up."""
        late = "the answer took too long; ask for fewer rows, or later"
        self._cancel(DeadlineError(late) if self._here else SlowBodyError("the body did not arrive in time"))

    async def _listen(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._cancel(ClientGoneError("the client has gone"))

    def _cancel(self, reason: ServeError) -> None:
        if self.reason is None and self._task is not None:
            self.reason = reason
            self._task.cancel()
