"""What a service costs, roughly: two figures from the price list in prices.json."""

from __future__ import annotations

import json
import math
from pathlib import Path

from mlpack.artifacts.report import Report
from mlpack.artifacts.service import Cost

_FILE = Path(__file__).with_name("prices.json")
_MONTH_S = 30 * 24 * 3600
_BILLED_S = 0.1  # every started tenth of a second is billed


def cost_of(
    *, region: str, cpus: float, memory_mib: int, min_instances: int, always: bool, report: Report | None
) -> Cost:
    """A month of the instances that always run, and a million requests that come one at a time."""
    data = json.loads(_FILE.read_text(encoding="utf-8"))
    tier = "1" if region in data["tier_1_regions"] else "2"
    price, gib = data["tiers"][tier], memory_mib / 1024
    kind = "always_" if always else "idle_"
    idle = cpus * price[f"{kind}cpu_second"] + gib * price[f"{kind}gib_second"]
    took_s = float((report.latency_ms if report else {}).get("p50", 100)) / 1000
    billed = max(1, math.ceil(took_s / _BILLED_S)) * _BILLED_S
    working = billed * (cpus * price["cpu_second"] + gib * price["gib_second"])
    return Cost(
        currency=data["currency"],
        idle_month=idle * _MONTH_S * min_instances,
        million_requests=0.0 if always else working * 1e6 + price["million_requests"],
        basis=f"{cpus:g} CPU, {memory_mib} MiB, {min_instances} always running, {billed:.1f} s a request, one at a time, "
        f"without the free tier; prices of {data['date']}, tier {tier}, {data['source']}",
    )
