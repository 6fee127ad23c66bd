"""Processes of our own: started detached, known again by pid and start time, never another's."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import signal
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from .errors import EngineError
from .shell import detach, say, tail
from .state import State, write


@dataclass(frozen=True, kw_only=True)
class Service:
    """A process that should run: its name, its command, the file it is configured by."""

    name: str
    argv: tuple[str, ...]
    config: Path
    text: str
    answers: Callable[[], bool]
    patience: float = 60

    @property
    def recipe(self) -> str:
        """What a running one must have been started from to be kept."""
        return hashlib.sha256(json.dumps([self.argv, self.text]).encode()).hexdigest()


@dataclass(frozen=True, kw_only=True)
class Process:
    """A process that we started; a later one may get its pid, but not its start time as well."""

    pid: int
    started: str
    boot: str
    recipe: str


def keep_running(state: State, service: Service) -> None:
    """Start the service unless it runs as it should; return when it answers."""
    process = running(state, service.name)
    # One that is alive and silent is busy: it gets time, since a restart would end its containers.
    if process and process.recipe == service.recipe and _comes_to_answer(state, service):
        return
    stop(state, service.name)
    _start(state, service)
    if not _comes_to_answer(state, service):
        alive = running(state, service.name) is not None
        stop(state, service.name)
        what = f"gave no answer within {service.patience:.0f} s" if alive else "ended at once"
        log = _log(state, service.name)
        words = tail(log.read_text(errors="replace"))
        raise EngineError(f"{service.name} {what}:\n{words}\n", f"Its log is {log}.")
    say(f"{service.name} runs")


def running(state: State, name: str) -> Process | None:
    """Give our process of that name, if it is alive and still the one that we started."""
    try:
        process = Process(**json.loads(_record(state, name).read_text()))
    except (FileNotFoundError, ValueError, TypeError):
        return None
    same = _started(process.pid) == process.started and _boot() == process.boot
    return process if same else None


def stop(state: State, name: str) -> None:
    """Stop our process of that name, if it runs: a word first, after 40 s by force."""
    for wish, patience in ((signal.SIGTERM, 40.0), (signal.SIGKILL, 10.0)):
        process = running(state, name)
        if process is None:
            break
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, wish)
        if until(lambda: running(state, name) is None, patience):
            say(f"{name} stopped")
    _record(state, name).unlink(missing_ok=True)


def until(reached: Callable[[], bool], patience: float) -> bool:
    """Wait until it is so, or patience ends; tell which."""
    end = time.monotonic() + patience
    while not (done := reached()) and time.monotonic() < end:
        time.sleep(0.05)
    return done


def _start(state: State, service: Service) -> None:
    write(service.config, service.text)
    log = _log(state, service.name)
    log.write_bytes(b"")
    pid = detach(service.argv, log=log)
    process = Process(pid=pid, started=_started(pid) or "ended", boot=_boot(), recipe=service.recipe)
    write(_record(state, service.name), json.dumps(asdict(process)))


def _comes_to_answer(state: State, service: Service) -> bool:
    """Wait for an answer while the process lives; an answer without it is a stranger's."""
    until(lambda: service.answers() or not running(state, service.name), service.patience)
    return running(state, service.name) is not None and service.answers()


def _record(state: State, name: str) -> Path:
    return state.run / f"{name}.json"


def _log(state: State, name: str) -> Path:
    return state.logs / f"{name}.log"


def _started(pid: int) -> str | None:
    """Give a living process's start time, in the kernel's ticks since boot."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The name, in brackets, may hold blanks: the fields are counted from behind it.
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] in {"Z", "X"} else fields[19]


def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
