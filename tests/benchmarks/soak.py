"""A minute of many clients, good and bad, against one server: `python -m tests.benchmarks.soak [--seconds N]`."""

from __future__ import annotations

import argparse
import asyncio
import json
import pickle
import random
import re
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.benchmarks import sides
from tests.benchmarks.measuring import tell

CLIENTS = 64
GROWTH_LIMIT = 1.10  # of the memory after the first third
_MALFORMED, _OVERSIZED, _CANCELLED = 0.01, 0.02, 0.03  # shares, one above the other
_HEAD = re.compile(rb"HTTP/1\.1 (\d{3}) .*?\r\ncontent-length: (\d+)\r\n", re.DOTALL | re.IGNORECASE)
_BROKEN = (
    b'{"instances": [[',
    b"not json",
    b'{"instances": [["a", 1, 2, 3]]}',
    b'{"instances": [[1, 2]]}',
    b"\xff\xfe",
    b"{}",
)


@dataclass(kw_only=True)
class Seen:
    """What came back: statuses, wrong answers, the server's memory over time."""

    statuses: Counter[int] = field(default_factory=Counter)
    sent: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    memory: list[int] = field(default_factory=list)

    def problems(self) -> list[str]:
        """What must not have been seen: a wrong answer, a failure other than 503, memory that grows."""
        found = list(self.wrong[:5])
        found += [
            f"{count} answers of status {one}" for one, count in self.statuses.items() if one >= 500 and one != 503
        ]
        found += [f"nothing was answered with {one}" for one in (200, 400, 413) if not self.statuses[one]]
        third = len(self.memory) // 3
        if third:
            early, late = max(self.memory[: third + 1]), max(self.memory[-third:])
            if late > early * GROWTH_LIMIT:
                found.append(f"memory grew from {early / 1e6:.0f} to {late / 1e6:.0f} MB")
        return found


def main() -> int:
    """Soaks, says what was seen; ends with 1 when something must not have been."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.soak", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    words = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="mlpack-soak-") as name:
        folder = Path(name)
        model = sides.train(folder / "model.pkl", "logistic")
        with sides.running(sides.ours(folder / "app", model), folder / "log") as server:
            seen = asyncio.run(soak(server, expected(model), words.seconds))
    print(f"statuses {dict(sorted(seen.statuses.items()))}, sent {dict(seen.sent)}")
    print(f"memory {seen.memory[0] / 1e6:.0f} MB at first, {seen.memory[-1] / 1e6:.0f} MB at last")
    problems = seen.problems()
    for problem in problems:
        tell(problem)
    print("FAILED" if problems else "nothing wrong")
    return int(bool(problems))


def expected(model: Path) -> list[tuple[Any, Any]]:
    """Rows, and what the model itself says of each."""
    from sklearn.datasets import load_iris

    rows = load_iris(return_X_y=True)[0]
    answers = pickle.loads(model.read_bytes()).predict(rows).tolist()
    return list(zip(rows.tolist(), answers, strict=True))


async def soak(server: sides.Running, pairs: Sequence[tuple[Any, Any]], seconds: float) -> Seen:
    """All clients for so many seconds."""
    seen = Seen()
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    clients = [loop.create_task(_client(server.url, pairs, end, random.Random(n), seen)) for n in range(CLIENTS)]
    pause = min(1.0, seconds / 12)
    while loop.time() < end:
        await asyncio.sleep(pause)
        seen.memory.append(resident(server.pid))
    await asyncio.gather(*clients)
    return seen


async def _client(url: str, pairs: Sequence[tuple[Any, Any]], end: float, chance: random.Random, seen: Seen) -> None:
    """One request after the other, over one connection as long as the server keeps it."""
    host, port = url.removeprefix("http://").split(":")
    loop = asyncio.get_running_loop()
    writer: asyncio.StreamWriter | None = None
    while loop.time() < end:
        if writer is None or writer.is_closing():
            reader, writer = await asyncio.open_connection(host, int(port))
        kind = chance.random()
        if kind < _OVERSIZED:
            await _bad(reader, writer, chance, seen, oversized=kind >= _MALFORMED)
        elif kind < _CANCELLED:
            seen.sent["cancelled"] += 1
            writer.write(_request(json.dumps({"instances": [pairs[0][0]]}).encode()))
            await writer.drain()
            writer.close()
        else:
            await _good(reader, writer, [chance.choice(pairs) for _ in range(chance.choice((1, 1, 1, 2, 5, 40)))], seen)
    if writer is not None:
        writer.close()


async def _bad(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, chance: random.Random, seen: Seen, *, oversized: bool
) -> None:
    """A request that must be refused: for its size alone, or for its body."""
    seen.sent["oversized" if oversized else "malformed"] += 1
    body, claimed, wanted = (b"", 33 * 2**20, 413) if oversized else (chance.choice(_BROKEN), None, 400)
    status, _ = await _exchange(reader, writer, body, seen, claimed)
    if status != wanted:
        seen.wrong.append(f"a bad request was answered with {status}, not {wanted}")
    if oversized:
        writer.close()


async def _good(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, chosen: list[tuple[Any, Any]], seen: Seen
) -> None:
    """A request for some rows, whose answers are known."""
    seen.sent["good"] += 1
    body = json.dumps({"instances": [row for row, _ in chosen]}).encode()
    status, answer = await _exchange(reader, writer, body, seen)
    wanted = [label for _, label in chosen]
    if status == 200 and json.loads(answer)["predictions"] != wanted:
        seen.wrong.append(f"{answer[:200]!r} is not {wanted}")
    elif status not in (200, 503):
        seen.wrong.append(f"a good request was answered with {status}: {answer[:200]!r}")


async def _exchange(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, body: bytes, seen: Seen, claimed: int | None = None
) -> tuple[int, bytes]:
    writer.write(_request(body, claimed))
    head = await reader.readuntil(b"\r\n\r\n")
    match = _HEAD.match(head)
    if match is None:
        raise RuntimeError(f"not an answer: {head!r}")
    status, answer = int(match.group(1)), await reader.readexactly(int(match.group(2)))
    seen.statuses[status] += 1
    if b"connection: close" in head:
        writer.close()
    return status, answer


def _request(body: bytes, claimed: int | None = None) -> bytes:
    size = len(body) if claimed is None else claimed
    head = f"POST /predict HTTP/1.1\r\nHost: soak\r\nContent-Type: application/json\r\nContent-Length: {size}\r\n\r\n"
    return head.encode() + body


def resident(pid: int) -> int:
    """Bytes that a process has in memory."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * 4096


if __name__ == "__main__":
    sys.exit(main())
