"""How much memory the service takes: what is shared counts once, and nobody waits for the kernel."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from pathlib import Path

from mlpack.runtime.telemetry.memory import Memory, proportional

ROLLUP = """5608793f9000-7ffc40698000 ---p 00000000 00:00 0                          [rollup]
Rss:             1123544 kB
Pss:                1000 kB
Pss_Dirty:       1110940 kB
"""


def process(folder: Path, pid: int, **files: str) -> None:
    """A process as the kernel tells of it."""
    (folder / str(pid)).mkdir()
    for name, text in files.items():
        (folder / str(pid) / name).write_text(text)


def test_the_share_where_the_kernel_tells_it(tmp_path: Path) -> None:
    """Pss of smaps_rollup; without it, or with one that says nothing, the resident pages; else nothing."""
    page = os.sysconf("SC_PAGE_SIZE")
    process(tmp_path, 1, smaps_rollup=ROLLUP, statm="9000 300 5 1 0 2 0\n")
    process(tmp_path, 2, statm="9000 300 5 1 0 2 0\n")
    process(tmp_path, 3, smaps_rollup="", statm="9000 300 5 1 0 2 0\n")
    process(tmp_path, 4, statm="")
    told = [proportional(pid, str(tmp_path)) for pid in (1, 2, 3, 4, 5)]
    assert told == [1000 * 1024, 300 * page, 300 * page, 0, 0]


def test_it_is_asked_seldom_and_beside_the_loop() -> None:
    """However many ask at once, the kernel is asked once, in another thread; again only after some seconds."""
    now = [0.0]
    asked: list[int] = []

    def pids() -> list[int]:
        asked.append(threading.get_ident())
        return [os.getpid()]

    memory = Memory(pids, lambda: now[0])

    async def crowd() -> list[int]:
        return await asyncio.gather(*(memory.measured() for _ in range(5)))

    first = asyncio.run(crowd())
    now[0] = 4.9
    assert asyncio.run(crowd()) == first
    assert len(set(first)) == len(asked) == 1
    assert asked[0] != threading.get_ident()
    now[0] = 5.0
    asyncio.run(crowd())
    assert len(asked) == 2


FAMILY = """
import os
from mlpack.runtime.telemetry.metrics import Metrics

metrics, own = Metrics(3), os.getpid()
child = os.fork()
if child == 0:
    metrics.use(1)
    os._exit(0)
os.waitpid(child, 0)
before = metrics.pids()
metrics.ended(1)
print(before == {own, child}, metrics.pids() == {own})
"""


def test_a_process_that_has_ended_is_not_asked_for() -> None:
    """Its number may be another's by then; the parent of all is always there, and counts once."""
    done = subprocess.run([sys.executable, "-c", FAMILY], capture_output=True, text=True, check=True)
    assert done.stdout == "True True\n"
