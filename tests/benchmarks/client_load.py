"""Calls of a member by aiohttp or httpx, as the coordinator makes them: a program of its own, for the environment of both.

stdin is a JSON object: client, url, headers, body (Base64), answer (Base64: the end of each response), concurrency, seconds.
stdout is one: calls, seconds, p50 and p99 in milliseconds, CPU time of this process in microseconds for one call.
"""

from __future__ import annotations

import asyncio
import base64
import json
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

Call = Callable[[], Awaitable[bytes]]
_TIMEOUT_S = 30.0


async def with_aiohttp(given: dict[str, Any], body: bytes) -> tuple[Call, Callable[[], Awaitable[None]]]:
    """One session for all calls."""
    import aiohttp

    session = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0), auto_decompress=False, cookie_jar=aiohttp.DummyCookieJar()
    )
    limit = aiohttp.ClientTimeout(total=_TIMEOUT_S)

    async def call() -> bytes:
        async with session.post(given["url"], data=body, headers=given["headers"], timeout=limit) as answer:
            found: bytes = await answer.read()
            return found

    return call, session.close


async def with_httpx(given: dict[str, Any], body: bytes) -> tuple[Call, Callable[[], Awaitable[None]]]:
    """One client for all calls."""
    import httpx  # type: ignore[import-not-found,unused-ignore]  # it is in the environment of this program only

    limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
    client = httpx.AsyncClient(limits=limits, timeout=_TIMEOUT_S, trust_env=False)

    async def call() -> bytes:
        answer = await client.post(given["url"], content=body, headers=given["headers"])
        return bytes(answer.content)

    return call, client.aclose


async def load(given: dict[str, Any]) -> dict[str, float]:
    """So many callers, each with one call after the other; the first fifth of the time does not count."""
    body, wanted = base64.b64decode(given["body"]), base64.b64decode(given["answer"])
    made = {"aiohttp": with_aiohttp, "httpx": with_httpx}[given["client"]]
    call, close = await made(given, body)
    latencies: list[float] = []
    counted = time.perf_counter() + given["seconds"] / 5
    end = counted + given["seconds"]
    cpu = 0.0

    async def caller() -> None:
        nonlocal cpu
        while (began := time.perf_counter()) < end:
            if not (await call()).endswith(wanted):
                raise RuntimeError("a wrong answer")
            if began >= counted:
                cpu = cpu or time.process_time()
                latencies.append(time.perf_counter() - began)

    await asyncio.gather(*(caller() for _ in range(given["concurrency"])))
    spent = time.process_time() - cpu
    await close()
    latencies.sort()
    return {
        "calls": len(latencies),
        "rate": len(latencies) / given["seconds"],
        "p50_ms": latencies[len(latencies) // 2] * 1e3,
        "p99_ms": latencies[len(latencies) * 99 // 100] * 1e3,
        "cpu_us": spent * 1e6 / len(latencies),
    }


if __name__ == "__main__":
    import uvloop

    print(json.dumps(uvloop.run(load(json.load(sys.stdin)))))
