"""CPU and memory as Kubernetes writes them, and which go together."""

from __future__ import annotations

import re

from .errors import ApiError

UNITS = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30}
MI, GI = 1 << 20, 1 << 30
DEFAULT_MEMORY = "512Mi"
# More memory than this wants at least so much CPU, and so much CPU wants at least this memory.
CPU_FOR_MEMORY = ((24 * GI, 8), (16 * GI, 6), (8 * GI, 4), (4 * GI, 2), (GI, 1), (512 * MI, 0.5))
MEMORY_FOR_CPU = ((6, 4 * GI), (4, 2 * GI))
WHOLE = {1, 2, 4, 6, 8}


def memory_bytes(text: str) -> int:
    """`512Mi` as bytes."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)(k|M|G|Ki|Mi|Gi)?", text)
    if not found:
        raise _invalid("memory", text, "must be a quantity like 512Mi or 2Gi.")
    return int(float(found[1]) * UNITS[found[2] or ""])


def cpus(text: str) -> float:
    """`2` or `500m` as a number of CPUs."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)(m)?", text)
    if not found:
        raise _invalid("cpu", text, "must be a quantity like 1 or 500m.")
    return float(found[1]) / (1000 if found[2] else 1)


def check_pair(cpu_text: str, memory_text: str, concurrency: int, *, cpu_idle: bool) -> None:
    """Refuse sizes that Cloud Run does not run together."""
    cpu, memory = cpus(cpu_text), memory_bytes(memory_text)
    if not 0.08 <= cpu <= 8 or (cpu > 1 and cpu not in WHOLE):
        raise _invalid("cpu", cpu_text, "must be 0.08 to 1, or one of 1, 2, 4, 6, 8.")
    if not 128 * MI <= memory <= 32 * GI:
        raise _invalid("memory", memory_text, "must be between 128Mi and 32Gi inclusive.")
    for limit, least in CPU_FOR_MEMORY:
        if memory > limit and cpu < least:
            raise _invalid("cpu", cpu_text, f"For {memory_text} memory, the minimum CPU is {least:g}.")
    for limit, least_memory in MEMORY_FOR_CPU:
        if cpu >= limit and memory < least_memory:
            raise _invalid(
                "memory", memory_text, f"For {cpu_text} CPU, total memory must be at least {least_memory // GI}Gi."
            )
    if cpu < 1 and concurrency > 1:
        raise ApiError("INVALID_ARGUMENT", "Total cpu < 1 is not supported with concurrency > 1.")
    if cpu < 1 and not cpu_idle:
        raise ApiError("INVALID_ARGUMENT", "Total cpu < 1 is not supported with cpu always allocated.")


def _invalid(limit: str, value: str, why: str) -> ApiError:
    field = f"template.containers.resources.limits.{limit}"
    return ApiError("INVALID_ARGUMENT", f"{field}: Invalid value specified for {limit}: '{value}'. {why}")
