"""The most memory that a container has held, as far as the engine lets it be known."""

from __future__ import annotations

import contextlib
import threading
from pathlib import Path
from typing import Any

from mlpack.engines.client import Client

_INTERVAL_S = 0.2
_CGROUP = Path("/sys/fs/cgroup")


class PeakMemory:
    """Looks at a container five times a second in a thread, from `start` to `stop`; `peak` is in bytes, None at first.

    Memory is what the kernel cannot take back: usage without the pages of files that nobody looks at now. The kernel's
    own high-water mark catches what happens between two looks: on cgroup v1 the engine tells it, on v2 the file
    memory.peak does, where it is on this machine. That mark counts file pages too, hence the same subtraction.
    """

    def __init__(self, client: Client, container: str) -> None:
        self.peak: int | None = None
        self._client = client
        self._container = container
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, name=f"memory of {container[:12]}", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Look no more; returns when the thread has ended."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join()

    def look(self) -> None:
        """Look once, now."""
        # One shot: without it the engine would wait a second for a second sample of the CPU.
        one_shot = tuple(map(int, str(self._client.api_version).split("."))) >= (1, 41)
        memory = self._client.stats(self._container, stream=False, one_shot=one_shot or None).get("memory_stats") or {}
        usage = memory.get("usage")
        if not usage:
            return  # it has ended
        reclaimable = _reclaimable(memory.get("stats") or {})
        mark = memory.get("max_usage") or self._mark() or usage
        self.peak = max(self.peak or 0, usage - reclaimable, mark - reclaimable)

    def _watch(self) -> None:
        # The container may be gone at any look, and the engine too: what was seen until then stands.
        with contextlib.suppress(Exception):
            while not self._ended.is_set():
                self.look()
                self._ended.wait(_INTERVAL_S)

    def _mark(self) -> int | None:
        """The high-water mark of cgroup v2, by the systemd and the plain driver's places for it."""
        for folder in (f"system.slice/docker-{self._container}.scope", f"docker/{self._container}"):
            with contextlib.suppress(OSError, ValueError):
                return int((_CGROUP / folder / "memory.peak").read_text())
        return None


def _reclaimable(stats: dict[str, Any]) -> int:
    """The inactive file pages: named `total_...` on cgroup v1, where the plain name leaves out the children."""
    return int(stats.get("total_inactive_file", stats.get("inactive_file", 0)))
