"""Inspection of one file, watched: what it lists, how long it takes, how much memory, and what it touches."""

from __future__ import annotations

import os
import resource
import signal
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

from mlpack.errors import MlpackError
from mlpack.readers.limits import CutOffError
from mlpack.readers.pickles.files import read_pickles
from tests.fuzz.cases import Failure

LONGEST = 10  # seconds of processor time, so that a busy machine is no fault of inspection
MOST_MEMORY = 500  # MiB above what the process had before
# Inspection reads: any of these would mean that it runs what it looks at.
_EFFECTS = (
    "exec",
    "os.system",
    "os.exec",
    "os.posix_spawn",
    "os.fork",
    "subprocess.",
    "socket.",
    "ctypes.",
    "pickle.find",
)


class TooLongError(BaseException):
    """Inspection took too long; a BaseException, so that no reader takes it for a broken file."""


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What inspection says of a file. `verdict` is also `none` (not of this kind) or `unreadable` (refused)."""

    verdict: str
    globals: frozenset[tuple[str, str]] = frozenset()
    facts: Any = None  # what an oracle compares
    failures: tuple[Failure, ...] = ()

    @property
    def accepted(self) -> bool:
        """Whether an image could be built of the file, with the user's trust if need be."""
        return self.verdict in ("safe", "unknown")


@dataclass(kw_only=True)
class Watch:
    """Watches inspections in this process. `spoilt` says that memory was taken, so that the process should be replaced."""

    longest: float = LONGEST
    spoilt: bool = False
    _base: int = 0
    _effects: list[str] = field(default_factory=list)
    _armed: bool = False

    def start(self) -> None:
        """Begin to watch this process."""
        signal.signal(signal.SIGPROF, _too_long)
        sys.addaudithook(self._hook)

    def run(self, work: Callable[[], Seen]) -> Seen:
        """What `work` saw, with a failure for each limit that it broke."""
        self._base = max(self._base, _peak())
        self._effects, failures, began = [], [], time.monotonic()
        seen = Seen(verdict="unreadable")
        signal.setitimer(signal.ITIMER_PROF, self.longest)
        try:
            self._armed = True
            seen = work()
        except (MlpackError, CutOffError):
            pass  # refused, with a reason
        except TooLongError as error:
            failures.append(_failure("slow", error, f"inspection took more than {self.longest} s"))
        except Exception as error:  # noqa: BLE001 - that is what is looked for
            failures.append(_failure("exception", error, "".join(traceback.format_exception(error))[-3000:]))
        finally:
            self._armed = False
            signal.setitimer(signal.ITIMER_PROF, 0)
        grown = (_peak() - self._base) / 1024
        if grown > MOST_MEMORY:
            self.spoilt = True
            detail = f"inspection took {grown:.0f} MiB in {time.monotonic() - began:.1f} s"
            failures.append(Failure(promise="memory", loader="inspection", about="", detail=detail))
        failures += [
            Failure(promise="inspection-effect", loader="inspection", about=one.partition(" ")[0], detail=one)
            for one in self._effects[:3]
        ]
        return Seen(
            verdict=seen.verdict,
            globals=seen.globals,
            facts=seen.facts,
            failures=(*seen.failures, *failures),
        )

    def _hook(self, event: str, args: tuple[Any, ...]) -> None:
        if self._armed and event.startswith(_EFFECTS):
            self._armed = False
            if event != "exec" or not _of_import():
                self._effects.append(f"{event} {ascii(args)[:200]}")
            self._armed = True


def pickles(path: Path) -> Seen:
    """What the pickle readers say of a file."""
    found = read_pickles(path)
    if found is None:
        return Seen(verdict="none")
    listed = frozenset((one.module, one.name) for one in found.globals)
    if found.problem:
        return Seen(verdict="unreadable" if found.safety.verdict != "dangerous" else "dangerous", globals=listed)
    return Seen(verdict=found.safety.verdict, globals=listed, facts=found)


def _failure(promise: str, error: BaseException, detail: str) -> Failure:
    frames = traceback.extract_tb(error.__traceback__)
    own = [one for one in frames if f"{os.sep}mlpack{os.sep}" in one.filename] or list(frames)
    place = f"{Path(own[-1].filename).name}:{own[-1].name}" if own else "?"
    return Failure(promise=promise, loader="inspection", about=f"{type(error).__name__} in {place}", detail=detail)


def _of_import() -> bool:
    """Whether an import is what executes code: a module of inspection's own that is imported when it is first needed."""
    frame: FrameType | None = sys._getframe(2)
    while frame is not None and frame.f_code.co_filename != "<frozen importlib._bootstrap>":
        frame = frame.f_back
    return frame is not None


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _too_long(*_: Any) -> None:
    raise TooLongError
