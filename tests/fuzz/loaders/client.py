"""The runner's end of a server of loaders: Loaders, and what came back of one file."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.fuzz.loaders.groups import FRAMEWORKS

ROOT = Path(__file__).resolve().parents[3]
FRAMEWORKS_PYTHON = ROOT / ".venv-frameworks" / "bin" / "python"
_LONGEST_START = 300  # seconds; TensorFlow takes its time on a busy machine
_LONGEST = 2  # seconds, beyond the loader's own limit: it hangs in native code


@dataclass(frozen=True, kw_only=True)
class Reached:
    """What one loader did with a file: how it ended, what it reached, what it returned; `signal` when it crashed."""

    loader: str
    status: str
    events: tuple[tuple[str, ...], ...] = ()
    found: Any = None
    signal: int = 0

    @property
    def globals(self) -> frozenset[tuple[str, str]]:
        """The names that it looked up."""
        return frozenset((one[1], one[2]) for one in self.events if one[0] == "global")

    @property
    def effects(self) -> tuple[str, ...]:
        """What it was about to do outside itself."""
        return tuple(f"{one[1]} {one[2]}" for one in self.events if one[0] == "effect")

    @property
    def calls(self) -> tuple[str, ...]:
        """Methods that it called of objects that the file made: `class: method`."""
        return tuple(f"{one[1]}: {one[2]}" for one in self.events if one[0] == "call")


@dataclass(kw_only=True)
class Loaders:
    """A group of loaders in a process of their own, started when first used; `missing` says why there are none."""

    group: str
    modules: Sequence[str] = ()  # to import beforehand
    missing: str = ""
    _process: subprocess.Popen[bytes] | None = None
    _serving: int = 0
    _number: int = 0
    _rest: bytes = field(default=b"", repr=False)
    _folder: tempfile.TemporaryDirectory[str] | None = None  # empty: the current folder of the loaders

    def start(self) -> bool:
        """Whether the loaders are there."""
        if self._process is None and not self.missing:
            python = str(FRAMEWORKS_PYTHON) if self.group in FRAMEWORKS else sys.executable
            if not Path(python).exists():
                self.missing = "the environment of the frameworks is not there (`make models`)"
                return False
            quiet = {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1", "OMP_NUM_THREADS": "1"}
            self._folder = tempfile.TemporaryDirectory(prefix="mlpack-fuzz-empty-")
            self._process = subprocess.Popen(
                [python, "-m", "tests.fuzz.loaders.server", self.group, *self.modules],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                cwd=self._folder.name,
                env={**os.environ, **quiet, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "0"},
                start_new_session=True,
            )
            self._await_ready()
        return not self.missing

    def run(self, path: Path, loaders: Sequence[str], **request: Any) -> list[Reached]:
        """What each of the loaders reaches in a file, in their order.

        One that crashes runs again in a new process: what an earlier file did to the memory is not this file's fault.
        """
        if not self.start():
            return []
        found = self._run(path, loaders, request)
        if found and found[-1].signal == signal.SIGKILL:  # it hung
            found[-1] = Reached(loader=found[-1].loader, status="too long")
        elif found and found[-1].signal:
            found[-1:] = self._run(path, loaders[len(found) - 1 : len(found)], request)
        if 0 < len(found) < len(loaders):
            found += self.run(path, loaders[len(found) :], **request)
        return found

    def _run(self, path: Path, loaders: Sequence[str], request: Mapping[str, Any]) -> list[Reached]:
        found: list[Reached] = []
        running = ""
        self._number += 1
        asked = {"path": str(path), "loaders": list(loaders), "number": self._number, **request}
        self._ask(asked)
        while True:
            answer = self._answer(_LONGEST)
            if "died" in answer:
                self._await_ready()
                if running:
                    found.append(Reached(loader=running, status="crashed", signal=answer["died"]))
                    return found
                self._ask(asked)  # it ended before this request, which it may have taken with it
            elif answer.get("number") != self._number:
                continue  # an answer to an earlier request
            elif "begins" in answer:
                running = answer["begins"]
            elif "ended" in answer:
                events = tuple(tuple(one) for one in answer["events"])
                found.append(Reached(loader=running, status=answer["status"], events=events, found=answer["found"]))
            else:
                return found

    def _ask(self, request: Mapping[str, Any]) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(request).encode() + b"\n")
        self._process.stdin.flush()

    def stop(self) -> None:
        """End the processes."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            for pipe in (self._process.stdin, self._process.stdout):
                with contextlib.suppress(OSError):
                    pipe.close()  # type: ignore[union-attr]  # both are pipes
            self._process = None
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None

    def _await_ready(self) -> None:
        answer = self._answer(_LONGEST_START)
        while "ready" not in answer and "missing" not in answer:  # what a process said that ended in the meantime
            answer = self._answer(_LONGEST_START)
        self._serving = answer.get("ready", 0)
        self.missing = answer.get("missing", "")

    def _answer(self, seconds: float) -> dict[str, Any]:
        """The next line of the server; a process that hangs is ended, which the server then says."""
        assert self._process is not None
        assert self._process.stdout is not None
        descriptor = self._process.stdout.fileno()
        with selectors.DefaultSelector() as selector:
            selector.register(descriptor, selectors.EVENT_READ)
            while b"\n" not in self._rest:
                if not selector.select(seconds) and self._serving:
                    os.kill(self._serving, signal.SIGKILL)
                    continue
                data = os.read(descriptor, 1 << 16)
                if not data:
                    raise RuntimeError(f"the server of the loaders {self.group!r} ended: run it by hand to see why")
                self._rest += data
        line, _, self._rest = self._rest.partition(b"\n")
        answer: dict[str, Any] = json.loads(line)
        return answer
