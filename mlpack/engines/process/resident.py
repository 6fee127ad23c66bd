"""The memory that a process of this machine holds, and its end when that is more than it may."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from pathlib import Path

_INTERVAL_S = 0.1


class ResidentMemory:
    """Looks at a process again and again in a thread, from `start` to `stop`.

    `peak` is the most it has held in bytes, as the kernel remembers it (VmHWM), None before the first look. When what
    cannot be taken back from it (its own pages, not those of files) is over `limit`, `exceeded` turns true and `on_excess`
    is called once. Limits of the kernel's own would count what a library only reserves (RLIMIT_AS) or what every thread's
    stack could become (RLIMIT_DATA), and so refuse harmless models on machines with many cores.
    """

    def __init__(self, pid: int, limit: int | None, on_excess: Callable[[], None]) -> None:
        self.peak: int | None = None
        self.exceeded = False
        self._status = Path("/proc") / str(pid) / "status"
        self._limit = limit
        self._on_excess = on_excess
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, name=f"memory of process {pid}", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Look no more; returns when the thread has ended."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join()

    def look(self) -> None:
        """Look once, now; of a process that is gone, what was seen stands."""
        with contextlib.suppress(OSError, ValueError):
            seen = _sizes(self._status.read_text(encoding="ascii", errors="replace"))
            if "VmHWM" not in seen:
                return
            self.peak = max(seen["VmHWM"], self.peak or 0)
            held = seen.get("RssAnon", 0) + seen.get("RssShmem", 0)
            if self._limit is not None and held > self._limit and not self.exceeded:
                self.exceeded = True
                self._on_excess()

    def _watch(self) -> None:
        while not self._ended.is_set():
            self.look()
            self._ended.wait(_INTERVAL_S)


def threads_of(uid: int) -> int:
    """How many threads the user's processes have now, as far as this process may see (RLIMIT_NPROC counts them all)."""
    count = 0
    for status in (process / "status" for process in Path("/proc").glob("[0-9]*")):
        with contextlib.suppress(OSError, ValueError, KeyError):
            lines = dict(
                line.partition(":")[::2] for line in status.read_text(encoding="ascii", errors="replace").splitlines()
            )
            if int(lines["Uid"].split()[0]) == uid:
                count += int(lines["Threads"])
    return count


def _sizes(status: str) -> dict[str, int]:
    """The sizes in /proc/PID/status (proc_pid_status(5)), in bytes."""
    lines = (line.partition(":") for line in status.splitlines() if line.endswith(" kB"))
    return {name: int(value.split()[0]) * 1024 for name, _, value in lines}
