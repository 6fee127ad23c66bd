"""Check serving contracts on an image or a URL, with the requests that platforms and clients send."""

from __future__ import annotations

import struct
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from mlpack.artifacts.image import Image
from mlpack.artifacts.report import Report
from mlpack.checks.checklist import Checklist, FailedCheckError, OnCheck
from mlpack.checks.client import Client, Unanswered
from mlpack.checks.comparison import difference
from mlpack.checks.contracts.base import Contract, Session
from mlpack.checks.contracts.subject import Subject, find_subject
from mlpack.engines.base import Limits, Runner, Running

_PORT = 34871  # not a usual default, to detect a server that ignores PORT
_PATIENCE_S = 5.0  # how long to wait for a server that answers 4xx on its readiness path
# An unknown server may answer in any form: these errors in a check function mean that the form is wrong.
_FORM_ERRORS = (TypeError, ValueError, LookupError, AttributeError, ArithmeticError, RecursionError, struct.error)
_HINT = "Give sample rows with --request FILE, and the model's name in the routes with --model-name NAME."


@dataclass(frozen=True, kw_only=True)
class ModelFacts:
    """What is known about the model in advance: a request body with rows, its name in the routes, its card."""

    request: Any = None
    name: str | None = None
    card: Mapping[str, Any] | None = None


def check_url(url: str, contracts: Sequence[Contract], facts: ModelFacts, on_check: OnCheck = lambda _: None) -> Report:
    """Check a service that is already running. A failed check raises nothing."""
    checklist = Checklist(on_check=on_check)
    predictions: dict[str, list[Any]] = {}
    with Client(url) as client:
        if checklist.check("answers", lambda: f"{client.get(contracts[0].ready).status} at {contracts[0].ready}"):
            for contract in contracts:
                _check_contract(checklist, client, contract, facts, predictions)
    _compare(checklist, predictions)
    return Report(checks=tuple(checklist.checks))


def check_image(
    image: Image,
    contracts: Sequence[Contract],
    facts: ModelFacts,
    *,
    runner: Runner,
    limits: Limits,
    port: int | None = None,
    start_s: float = 240,
    on_check: OnCheck = lambda _: None,
) -> tuple[Report, str]:
    """Start the image as each contract's platform does, check it and stop it; return the report and the containers' log.

    `port` is the fixed port of its server, None for a server that reads PORT. A failed check raises nothing. Raises
    EngineError if the engine cannot run the image.
    """
    checklist = Checklist(on_check=on_check)
    predictions: dict[str, list[Any]] = {}
    logs = []
    for group in _groups(contracts, port):
        first = group[0]
        at = port if port is not None and not first.own_port else _PORT
        env = {name: value.format(port=at) for name, value in first.env.items()}
        began = time.perf_counter()
        with runner.run(image, limits=limits, env=env, port=at, arguments=first.arguments) as running:
            with Client(running.url) as client:
                starts = partial(_starts, running, client, first, began, start_s)
                hint = (
                    f"It must listen on port {at} ({', '.join(first.env) or 'PORT'}); give a fixed port with --port N."
                )
                if checklist.check(f"{first.name}_starts", starts, hint=hint):
                    for contract in group:
                        _check_contract(checklist, client, contract, facts, predictions, image)
            ending = [(one.grace_s, one.name) for one in group if one.grace_s is not None]
            if ending:  # the container is stopped once, within the grace period of the strictest platform
                grace_s, name = min(ending)
                checklist.check(f"{name}_sigterm", partial(_ends, running, grace_s))
            logs.append(running.logs())
    _compare(checklist, predictions)
    return Report(checks=tuple(checklist.checks), image_size=image.size), "\n".join(logs)


def _groups(contracts: Sequence[Contract], port: int | None) -> list[list[Contract]]:
    """The contracts in groups that can share one container, because their platforms start it in the same way."""
    groups: dict[Any, list[Contract]] = {}
    for contract in contracts:
        chosen = contract.own_port or port is None
        groups.setdefault((chosen, contract.arguments, tuple(contract.env.items())), []).append(contract)
    return list(groups.values())


