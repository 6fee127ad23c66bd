"""The test of an ensemble: its containers together, the usual checks through the coordinator, and its answers recomputed."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import Any

from mlpack.artifacts.release import Verified
from mlpack.checks.batching import tolerance_of
from mlpack.checks.checklist import Checklist, FailedCheckError, OnCheck
from mlpack.checks.client import Client
from mlpack.checks.comparison import difference
from mlpack.checks.readiness import wait_ready
from mlpack.checks.requests import sample_rows
from mlpack.checks.smoke import Expectation, examine
from mlpack.engines.base import Limits, Runner, Running
from mlpack.ensembles.asking import ask_member
from mlpack.ensembles.assembly import Assembly, Built
from mlpack.ensembles.file import MemberEntry
from mlpack.ensembles.reference import reduced
from mlpack.errors import CheckFailedError, NotVerifiedError
from mlpack.pipeline.verify import expectation_of, failed_checks
from mlpack.runtime.ensembles.plan import url_variable
from mlpack.version import __version__

_ROWS = 8
_SHOWN = 3000  # characters of each log
_NOTICED_S = 30  # for the coordinator to notice that a member has stopped


@dataclass(frozen=True, kw_only=True)
class Results:
    """The receipt of the coordinator, and the end of the logs of all containers."""

    verified: Verified
    log: str


def verify(assembly: Assembly, built: Built) -> Verified:
    """Test the ensemble, and keep its receipt. Raises CheckFailedError if a check fails."""
    line = assembly.coordinator
    tools, options = line.tools, line.options
    tools.reporter.testing(f"{built.ensemble.name}: {', '.join(built.members)} and their coordinator")
    results = run_together(
        built, runner=tools.engine, limits=options.limits, expectation=expectation_of(line.config.test),
        on_check=tools.reporter.check,
    )  # fmt: skip
    report = results.verified.report
    place = tools.workspace.keep_receipt(results.verified, copy=options.receipt)
    tools.reporter.checked(report)
    if not report.ok:
        raise failed_checks(report, results.log, engine=tools.engine_name, receipt=place)
    return results.verified


def kept_receipt(assembly: Assembly, built: Built) -> Verified | None:
    """The stored receipt of a passed test of exactly these images.

    None if there is none, and for an ensemble with a service at a URL, whose model may be another one by now.
    """
    workspace = assembly.coordinator.tools.workspace
    try:
        verified = workspace.receipt(built.coordinator)
    except NotVerifiedError:
        return None
    same = verified.members == {name: image.id for name, image in built.members.items()}
    return verified if same and len(built.members) == len(built.ensemble.members) else None


def run_together(
    built: Built,
    *,
    runner: Runner,
    limits: Limits | None = None,
    expectation: Expectation | None = None,
    on_check: OnCheck = lambda _: None,
) -> Results:
    """Run the members and the coordinator in one network, and check the coordinator as any service.

    Then its answers are compared with those that the members give themselves, reduced here; and once more without one optional
    member, if there is one. A failed check is in the report and raises nothing. Raises EngineError if the engine cannot run
    the images, CheckFailedError for a member that does not start.
    """
    limits = limits or Limits()
    with ExitStack() as stack:
        network = stack.enter_context(runner.network())
        members = {name: stack.enter_context(_member(runner, built, name, limits, network)) for name in built.members}
        for name, running in members.items():
            _wait(name, running)
        report, log = examine(
            lambda: runner.run(
                built.coordinator,
                limits=limits,
                env={url_variable(name): running.address for name, running in members.items()},
                port=34871,  # not 8080, to detect a server that ignores PORT
                network=network,
            ),
            built.coordinator.card,
            expectation=expectation,
            on_check=on_check,
            further=lambda checklist, client: _Checks(built, members).run(checklist, client),
        )
        logs = {name: running.logs()[-_SHOWN:] for name, running in members.items()} | {"coordinator": log[-_SHOWN:]}
    now = datetime.now(timezone.utc).isoformat(timespec="seconds")
    report = replace(report, image_size=built.coordinator.size)
    ids = {name: image.id for name, image in built.members.items()}
    return Results(
        verified=Verified(image=built.coordinator, report=report, mlpack_version=__version__, time=now, members=ids),
        log="\n".join(f"{name}:\n{text}" for name, text in logs.items()),
    )


@contextmanager
def _member(runner: Runner, built: Built, name: str, limits: Limits, network: str) -> Iterator[Running]:
    with runner.run(built.members[name], limits=limits, env={}, port=8080, network=network) as running:
        yield running


def _wait(name: str, running: Running) -> None:
    """Wait until a member is ready. Raises CheckFailedError that names it."""
    try:
        problem = wait_ready(running)
    except CheckFailedError as error:
        raise CheckFailedError(
            f"the member {name} did not become ready: {error.message}", hint=error.hint, detail=error.detail
        ) from error
    if problem is not None:
        raise CheckFailedError(f"the member {name}: {problem.reason}", hint=problem.hint)


class _Checks:
    """The checks that only an ensemble has."""

    def __init__(self, built: Built, running: Mapping[str, Running]) -> None:
        self._ensemble = built.ensemble
        self._card = built.coordinator.card
        self._plan = built.described.fitted.plan
        self._running = running
        self._rows = sample_rows(self._card, _ROWS)

    def run(self, checklist: Checklist, client: Client) -> None:
        """All of them; the last one stops a member."""
        checklist.check("explain", lambda: self._explained(client))
        if self._plan["reducer"] in ("custom", "stack"):
            return
        checklist.check("equals_reducer", lambda: self._equal(client, ()))
        optional = [one for one in self._ensemble.members if not one.required and one.name in self._running]
        if optional:
            checklist.check(f"without_{optional[0].name}", lambda: self._without(client, optional[0]))

    def _explained(self, client: Client) -> str:
        answer = self._predict(client, "?explain=true")
        named = [one["member"] for one in answer.get("members") or []]
        asked = {one["name"] for one in self._plan["members"]} if self._plan["reducer"] != "cascade" else set(named[:1])
        if not named or not asked <= set(named):
            raise FailedCheckError(f"the answer explains {named}; the members are {sorted(asked)}")
        return ", ".join(f"{one['member']} {one['seconds'] * 1000:.0f} ms" for one in answer["members"])

    def _equal(self, client: Client, missing: Sequence[str]) -> str:
        answer = self._predict(client)
        if sorted(answer.get("missing") or []) != sorted(missing):
            raise FailedCheckError(f"missing are {answer.get('missing') or []}, expected {list(missing)}")
        outputs = {one["name"]: self._ask(one) for one in self._plan["members"] if one["name"] not in missing}
        wanted = reduced(self._plan, outputs)
        if problem := difference(answer["predictions"], wanted, max(1e-6, tolerance_of(self._card))):
            raise FailedCheckError(problem)
        return f"{len(wanted)} rows, {self._plan['reducer']} of {', '.join(outputs)}"

    def _ask(self, planned: Mapping[str, Any]) -> dict[str, list[Any]]:
        running = self._running.get(planned["name"])
        with Client(planned["url"] if running is None else running.url) as client:
            return ask_member(client, planned, self._card["signatures"][0], self._rows)

    def _without(self, client: Client, entry: MemberEntry) -> str:
        """Stop the member; the answers go on without it, and say so."""
        self._running[entry.name].stop(grace_s=10)
        until = time.monotonic() + _NOTICED_S
        while self._predict(client).get("missing") != [entry.name] and time.monotonic() < until:
            time.sleep(0.1)  # its last connections are being closed
        return self._equal(client, (entry.name,))

    def _predict(self, client: Client, query: str = "") -> Any:
        answer = client.post(f"/predict{query}", {"instances": self._rows})
        if answer.status != 200:
            raise FailedCheckError(f"{answer.status} {answer.text[:300]}")
        return answer.json()
