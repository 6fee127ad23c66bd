"""Processes of our own: started detached, known again by pid and start time, never another's."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
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
    env: Mapping[str, str] = field(default_factory=dict)

    @property
    def recipe(self) -> str:
        """What a running one must have been started from to be kept."""
        return hashlib.sha256(json.dumps([self.argv, self.text]).encode()).hexdigest()


def keep_running(state: State, service: Service, *, patience: float = 30) -> None:
    """Start the service unless it runs as it should; return when it answers."""
    record = _record(state, service.name)
    if record and record["recipe"] == service.recipe and service.answers():
        return
    stop(state, service.name)
    write(service.config, service.text)
    log = state.logs / f"{service.name}.log"
    log.write_bytes(b"")
    pid = detach(service.argv, log=log, env=service.env)
    write(
        _record_path(state, service.name),
        json.dumps({"pid": pid, "recipe": service.recipe, **_identity(pid)}),
    )
    _wait(state, service, log, patience)
    say(f"{service.name} runs (pid {pid})")


def _wait(state: State, service: Service, log: Path, patience: float) -> None:
    end = time.monotonic() + patience
    while not service.answers():
        alive = _record(state, service.name) is not None
        if not alive or time.monotonic() > end:
            stop(state, service.name)
            words = tail(log.read_text(errors="replace"))
            how = f"gave no answer within {patience:.0f} s" if alive else "ended at once"
            raise EngineError(f"{service.name} {how}:\n{words}\n", f"Its log is {log}.")
        time.sleep(0.05)


def stop(state: State, name: str, *, patience: float = 40) -> bool:
    """Stop the process if it is ours and alive; say whether there was one."""
    record = _record(state, name)
    if record is None:
        _record_path(state, name).unlink(missing_ok=True)
        return False
    for wish, seconds in ((signal.SIGTERM, patience), (signal.SIGKILL, 5.0)):
        os.kill(int(record["pid"]), wish)
        end = time.monotonic() + seconds
        while _record(state, name) is not None and time.monotonic() < end:
            time.sleep(0.05)
        if _record(state, name) is None:
            break
    _record_path(state, name).unlink(missing_ok=True)
    say(f"{name} stopped")
    return True


def runs(state: State, name: str) -> bool:
    """Tell whether our process of that name is alive."""
    return _record(state, name) is not None


def _record_path(state: State, name: str) -> Path:
    return state.run / f"{name}.json"


def _record(state: State, name: str) -> dict[str, str] | None:
    """Give the record of a process of ours that is alive: same pid, start time and boot."""
    try:
        record: dict[str, str] = json.loads(_record_path(state, name).read_text())
        same = _identity(int(record["pid"])).items() <= record.items()
    except (FileNotFoundError, ValueError, KeyError):
        return None
    return record if same else None


def _identity(pid: int) -> dict[str, str]:
    """Give what tells a process from a later one that was given the same pid."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return {"started": "gone"}
    # The name, in brackets, may hold blanks: the fields are counted behind it.
    fields = stat.rpartition(")")[2].split()
    if fields[0] in {"Z", "X"}:
        return {"started": "gone"}
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return {"started": fields[19], "boot": boot}
