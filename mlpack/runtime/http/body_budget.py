"""The memory that all requests may take together: BodyBudget, by the memory that the container has."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Iterator, Optional

from ..cgroups import groups, is_count, text_of

EXCHANGE_SIZE = 2048  # bytes that a request takes beside its own
HEADS_RESERVE = 8 * 2**20  # bytes beside the budget for requests without a body: probes are answered when it is used up
_ONE_HEAD = 128 * 1024
_SHARE = 4  # a quarter of the memory; the rest is for the model, and for what bodies are decoded into


class BodyBudget:
    """Bytes that are `free`: fewer when a body arrives, more when its request is over."""

    def __init__(self, size: int) -> None:
        self.free = size


def make_budget(most: Optional[int], max_body: int, workers: int = 1) -> BodyBudget:
    """A worker's part of `most` bytes (None: a share of the memory), but enough for one body of `max_body` in any case."""
    whole = memory_limit() // _SHARE if most is None else most
    return BodyBudget(max(whole // max(workers, 1), max_body + _ONE_HEAD))


def memory_limit(root: Path = Path("/")) -> int:
    """Bytes of memory that this process may take: the least of the machine's and its cgroups' (v1 or v2)."""
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") if hasattr(os, "sysconf") else 2**30
    return min([machine, *_limits(root)])


def _limits(root: Path) -> Iterator[int]:
    for folder, is_v2 in groups(root, "memory"):
        limit = text_of(folder / ("memory.max" if is_v2 else "memory.limit_in_bytes")).strip()
        if is_count(limit) and int(limit) > 0:  # no limit is "max", or 2**63 less a page
            yield int(limit)
