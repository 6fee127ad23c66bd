"""The news of layers that are pulled or pushed, turned into progress."""

from __future__ import annotations

import time
from typing import Any

from mlpack.artifacts.progress import OnProgress, Progress

_FREE = {"Layer already exists", "Already exists"}
_DONE = {"Pushed", "Pull complete"}
_MOVING = {"Pushing", "Downloading"}


class LayerProgress:
    """Takes the `status` objects of a pull's or a push's answer; one step for each layer."""

    def __init__(self, on_progress: OnProgress) -> None:
        self._on_progress = on_progress
        self._started: dict[str, float] = {}
        self._total: dict[str, int] = {}

    def take(self, item: dict[str, Any]) -> None:
        """Tell of one object; those that are of no layer are passed over."""
        layer, status = str(item.get("id", "")), str(item.get("status", ""))
        free = status in _FREE or status.startswith("Mounted from")
        if not layer or not (free or status in _DONE or status in _MOVING):
            return
        started = self._started.setdefault(layer, time.monotonic())
        detail = item.get("progressDetail") or {}
        current, total = detail.get("current"), detail.get("total")
        if total:
            self._total[layer] = max(int(total), int(current or 0))
        ended = free or status in _DONE
        self._on_progress(
            Progress(
                step=f"layer {layer}",
                title=f"layer {layer}",
                current=self._total.get(layer) if ended else current,
                total=self._total.get(layer),
                seconds=(0.0 if free else time.monotonic() - started) if ended else None,
                cached=free,
            )
        )
