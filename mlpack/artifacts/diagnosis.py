"""Why a service did not start, from its own log, and what the user can do about it: diagnose."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_LIBRARY = re.compile(r"(lib[\w.+-]+\.so[\w.]*): cannot open shared object file")
_MISSING_NAME = re.compile(r"Can't get attribute '?(\w+)'? on <module '([\w.]+)'")
_RAISED = re.compile(r"\w+(Error|Exception): .")
_SAMPLE = "Give a few rows of the training data: `--sample rows.csv` or `sample:` in mlpack.yaml."
_ENTRIES = (
    "An answer must have one entry for each row: a list, an array, or columns. If your code answers in another form, write "
    "a predictor that makes the entries, and name it in mlpack.yaml: `predictor: predict.py`."
)
_OTHER_ROWS = (
    "If the code takes the rows in another form than they are sent in, convert them in a predictor "
    "(`predictor: predict.py` in mlpack.yaml)."
)


@dataclass(frozen=True, kw_only=True)
class Diagnosis:
    """What failed at the start of a service, in its own words, and a remedy ("" where none is known)."""

    reason: str
    hint: str


def diagnose(log: str) -> Diagnosis | None:
    """The failure that the serving runtime logged last; None where it logged none, as a server of others."""
    for line in reversed(log.splitlines()):
        if '"start_failure"' not in line:
            continue
        try:
            facts = json.loads(line[line.find("{") :])  # docker compose writes the container's name before it
        except ValueError:
            continue
        if isinstance(facts, dict) and isinstance(facts.get("message"), str):
            return Diagnosis(reason=_located(facts), hint=_hint(facts))
    return None


def unverified(answer: str, log: str = "") -> Diagnosis | None:
    """The failure of a service whose answer to `/ready` says that its model has answered no row; None if it does not.

    Its log may name a package as the cause, for the remedy.
    """
    try:
        ready = json.loads(answer)
    except ValueError:  # the readiness of a server of others, which may have any form
        return None
    if not isinstance(ready, dict) or ready.get("verified") is not False:
        return None
    reason = _brief(str(ready.get("reason") or "the model has answered no row"))
    found = diagnose(log)
    return Diagnosis(
        reason=f"it serves, but no answer was seen: {reason}", hint=_SAMPLE if found is None else found.hint
    )


def _brief(message: str) -> str:
    """The first line of a message, and the exception that a traceback inside it, such as TorchScript's, ends with."""
    first, *others = message.split("\n")
    ends = [line for line in others if _RAISED.match(line)]
    return f"{first[:500]} {ends[-1][:300]}" if ends else first[:500]


def _located(facts: Mapping[str, Any]) -> str:
    reason = _brief(str(facts["message"]))
    return f"{reason} ({facts['at']})" if facts.get("at") else reason


def _hint(facts: Mapping[str, Any]) -> str:
    """The remedy for the facts that the runtime logs (mlpack/runtime/models/start_failure.py)."""
    failure, exception, message = facts.get("start_failure"), facts.get("exception"), str(facts["message"])
    if failure == "not_inspected":
        return "Build it again with this version of mlpack; if it happens again, please report it."
    if misfit := str(facts.get("package") or ""):
        package, _, version = misfit.partition("==")
        earlier = f"{package}<{version}"
        return (
            f"The file was probably saved with another release of {package} than {version}, which is installed. "
            f"Try the one before it: `--require '{earlier}'` (`requirements: [{earlier}]` in mlpack.yaml)."
        )
    if exception == "NotImplementedError" and facts.get("at"):
        return f"Decide what {facts['at']} says, and remove the line."
    if facts.get("wrong_answer"):
        return _ENTRIES
    if failure == "made_up_rows":
        return _SAMPLE
    if absent := _absent(facts, message):
        return absent
    if facts.get("at"):
        return f"See {facts['at']}." + (f" {_OTHER_ROWS}" if failure == "sample" else "")
    if failure in ("sample", "card"):
        return "Are the rows of the sample as in training? `--sample rows.csv` or `sample:` in mlpack.yaml."
    if failure == "load" and exception in ("AttributeError", "TypeError", "ValueError", "KeyError"):
        return "If the file was saved with another version of its framework, name that: `--framework NAME==VERSION`."
    return ""


def _absent(facts: Mapping[str, Any], message: str) -> str:
    """The remedy for a module, a system library or a class that is not in the image; "" where none is missing."""
    if module := facts.get("module"):
        package = str(module).partition(".")[0]
        return (
            f"Add the package that has it (`requirements: [{package}]` in mlpack.yaml), "
            f"or your own code: `--include {package}.py`."
        )
    if library := _LIBRARY.search(message):
        return f"Add the Debian package that has {library[1]}: `apt: [...]` in mlpack.yaml."
    if name := _MISSING_NAME.search(message):
        return f"Add the file that defines {name[1]}: `--include FILE.py`."
    return ""