def _check_contract(
    checklist: Checklist,
    client: Client,
    contract: Contract,
    facts: ModelFacts,
    predictions: dict[str, list[Any]],
    image: Image | None = None,
) -> None:
    """Run the checks of one contract; only the first one if it finds no name or rows for the requests."""
    found: list[Subject] = []
    find = partial(_find_subject, client, contract, facts, image, found)
    if not checklist.check(f"{contract.name}_model", partial(_with_form_errors, find), hint=_HINT):
        return
    session = Session(client=client, subject=found[0], predictions=predictions)
    for name, function in contract.checks(found[0]):
        checklist.check(name, partial(_with_form_errors, partial(function, session)))


def _with_form_errors(function: Callable[[], str]) -> str:
    """Run a check function; raise FailedCheckError also if an answer does not have the expected form."""
    try:
        return function()
    except _FORM_ERRORS as error:
        text = f"{type(error).__name__}: {error}"
        raise FailedCheckError(f"an answer does not have the contract's form ({text[:200]})") from error


def _find_subject(
    client: Client, contract: Contract, facts: ModelFacts, image: Image | None, found: list[Subject]
) -> str:
    card = facts.card
    if card is None:
        card = _card(client)
    subject = find_subject(
        client,
        card=card,
        request=facts.request,
        name=facts.name,
        platform=None if image is None else image.platform,
        labels=None if image is None else image.labels,
    )
    if contract.needs_name and subject.name is None:
        raise FailedCheckError("the service does not report the name of its model")
    if contract.needs_rows and not subject.rows:
        raise FailedCheckError(f"the inputs of {subject.name or 'the model'} are not known")
    found.append(subject)
    return f"{subject.name or 'a model'}, {len(subject.rows)} rows"


def _card(client: Client) -> Mapping[str, Any] | None:
    """The card, if the service runs an image built by mlpack."""
    answer = client.get("/")
    try:
        card = answer.json() if answer.status == 200 else None
    except ValueError:
        return None
    return card if isinstance(card, dict) and card.get("signatures") and card.get("mlpack") else None


def _starts(running: Running, client: Client, contract: Contract, began: float, limit_s: float) -> str:
    path = contract.ready
    seen, refused_at = "no answer yet", None
    while (waited := time.perf_counter() - began) < limit_s:
        try:
            answer = client.get(path)
        except Unanswered as nothing:
            seen = str(nothing)
        else:
            seen = f"GET {path} answers {answer.status} {answer.text[:200]}"
            if answer.status == 200 or (contract.any_answer and answer.status < 500):
                return f"{waited * 1000:.0f} ms after the start"
            refused_at = refused_at or (waited if answer.status < 500 else None)
            if refused_at is not None and waited - refused_at > _PATIENCE_S:
                return f"it answers, but {seen}"  # the checks of the contract decide whether that is a failure
        if not running.alive():
            raise FailedCheckError(f"it exited with code {running.stop(grace_s=0).code}; {seen}")
        time.sleep(0.05)
    raise FailedCheckError(f"not ready after {limit_s:.0f} s: {seen}")


def _ends(running: Running, grace_s: float) -> str:
    if not running.alive():
        raise FailedCheckError(f"it had already exited with code {running.stop(grace_s=0).code}")
    ended = running.stop(grace_s=grace_s)
    if ended.oom_killed or ended.code == 128 + 9:
        raise FailedCheckError(f"killed after {ended.seconds:.0f} s: it does not exit on SIGTERM")
    return f"exit {ended.code} after {ended.seconds:.1f} s"


def _compare(checklist: Checklist, predictions: Mapping[str, list[Any]]) -> None:
    """Check that the same rows get the same predictions through every contract."""
    if len(predictions) < 2:
        return
    first, *others = predictions

    def agree() -> str:
        for other in others:
            found = difference(predictions[other], predictions[first], 1e-6)
            if found:
                raise FailedCheckError(f"{other} differs from {first}: {found}")
        return f"{', '.join(predictions)}: the same numbers"

    checklist.check("contracts_agree", partial(_with_form_errors, agree))
