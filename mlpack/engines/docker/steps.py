"""Turns the engine's build messages into progress, and keeps the output of the step that failed."""

from __future__ import annotations

import base64
import re
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from mlpack.artifacts.progress import OnProgress, Progress
from mlpack.engines.docker.layers import LayerProgress
from mlpack.engines.docker.trace import Log, Status, Trace, Vertex, read_trace
from mlpack.readers.system_libraries import WARNING

KEPT_LINES = 30
_TITLE_LENGTH = 80
_RENAMED = {"[internal] load remote build context": "read the bundle", "copy /context /": "unpack the bundle"}
_CLASSIC_STEP = re.compile(r"Step (\d+)/(\d+) : (.*)", re.DOTALL)
_CLASSIC_NOISE = re.compile(r" ---> |Removing intermediate container |Successfully (built|tagged) ")
_LOGIN = re.compile(r"(?<=://)[^/@\s]+@")
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(kw_only=True)
class Step:
    """A step as far as it is known: `title` is its full name, `lines` its last output."""

    title: str
    started: float | None = None
    ended: bool = False
    error: str = ""
    lines: deque[str] = field(default_factory=lambda: deque(maxlen=KEPT_LINES))
    parts: dict[str, Status] = field(default_factory=dict)
    rests: dict[int, str] = field(default_factory=dict)  # by stream: output that waits for its line's end


class Steps:
    """Takes the objects of a build's answer, BuildKit's and the classic builder's alike.

    `image_id` and `error` are what the build ended with; `failed` is the step that broke it, where one did. `notes` are for
    the user: the warnings of the bundle's own programs.
    """

    def __init__(self, on_progress: OnProgress) -> None:
        self.image_id: str | None = None
        self.error = ""
        self.warnings: list[str] = []
        self.notes: list[str] = []
        self._on_progress = on_progress
        self._steps: dict[str, Step] = {}
        self._current = ""
        self._layers = LayerProgress(on_progress)

    @property
    def failed(self) -> Step | None:
        """The step whose error is the first cause: others are cancelled because of it."""
        broken = [step for step in self._steps.values() if step.error]
        return next((step for step in broken if "context canceled" not in step.error), next(iter(broken), None))

    def take(self, item: dict[str, Any]) -> None:
        """Tell of one object, and remember it."""
        if item.get("id") == "moby.buildkit.trace":
            self._trace(read_trace(base64.b64decode(item["aux"])))
        elif "error" in item:
            self.error = _LOGIN.sub("***@", str((item.get("errorDetail") or {}).get("message") or item["error"]))
            self._end_classic(error=self.error)
        elif isinstance(item.get("aux"), dict) and "ID" in item["aux"]:
            self.image_id = str(item["aux"]["ID"])
        elif "stream" in item:
            self._classic(str(item["stream"]))
        elif "status" in item:
            self._layers.take(item)

    def finish(self) -> None:
        """Tell the end of a step that has no end of its own (the classic builder's last)."""
        self._end_classic(error="")

    def _trace(self, trace: Trace) -> None:
        for vertex in trace.vertices:
            self._vertex(vertex)
        for status in trace.statuses:
            self._status(status)
        for log in trace.logs:
            self._log(log)
        self.warnings += trace.warnings

    def _vertex(self, vertex: Vertex) -> None:
        step = self._steps.setdefault(vertex.digest, Step(title=plain(vertex.name)))
        if vertex.error and not step.error:
            step.error = vertex.error
        elif step.ended or vertex.started is None:
            return
        seconds = None
        if vertex.completed is not None and vertex.started is not None:
            seconds, step.ended = max(0.0, vertex.completed - vertex.started), True
            self._flush(vertex.digest, step)
        self._tell(vertex.digest, step, seconds=seconds, cached=vertex.cached, error=vertex.error)

    def _status(self, status: Status) -> None:
        step = self._steps.get(status.vertex)
        # Parts without a total count nothing; those whose id is no digest count things, not bytes.
        if step is None or status.total <= 0 or step.ended:
            return
        step.parts[status.id] = status
        current, total = (sum(getattr(part, name) for part in step.parts.values()) for name in ("current", "total"))
        self._tell(status.vertex, step, current=current, total=total)

    def _log(self, log: Log) -> None:
        step = self._steps.get(log.vertex)
        if step is None:
            return
        *whole, rest = (step.rests.get(log.stream, "") + log.text).split("\n")
        step.rests[log.stream] = rest
        for line in whole:
            self._line(log.vertex, step, line)

    def _classic(self, text: str) -> None:
        if start := _CLASSIC_STEP.match(text):
            self._end_classic(error="")
            number, count, instruction = start.groups()
            self._current = f"step {number}"
            step = Step(title=plain(f"[{number}/{count}] {instruction}"), started=time.monotonic())
            self._steps[self._current] = step
            self._tell(self._current, step)
            return
        step_now = self._steps.get(self._current)
        if step_now is None:
            return
        if "---> Using cache" in text:
            step_now.ended = True
            self._tell(self._current, step_now, seconds=0.0, cached=True)
        elif not _CLASSIC_NOISE.match(text):
            self._log(Log(vertex=self._current, stream=1, text=text))

    def _end_classic(self, *, error: str) -> None:
        step = self._steps.get(self._current)
        if step is None or step.ended or step.started is None:
            return
        step.ended, step.error = True, error
        self._flush(self._current, step)
        self._tell(self._current, step, seconds=time.monotonic() - step.started, error=error)

    def _flush(self, key: str, step: Step) -> None:
        for rest in step.rests.values():
            if rest:
                self._line(key, step, rest)
        step.rests.clear()

    def _line(self, key: str, step: Step, line: str) -> None:
        # A bar that redraws itself with carriage returns leaves only its last picture.
        text = _LOGIN.sub("***@", _COLOURS.sub("", line).rstrip("\r").rpartition("\r")[2].rstrip())
        if text:
            step.lines.append(text)
            if text.startswith(WARNING):
                self.notes.append(text[len(WARNING) :])
            self._tell(key, step, log=text)

    def _tell(self, key: str, step: Step, **news: Any) -> None:
        self._on_progress(Progress(step=key, title=short(step.title), **news))


def plain(name: str) -> str:
    """A step's name on one line, without what a reader need not see: mounts, the default registry, long digests."""
    text = _RENAMED.get(name, name)
    text = re.sub(r"^\[stage-\d+ ", "[", text)  # BuildKit's name for a stage without one
    text = re.sub(r"--mount=\S+\s+", "", text)
    text = text.replace("docker.io/library/", "").replace("docker.io/", "")
    text = re.sub(r"@?sha256:([0-9a-f]{12})[0-9a-f]{52}", r"@\1", text)
    return " ".join(text.split())


def short(name: str) -> str:
    """The name cut to a row of a display."""
    return name if len(name) <= _TITLE_LENGTH else name[: _TITLE_LENGTH - 1] + "…"
