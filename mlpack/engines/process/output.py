"""What a process writes, kept up to a bound."""

from __future__ import annotations

import threading
from collections import deque
from typing import IO

MOST = 16 * 1024**2


class KeptOutput:
    """Reads a pipe in a thread until it ends, and keeps the last `most` bytes of it, in whole portions."""

    def __init__(self, pipe: IO[bytes], *, most: int = MOST) -> None:
        self._pipe = pipe
        self._most = most
        self._portions: deque[bytes] = deque()
        self._size = 0
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._read, name="output", daemon=True)
        self._thread.start()

    def text(self) -> str:
        """What was written so far."""
        with self._lock:
            return b"".join(self._portions).decode("utf-8", "replace")

    def finish(self, timeout_s: float) -> None:
        """Wait for the rest, but not forever: another process may still hold the pipe open."""
        self._thread.join(timeout_s)

    def _read(self) -> None:
        with self._pipe:
            for line in self._pipe:
                with self._lock:
                    self._portions.append(line)
                    self._size += len(line)
                    while self._size > self._most and len(self._portions) > 1:
                        self._size -= len(self._portions.popleft())
