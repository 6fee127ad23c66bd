"""Why a model does not start, as a line of the log that programs can read: StartFailure and how it is logged."""

from __future__ import annotations

import traceback
from enum import Enum
from pathlib import Path
from typing import Any, Dict, Optional

from ..card import Card
from ..telemetry.logs import Log
from .guard import NotInspectedError


class StartFailure(str, Enum):
    """What failed, in the field `start_failure` of the log line. All but `MADE_UP_ROWS` end the process with exit code 1."""

    CARD = "card"  # the card, or its sample rows, cannot be read
    NOT_INSPECTED = "not_inspected"  # the file refers to something that its inspection did not list
    LOAD = "load"  # loading the model raised
    SAMPLE = "sample"  # the model failed on the sample rows
    MADE_UP_ROWS = "made_up_rows"  # it failed on rows made from its signature, and there is no sample


def log_load_failure(log: Log, card: Card, error: BaseException) -> str:
    """Log that loading the model raised this; return the reason as clients get it."""
    if isinstance(error, NotInspectedError):
        reason = f"the model is not loaded: {error}"
        log_start_failure(log, card, reason, StartFailure.NOT_INSPECTED, None)
    else:
        reason = f"the model cannot be loaded: {type(error).__name__}: {error}"
        log_start_failure(log, card, reason, StartFailure.LOAD, error)
    return reason


def log_start_failure(log: Log, card: Card, reason: str, code: StartFailure, error: Optional[BaseException]) -> None:
    """Write one critical line (a warning where the service starts all the same) with the code, and facts of the error.

    `exception` is its class, `module` the module that is missing, `at` the file and line of the user's code that raised.
    """
    severity = "warning" if code is StartFailure.MADE_UP_ROWS else "critical"
    facts: Dict[str, Any] = {"model": card.name, "start_failure": code.value}
    if error is None:
        log.write(severity, reason, **facts)
        return
    facts["exception"] = type(error).__name__
    if isinstance(error, ModuleNotFoundError) and error.name:
        facts["module"] = error.name
    place = _place(error, card)
    if place:
        facts["at"] = place
    log.failure(reason, error, severity=severity, **facts)


def _place(error: BaseException, card: Card) -> str:
    """The last line of the traceback that is in the user's code, as `file:line`; "" where there is none."""
    folders = [(card.folder / path).resolve() for path in (card.document.get("code") or {}).get("paths") or ()]
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        file = Path(frame.filename).resolve()
        for folder in folders:
            if folder in file.parents:
                return f"{file.relative_to(folder).as_posix()}:{frame.lineno}"
    return ""
