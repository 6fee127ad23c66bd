"""An open loop: requests at times that are fixed in advance, so that a slow answer delays no later request."""

from __future__ import annotations

import asyncio
import json
import random
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

_HEAD = "POST {} HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n"
_TOLERANCE = 1e-9
_LATEST_S = 30.0  # for an answer


@dataclass(frozen=True, kw_only=True)
class OpenLoad:
    """Two percentiles of the latency, each counted from the planned time of a request."""

    p50_ms: float
    p99_ms: float


def measure_open(
    url: str, path: str, rows: Sequence[tuple[str, float]], per_second: float, seconds: float, seed: int
) -> OpenLoad:
    """Requests at random times (a Poisson process), which the seed fixes; each body has the number that must be answered.

    Raises RuntimeError for another answer.
    """
    chance = random.Random(seed)
    times, at = [], 0.0
    while (at := at + chance.expovariate(per_second)) < seconds:
        times.append(at)
    latencies = asyncio.run(_Loop(url, path, rows).run(times))
    percentiles = statistics.quantiles(latencies, n=100)
    return OpenLoad(p50_ms=percentiles[49] * 1e3, p99_ms=percentiles[98] * 1e3)


class _Loop:
    """Sends each request on a kept-alive connection that is idle, or on a new one."""

    def __init__(self, url: str, path: str, rows: Sequence[tuple[str, float]]) -> None:
        host, port = url.removeprefix("http://").split(":")
        self._address = (host, int(port))
        self._requests = [(f"{_HEAD.format(path, len(body))}{body}".encode(), wanted) for body, wanted in rows]
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def run(self, times: Sequence[float]) -> list[float]:
        loop = asyncio.get_running_loop()
        begin = loop.time() + 0.2
        tasks = []
        for number, at in enumerate(times):
            await asyncio.sleep(begin + at - loop.time())
            tasks.append(loop.create_task(self._one(number, begin + at)))
        latencies = await asyncio.wait_for(asyncio.gather(*tasks), _LATEST_S)
        for _, writer in self._idle:
            writer.close()
        return latencies

    async def _one(self, number: int, planned: float) -> float:
        request, wanted = self._requests[number % len(self._requests)]
        connection = self._idle.pop() if self._idle else await asyncio.open_connection(*self._address)
        reader, writer = connection
        writer.write(request)
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        length = int(head.partition(b"\r\ncontent-length:")[2].split(b"\r\n", 1)[0])
        body = await reader.readexactly(length)
        latency = asyncio.get_running_loop().time() - planned
        self._idle.append(connection)
        found = json.loads(body).get("predictions", [None])[0]
        number_found = found[0] if isinstance(found, list) else found
        if not isinstance(number_found, (int, float)) or abs(number_found - wanted) > _TOLERANCE:
            raise RuntimeError(f"{body[:300]!r} is not {wanted}")
        return latency
