"""Images that earlier runs left in the private engine: a run that is killed removes nothing."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta, timezone
from typing import Any

from .errors import EngineError
from .shell import run, say
from .state import State

OLD = timedelta(hours=3)  # no run takes half as long, so that none loses an image it uses


def remove_leftovers(state: State) -> None:
    """Remove every image that was neither made nor named for three hours; the build cache stays."""
    names = run(["docker", "--host", state.host, "image", "ls", "--quiet", "--no-trunc"]).split()
    if not names:
        return
    found = json.loads(run(["docker", "--host", state.host, "image", "inspect", *sorted(set(names))]))
    old = leftovers(found, datetime.now(timezone.utc) - OLD)
    for image in old:
        with contextlib.suppress(EngineError):  # a container still uses it
            run(["docker", "--host", state.host, "image", "rm", "--force", image])
    if old:
        say(f"{len(old)} images of earlier runs removed")


def leftovers(images: Iterable[Mapping[str, Any]], before: datetime) -> list[str]:
    """Give the ids of images (as `docker image inspect` shows them) last used before a time, base images left out."""
    return [
        image["Id"]
        for image in images
        if max(_time(image["Created"]), _time(image["Metadata"]["LastTagTime"])) < before
        and not any(name.startswith("python:") for name in image["RepoTags"])
    ]


def _time(text: str) -> datetime:
    """Read an RFC 3339 time in UTC, whose nanoseconds Python 3.10 does not read; the year 1 means never."""
    return datetime.fromisoformat(text[:19] + "+00:00")
