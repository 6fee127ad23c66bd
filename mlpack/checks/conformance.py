"""From an Image or a URL to a Report on serving contracts: each is asked as its own platform and clients would ask."""

from __future__ import annotations

import struct
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from mlpack.artifacts.image import Image
from mlpack.artifacts.report import Report
from mlpack.checks.checklist import Book, BrokenPromiseError, OnCheck
from mlpack.checks.client import Client, Unanswered
from mlpack.checks.comparison import difference
from mlpack.checks.contracts.base import Contract, Session
from mlpack.checks.contracts.subject import Subject, find_subject
from mlpack.engines.base import Limits, Runner, Running

_PORT = 34871  # not one that a server might take by itself
_PATIENCE_S = 5.0  # how long a server that answers 4xx to the path that means ready is waited for
# what a stranger answers may be of any form: a check that stumbles over it has found that out
_STUMBLES = (TypeError, ValueError, LookupError, AttributeError, ArithmeticError, RecursionError, struct.error)
_TELL = "--request FILE holds rows, `--model-name NAME` the name in the service's routes."


@dataclass(frozen=True, kw_only=True)
class Question:
    """What the user tells of the model that is asked: a body with rows, its name in the routes, mlpack's card of it."""

    request: Any = None
    name: str | None = None
    card: Mapping[str, Any] | None = None


def check_url(
    url: str, contracts: Sequence[Contract], question: Question, on_check: OnCheck = lambda _: None
) -> Report:
    """Checks a service that runs already: all that can be seen from outside. A failed check does not raise."""
    book = Book(on_check=on_check)
    heard: dict[str, list[Any]] = {}
    with Client(url) as client:
        if book.check("answers", lambda: f"{client.get(contracts[0].ready).status} at {contracts[0].ready}"):
            for contract in contracts:
                _ask(book, client, contract, question, heard)
    _compare(book, heard)
    return Report(checks=tuple(book.checks))


def check_image(
    image: Image,
    contracts: Sequence[Contract],
    question: Question,
    *,
    runner: Runner,
    limits: Limits,
    port: int | None = None,
    start_s: float = 240,
    on_check: OnCheck = lambda _: None,
) -> tuple[Report, str]:
    """Starts the image as each contract's platform does, checks it, and ends it; gives the report and the containers' log.

    `port` is where its server listens when no platform chooses; None for one that hears PORT. A failed check does not
    raise. Raises EngineError where the engine cannot run the image at all.
    """
    book = Book(on_check=on_check)
    heard: dict[str, list[Any]] = {}
    logs = []
    for group in _groups(contracts, port):
        first = group[0]
        at = port if port is not None and not first.own_port else _PORT
        env = {name: value.format(port=at) for name, value in first.env.items()}
        began = time.perf_counter()
        with runner.run(image, limits=limits, env=env, port=at, command=first.command) as running:
            with Client(running.url) as client:
                starts = partial(_starts, running, client, first, began, start_s)
                hint = (
                    f"It was told port {at} as {', '.join(first.env) or 'PORT'}; --port N says where it always listens."
                )
                if book.check(f"{first.name}_starts", starts, hint=hint):
                    for contract in group:
                        _ask(book, client, contract, question, heard, image)
            ending = [(one.grace_s, one.name) for one in group if one.grace_s is not None]
            if ending:  # it ends once: within what the strictest platform gives
                grace_s, name = min(ending)
                book.check(f"{name}_sigterm", partial(_ends, running, grace_s))
            logs.append(running.logs())
    _compare(book, heard)
    return Report(checks=tuple(book.checks), image_size=image.size), "\n".join(logs)


def _groups(contracts: Sequence[Contract], port: int | None) -> list[list[Contract]]:
    """Contracts whose platforms start a container in the same way share one."""
    groups: dict[Any, list[Contract]] = {}
    for contract in contracts:
        chosen = contract.own_port or port is None
        groups.setdefault((chosen, contract.command, tuple(contract.env.items())), []).append(contract)
    return list(groups.values())


def _ask(
    book: Book,
    client: Client,
    contract: Contract,
    question: Question,
    heard: dict[str, list[Any]],
    image: Image | None = None,
) -> None:
    """One contract's checks; none but the first where nothing tells what to ask."""
    found: list[Subject] = []
    known = partial(_known, client, contract, question, image, found)
    if not book.check(f"{contract.name}_model", partial(_judged, known), hint=_TELL):
        return
    session = Session(client=client, subject=found[0], heard=heard)
    for name, promise in contract.checks(found[0]):
        book.check(name, partial(_judged, partial(promise, session)))


def _judged(promise: Callable[[], str]) -> str:
    """What the promise saw; raises BrokenPromiseError also for an answer that is not of the form that it reads."""
    try:
        return promise()
    except _STUMBLES as error:
        said = f"{type(error).__name__}: {error}"
        raise BrokenPromiseError(f"an answer is not of the contract's form ({said[:200]})") from error


def _known(client: Client, contract: Contract, question: Question, image: Image | None, found: list[Subject]) -> str:
    card = question.card
    if card is None:
        card = _card(client)
    subject = find_subject(
        client,
        card=card,
        request=question.request,
        name=question.name,
        platform=None if image is None else image.platform,
        labels=None if image is None else image.labels,
    )
    if contract.named and subject.name is None:
        raise BrokenPromiseError("the service does not tell its model's name")
    if contract.asks and not subject.rows:
        raise BrokenPromiseError(f"nothing tells what {subject.name or 'the model'} takes")
    found.append(subject)
    return f"{subject.name or 'a model'}, {len(subject.rows)} rows"


def _card(client: Client) -> Mapping[str, Any] | None:
    """The card of mlpack's own images, where the service is one of ours."""
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
                return f"it answers, but {seen}"  # the checks of the contract say what that means
        if not running.alive():
            raise BrokenPromiseError(f"it ended by itself, exit code {running.stop(grace_s=0).code}; {seen}")
        time.sleep(0.05)
    raise BrokenPromiseError(f"not ready after {limit_s:.0f} s: {seen}")


def _ends(running: Running, grace_s: float) -> str:
    if not running.alive():
        raise BrokenPromiseError(f"it had ended by itself, exit code {running.stop(grace_s=0).code}")
    ended = running.stop(grace_s=grace_s)
    if ended.oom_killed or ended.code == 128 + 9:
        raise BrokenPromiseError(f"killed after {ended.seconds:.0f} s: it does not end on SIGTERM")
    return f"exit {ended.code} after {ended.seconds:.1f} s"


def _compare(book: Book, heard: Mapping[str, list[Any]]) -> None:
    """The same rows got the same predictions, whoever asked."""
    if len(heard) < 2:
        return
    first, *others = heard

    def agree() -> str:
        for other in others:
            found = difference(heard[other], heard[first], 1e-6)
            if found:
                raise BrokenPromiseError(f"{other} differs from {first}: {found}")
        return f"{', '.join(heard)}: the same numbers"

    book.check("contracts_agree", partial(_judged, agree))
