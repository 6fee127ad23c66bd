"""Room: how many bytes all requests that are inside may hold together, by the memory that the container has."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Iterator, Optional

from ..cgroups import groups, is_count, text_of

AN_EXCHANGE = 2048  # what a request costs beside its bytes
FOR_HEADS = 8 * 2**20  # that much more is there for requests without a body: probes are answered when no body fits in
_ONE_HEAD = 128 * 1024
_SHARE = 4  # of the memory; the rest is the model's, and what becomes of the bodies


class Room:
    """What is `free` of it: less when bytes come, more when their request is over."""

    def __init__(self, size: int) -> None:
        self.free = size


def room_for(most: Optional[int], max_body: int, workers: int = 1) -> Room:
    """A worker's part of `most` bytes (None: a share of the memory), but enough for one body of `max_body` in any case."""
    whole = memory_limit() // _SHARE if most is None else most
    return Room(max(whole // max(workers, 1), max_body + _ONE_HEAD))


def memory_limit(root: Path = Path("/")) -> int:
    """Bytes of memory that this process may take: the least of the machine's and its cgroups' (v1 or v2)."""
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") if hasattr(os, "sysconf") else 2**30
    return min([machine, *_limits(root)])


def _limits(root: Path) -> Iterator[int]:
    for folder, is_v2 in groups(root, "memory"):
        limit = text_of(folder / ("memory.max" if is_v2 else "memory.limit_in_bytes")).strip()
        if is_count(limit) and int(limit) > 0:  # no limit is "max", or 2**63 less a page
            yield int(limit)
