"""The process in which loaders run: bounded, without a standard input, with its effects stopped."""

from __future__ import annotations

import ctypes
import resource
import signal
from typing import Any

LONGEST = 0.5  # seconds for one loader and file: to be slow is no fault of inspection
_MEMORY = 1 << 29  # bytes of address space beyond what the imports took
_FILE = 64 << 20
_END_WITH_PARENT = 1  # PR_SET_PDEATHSIG of linux/prctl.h


class TooLongError(BaseException):
    """The loader did not end in time."""


def end_with_parent() -> None:
    """Have the kernel end this process when its parent ends, however that happens."""
    ctypes.CDLL(None).prctl(_END_WITH_PARENT, signal.SIGKILL)


def enter() -> None:
    """Give up what a loader does not need."""
    end_with_parent()
    with open("/proc/self/statm", "rb") as file:  # noqa: PTH123 - read before the hook is in
        pages = int(file.read().split()[0])
    limit = pages * resource.getpagesize() + _MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (_FILE, _FILE))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the runner ends this process
    signal.signal(signal.SIGALRM, _too_long)


def _too_long(*_: Any) -> None:
    raise TooLongError
