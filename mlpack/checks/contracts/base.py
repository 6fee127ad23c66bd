"""Contract, a serving contract to check, and what the checks share: Session, and functions that test an answer."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mlpack.checks.checklist import FailedCheckError
from mlpack.checks.client import Answer, Client
from mlpack.checks.contracts.subject import Subject

CheckFunction = Callable[["Session"], str]


@dataclass(frozen=True, kw_only=True)
class Contract:
    """A serving contract: the routes and forms that a platform and its clients expect.

    `checks` returns the check functions by name. `ready` is the readiness path. The platform starts the container with
    `arguments` after its entrypoint and with the variables `env`, in which `{port}` is a placeholder for the port. It stops
    it with SIGTERM, and with SIGKILL after `grace_s`.
    """

    name: str
    ready: str
    checks: Callable[[Subject], Iterable[tuple[str, CheckFunction]]]
    env: Mapping[str, str] = field(default_factory=dict)
    arguments: tuple[str, ...] = ()
    own_port: bool = False  # the platform chooses the port; otherwise the server may have a fixed one
    grace_s: float | None = None
    needs_rows: bool = True  # the checks send rows of the model
    any_answer: bool = False  # any status below 500 means ready
    needs_name: bool = False  # the routes contain the model's name


@dataclass(frozen=True, kw_only=True)
class Session:
    """A running service under test. `predictions` holds the predictions for the subject's rows, by contract."""

    client: Client
    subject: Subject
    predictions: dict[str, list[Any]]

    def record(self, contract: str, predictions: Any) -> str:
        """Record predictions, one for each row of the subject; raises FailedCheckError if the number differs."""
        rows = len(self.subject.rows)
        if not isinstance(predictions, list) or len(predictions) != rows:
            count = f"{len(predictions)} predictions" if isinstance(predictions, list) else "no list of predictions"
            raise FailedCheckError(f"the request had {rows} rows, the answer has {count}: {str(predictions)[:200]}")
        self.predictions.setdefault(contract, [_as_text(one) for one in predictions])
        return str(predictions)[:80]


def _as_text(value: Any) -> Any:
    """The value with each `{"b64": ...}` that contains UTF-8 text decoded, because not all contracts use this form."""
    if isinstance(value, list):
        return [_as_text(one) for one in value]
    if not isinstance(value, dict):
        return value
    if list(value) != ["b64"] or not isinstance(value["b64"], str):
        return {name: _as_text(one) for name, one in value.items()}
    try:
        return base64.b64decode(value["b64"], validate=True).decode("utf-8")
    except ValueError:  # not Base64, or not UTF-8
        return value


def success(answer: Answer) -> Answer:
    """The same answer; raises FailedCheckError unless its status is 200."""
    if answer.status != 200:
        raise FailedCheckError(f"{answer.status} {answer.text[:300]}")
    return answer


def json_of(answer: Answer, *, keys: Sequence[str] = ()) -> Any:
    """The JSON of a 200 answer; raises FailedCheckError if one of the `keys` is missing."""
    try:
        value = success(answer).json()
    except ValueError:
        raise FailedCheckError(f"not JSON: {answer.text[:200]}") from None
    missing = [key for key in keys if not isinstance(value, dict) or key not in value]
    if missing:
        raise FailedCheckError(f"no {', '.join(missing)} in {answer.text[:200]}")
    return value


def refused(answer: Answer, statuses: Iterable[int] = range(400, 500), *, text: str | None = None) -> str:
    """Require one of these error statuses, and a JSON body with a text under the key `text`."""
    if answer.status not in statuses:
        wanted = "4xx" if statuses == range(400, 500) else " or ".join(map(str, statuses))
        raise FailedCheckError(f"expected {wanted}, got {answer.status} {answer.text[:300]}")
    if text is None:
        return f"{answer.status} {answer.text[:80]}"
    try:
        message = answer.json()[text]
    except (ValueError, KeyError, TypeError, IndexError):
        message = None
    if not isinstance(message, str) or not message:
        raise FailedCheckError(f'{answer.status} without a text under "{text}": {answer.text[:200]}')
    return f"{answer.status} {message}"[:80]
