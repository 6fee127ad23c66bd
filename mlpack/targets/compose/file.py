"""The text of compose.yaml: made from a tested image and its measured sizes, and read back."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlpack.artifacts.report import Report
from mlpack.artifacts.service import Change
from mlpack.templating import render


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """The content of the file. `image_id` is the image's own; the sizes that are not given come from `report`."""

    service: str
    project: str
    image: str
    image_id: str
    port: int
    memory: str | None
    cpu: float
    env: Mapping[str, str]
    report: Report | None
    restart: str = "unless-stopped"


def write_file(wanted: Wanted, templates: Path | None) -> str:
    """The text of compose.yaml."""
    return render(
        "compose.yaml.j2",
        {
            "service": wanted.service,
            "project": wanted.project,
            "image": wanted.image,
            "image_id": wanted.image_id,
            "publish": f"127.0.0.1:{wanted.port}:8080",
            "memory": wanted.memory or measured_memory(wanted.report),
            "cpus": wanted.cpu,
            "restart": wanted.restart,
            "env": sorted((key, literal(value)) for key, value in wanted.env.items()),
            "start_period": start_period(wanted.report),
            "interval": 30,
        },
        folder=templates,
    )


def changes_of(before: str | None, after: str, service: str) -> tuple[Change, ...]:
    """The settings that differ; only the names of variables are shown, because a value may be a secret."""
    old, new = _facts(before, service), _facts(after, service)
    return tuple(
        Change(field=key, before=_shown(key, old.get(key)), after=_shown(key, new.get(key)))
        for key in sorted({*old, *new}, key=lambda key: (key != "image", key))
        if old.get(key) != new.get(key)
    )


def port_of(text: str | None, service: str) -> int | None:
    """The port on this machine, None without a file."""
    ports = _service(text, service).get("ports") or []
    return int(str(ports[0]).split(":")[-2]) if ports else None


def image_of(text: str | None, service: str) -> str:
    """The image as the file names it: by its id, or by its digest in a repository."""
    return str(_service(text, service).get("image", ""))


def image_id_of(text: str | None, service: str) -> str:
    """The id that the image has in an engine, however the file names it."""
    return str(_document(text).get("x-mlpack-image") or image_of(text, service))


def _service(text: str | None, service: str) -> dict[str, Any]:
    found = (_document(text).get("services") or {}).get(service)
    return found if isinstance(found, dict) else {}


def _document(text: str | None) -> dict[str, Any]:
    import yaml  # not for `mlpack deploy --help`

    data = yaml.safe_load(text) if text else {}
    return data if isinstance(data, dict) else {}


def _facts(text: str | None, service: str) -> dict[str, str]:
    import yaml

    facts: dict[str, str] = {}
    for key, value in _service(text, service).items():
        if key == "environment":
            facts |= {f"env.{name}": str(inner) for name, inner in value.items()}
        else:
            facts[key] = (
                value if isinstance(value, str) else yaml.safe_dump(value, default_flow_style=True, width=1000).strip()
            )
    return {key: value.removesuffix("\n...") for key, value in facts.items()}


def _shown(key: str, value: str | None) -> str:
    if value is None:
        return ""
    return "(set)" if key.startswith("env.") and key != "env.PORT" else value


def measured_memory(report: Report | None) -> str:
    """1.5 times the measured peak memory, in steps of 128 MiB."""
    if report is None or report.peak_memory_mb is None:
        return "1024m"
    return f"{max(256, math.ceil((report.peak_memory_mb * 1.5 + 64) / 128) * 128)}m"


def start_period(report: Report | None) -> int:
    """Seconds in which failed health checks do not count: four times the measured start."""
    cold_ms = (report and report.cold_start_ms) or 30_000
    return max(30, math.ceil(cold_ms / 1000 * 4))


def literal(value: str) -> str:
    """The value with `$` doubled, because compose reads it as the start of a variable."""
    return value.replace("$", "$$")
