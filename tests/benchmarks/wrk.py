"""wrk, and what it measured: Load."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_SCRIPT = """\
wrk.method = "POST"
wrk.path = "%s"
wrk.headers["Content-Type"] = "application/json"
wrk.body = [==[%s]==]
local threads = {}
"""
# One connection for each thread, so that a response belongs to the body that the thread has sent last.
_CHECKED = """\
local bodies, wanted = {%s}, {%s}
local threads, requests, at = {}, {}, 0
function setup(thread)
  thread:set("first", #threads * 7)
  table.insert(threads, thread)
end
function init(args)
  wrong, at = 0, first %% #bodies
  for place, body in ipairs(bodies) do
    requests[place] = wrk.format("POST", "%s", {["Content-Type"] = "application/json"}, body)
  end
end
function request()
  at = at %% #bodies + 1
  return requests[at]
end
function response(status, headers, body)
  local found = tonumber(body:match('"predictions":%%s*%%[[%%s%%[]*([-%%d.eE+]+)'))
  if not found or math.abs(found - wanted[at]) > 1e-9 then wrong = wrong + 1 end
end
"""
_DONE = """\
function done(summary, latency, requests)
  local bad = summary.errors.status + summary.errors.connect + summary.errors.read + summary.errors.timeout
  for _, thread in ipairs(threads) do bad = bad + thread:get("wrong") end
  io.write(string.format('\\nMEASURED {"requests": %d, "seconds": %f, "p50": %f, "p99": %f, "bad": %d}\\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3, bad))
end
"""


@dataclass(frozen=True, kw_only=True)
class Load:
    """One measurement: requests a second, two percentiles of the latency, and the server's CPU time for one request.

    The last one hardly changes when others use the machine.
    """

    rate: float
    p50_ms: float
    p99_ms: float
    cpu_us: float


def measure(url: str, path: str, body: str, connections: int, seconds: float, pid: int) -> Load:
    """Requests as fast as they are answered, over so many connections; raises RuntimeError when one is not answered with 2xx."""
    return _run(url, path, _SCRIPT % (path, body), 1, connections, seconds, pid)


def measure_checked(
    url: str, path: str, rows: Sequence[tuple[str, float]], connections: int, seconds: float, pid: int
) -> Load:
    """The same with many bodies, each with the number that it must be answered with; raises RuntimeError for another one."""
    bodies, wanted = (
        ", ".join(words) for words in zip(*((f"[==[{body}]==]", repr(n)) for body, n in rows), strict=True)
    )
    return _run(url, path, _CHECKED % (bodies, wanted, path), connections, connections, seconds, pid)


def _run(url: str, path: str, text: str, threads: int, connections: int, seconds: float, pid: int) -> Load:
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(text + _DONE)
        script.flush()
        words = [
            "wrk",
            f"-t{threads}",
            "--timeout=30s",
            f"-c{connections}",
            f"-d{seconds:.0f}s",
            "-s",
            script.name,
            url,
        ]
        before = cpu_seconds(pid)
        done = subprocess.run(words, capture_output=True, text=True, check=True)
        spent = cpu_seconds(pid) - before
    found = json.loads(done.stdout.rpartition("MEASURED ")[2])
    if found["bad"] or not found["requests"]:
        raise RuntimeError(
            f"{url}{path}: {found['bad']} of {found['requests']} requests failed or were answered wrongly:\n{done.stdout}"
        )
    return Load(
        rate=found["requests"] / found["seconds"],
        p50_ms=found["p50"],
        p99_ms=found["p99"],
        cpu_us=spent * 1e6 / found["requests"],
    )


def cpu_seconds(pid: int) -> float:
    """CPU time of a process and of those that it started, so far."""
    fields: dict[int, list[str]] = {}
    for path in (process / "stat" for process in Path("/proc").glob("[0-9]*")):
        with suppress(OSError):  # it has just ended
            fields[int(path.parent.name)] = path.read_text().rpartition(")")[2].split()
    family = {pid}
    while more := {one for one, values in fields.items() if int(values[1]) in family} - family:
        family |= more
    return sum(int(fields[one][11]) + int(fields[one][12]) for one in family if one in fields) / os.sysconf(
        "SC_CLK_TCK"
    )


def quoted(path: Path) -> str:
    """A path as a string in a program's text."""
    return json.dumps(str(path))
