"""The peak memory of a container, as far as it can be measured."""

from __future__ import annotations

import contextlib
import threading
from dataclasses import dataclass
from pathlib import Path

from mlpack.engines.docker.client import Client

_INTERVAL_S = 0.1
_CGROUPS = Path("/sys/fs/cgroup")
# The places that Docker's two cgroup drivers give a container, below the root of cgroup v2 or of v1's memory controller.
_FOLDERS = (
    "docker/{id}",
    "system.slice/docker-{id}.scope",
    "memory/docker/{id}",
    "memory/system.slice/docker-{id}.scope",
)


@dataclass(frozen=True, kw_only=True)
class Look:
    """What was seen at one moment, in bytes: `mark` is the kernel's high-water mark of `usage`, where there is one."""

    usage: int
    mark: int | None
    reclaimable: int


class PeakMemory:
    """Looks at a container again and again in a thread, from `start` to `stop`; `peak` is in bytes, None at first.

    Memory is what the kernel cannot take back: usage without inactive file pages. Its own
    high-water mark catches what happens between two looks; it counts file pages too, hence the same subtraction. The
    kernel's files are read if the container is on this machine; else the engine is asked, which answers once a second and
    reports no mark on cgroup v2, so that a shorter peak is missed.
    """

    def __init__(self, client: Client, container: str) -> None:
        self.peak: int | None = None
        self._client = client
        self._container = container
        self._folder = _folder(container)
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
        """Look once, now. The container may be gone, and the engine too: what was seen until then stands."""
        with contextlib.suppress(Exception):
            seen = _kernel(self._folder) if self._folder else _engine(self._client, self._container)
            highest = max(seen.usage, seen.mark or 0) - seen.reclaimable
            if seen.usage and highest > (self.peak or 0):
                self.peak = highest

    def _watch(self) -> None:
        while not self._ended.is_set():
            self.look()
            self._ended.wait(_INTERVAL_S)


def _folder(container: str) -> Path | None:
    folders = (_CGROUPS / folder.format(id=container) for folder in _FOLDERS)
    return next((folder for folder in folders if folder.is_dir()), None)


def _kernel(folder: Path) -> Look:
    """What the kernel's files say (Documentation/admin-guide/cgroup-v2.rst, cgroup-v1/memory.rst)."""
    stat = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
    new = (folder / "memory.current").exists()
    usage, mark = ("memory.current", "memory.peak") if new else ("memory.usage_in_bytes", "memory.max_usage_in_bytes")
    try:
        highest: int | None = int((folder / mark).read_text())
    except FileNotFoundError:
        highest = None  # memory.peak is younger than cgroup v2: Linux 5.19
    return Look(
        usage=int((folder / usage).read_text()),
        mark=highest,
        reclaimable=_reclaimable({k: int(v) for k, v in stat.items()}),
    )


def _engine(client: Client, container: str) -> Look:
    # One shot: without it the engine waits for a second sample of the CPU.
    one_shot = tuple(map(int, str(client.api_version).split("."))) >= (1, 41)
    memory = client.stats(container, stream=False, one_shot=one_shot or None)["memory_stats"]
    return Look(
        usage=int(memory["usage"]), mark=memory.get("max_usage"), reclaimable=_reclaimable(memory.get("stats") or {})
    )


def _reclaimable(stats: dict[str, int]) -> int:
    """The inactive file pages: `total_...` on cgroup v1, where the plain name leaves out the children."""
    return stats.get("total_inactive_file", stats.get("inactive_file", 0))
