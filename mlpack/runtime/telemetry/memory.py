"""The memory that the service takes: Memory reads it from the kernel in a thread, and keeps the figure for some seconds."""

from __future__ import annotations

import asyncio
import os
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Callable, Iterable, Optional

_PAGE = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096
_KEPT_S = 5.0  # the kernel walks all pages of a process for it: 1 ms (huge pages) to 30 (shared ones) for each gigabyte


class Memory:
    """The sum of some processes' memory. `pids` says which they are, `clock` is in seconds.

    One thread reads it, for all requests of that time; the interpreter runs on meanwhile.
    """

    def __init__(self, pids: Callable[[], Iterable[int]], clock: Callable[[], float] = time.monotonic) -> None:
        self._pids = pids
        self._clock = clock
        self._reader: Optional[ThreadPoolExecutor] = None
        self._known = 0
        self._until = float("-inf")

    async def measured(self) -> int:
        """Bytes in memory, those that the processes share counted once."""
        if self._clock() < self._until:
            return self._known
        if self._reader is None:
            self._reader = ThreadPoolExecutor(1, "mlpack-memory")
        return await asyncio.get_running_loop().run_in_executor(self._reader, self._read)

    def _read(self) -> int:
        if self._clock() >= self._until:
            self._known = sum(map(proportional, self._pids()))
            self._until = self._clock() + _KEPT_S
        return self._known


def proportional(pid: int, proc: str = "/proc") -> int:
    """A process's proportional set size: what it shares with others counts by its share.

    Where the kernel has no such figure (Linux before 4.14, sandboxes) all resident memory, 0 where it has neither.
    """
    try:
        with open(f"{proc}/{pid}/smaps_rollup", "rb") as file:  # noqa: PTH123 - as elsewhere in the runtime
            for line in file.read().splitlines():
                if line.startswith(b"Pss:"):
                    return int(line.split()[1]) * 1024
    except (OSError, ValueError, IndexError):
        pass  # the fallback is below
    try:
        with open(f"{proc}/{pid}/statm", "rb") as file:  # noqa: PTH123
            return int(file.read().split()[1]) * _PAGE
    except (OSError, ValueError, IndexError):
        return 0
