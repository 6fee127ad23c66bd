"""What a library's C half writes to stderr while it starts: lines of the log, not lines between those of the log."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import Iterator

from .logs import Log

_MOST = 64 * 1024


@contextmanager
def chatter_logged(log: Log) -> Iterator[None]:
    """Leads file descriptor 2 into the log for as long as the `with` lasts: TensorFlow greets there, and heeds no setting.

    The lines come when the `with` ends. A process that is killed in it takes them along.
    """
    try:
        held = os.memfd_create("stderr")
        kept = os.dup(2)
    except (AttributeError, OSError):  # no Linux, or no stderr
        yield
        return
    os.dup2(held, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.lseek(held, 0, os.SEEK_SET)
        for line in os.read(held, _MOST).decode("utf-8", "replace").splitlines():
            if line.strip():
                log.write("info", line.rstrip(), logger="stderr")
        os.close(held)
