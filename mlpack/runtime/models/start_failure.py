"""Why a model does not start, as a line of the log that programs can read: StartFailure and how it is logged."""

from __future__ import annotations

import traceback
from enum import Enum
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import Any, Dict, Iterator, Optional

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


def log_start_failure(
    log: Log, card: Card, reason: str, code: StartFailure, error: Optional[BaseException], *, answer: bool = False
) -> None:
    """Write one critical line (a warning where the service starts all the same) with the code, and facts of the error.

    `exception` is its class, `module` the module that is missing, `at` the file and line of the user's code that raised,
    `package` the package (`name==version`) whose object or module lacks an attribute, if it is not the model's framework.
    `wrong_answer`: the model answered, but not with one entry for each row.
    """
    severity = "warning" if code is StartFailure.MADE_UP_ROWS else "critical"
    facts: Dict[str, Any] = {"model": card.name, "start_failure": code.value}
    if answer:
        facts["wrong_answer"] = True
    if error is None:
        log.write(severity, reason, **facts)
        return
    facts["exception"] = type(error).__name__
    if isinstance(error, ModuleNotFoundError) and error.name:
        facts["module"] = error.name
    place = _place(error, card)
    if place:
        facts["at"] = place
    package = _package(error.__cause__ or error, card)
    if package:
        facts["package"] = package
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


def _package(error: BaseException, card: Card) -> str:
    """The package of the object that lacks an attribute, else of the code that looked for it; "" for others.

    The framework is none of them: its version is recorded, or the user's choice. If the user's code looked for the attribute,
    it is wrong, and not the package; nor does a release matter where a plain value, such as None or an array, lacks it.
    """
    value = getattr(error, "obj", None)  # since Python 3.10
    plain = getattr(error, "name", None) is not None and type(value).__module__ in ("builtins", "numpy")
    if type(error) is not AttributeError or (plain and not isinstance(value, (type, ModuleType))):
        return ""  # a NotFittedError is an AttributeError, too
    framework = str(card.document.get("framework"))
    frames = list(traceback.walk_tb(error.__traceback__))
    raised_in = str(frames[-1][0].f_globals.get("__name__") or "") if frames else ""
    installed = _installed(raised_in.partition(".")[0])
    if installed is None:
        return ""
    for found in (_installed(_module_of(value).partition(".")[0]), installed):
        name = "" if found is None else str(found.metadata["Name"]).lower().replace("_", "-")
        if found is not None and name != framework and not name.startswith(f"{framework}-"):  # such as tensorflow-cpu
            return f"{name}=={found.version}"
    return ""


def _module_of(value: Any) -> str:
    """The module in which the class of a value, or the value itself, is defined."""
    owner = value if isinstance(value, (type, ModuleType)) else type(value)
    return owner.__name__ if isinstance(owner, ModuleType) else owner.__module__


def _installed(module: str) -> Optional[metadata.Distribution]:
    """The installed package that has this top-level module."""
    return next((one for one in metadata.distributions() if module and module in _top_level(one)), None)


def _top_level(package: metadata.Distribution) -> Iterator[str]:
    """The top-level modules of a package, by its list of files."""
    for file in package.files or ():
        yield file.parts[0].partition(".")[0]
