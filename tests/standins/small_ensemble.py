"""Small targets whose services call each other: each is a SmallTarget, and all note their calls in one list."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any, ClassVar

from mlpack.artifacts.release import Component, Release
from mlpack.artifacts.service import Address, Change, Cost, Endpoint, Live, Plan, Service, Staged
from mlpack.errors import DeployError
from mlpack.targets.base import EnsembleTarget, OnStep
from tests.standins.small_target import Answering, SmallTarget


class SmallService(SmallTarget, EnsembleTarget):
    """A service of the platform. `log` gets "NAME CALL" for each call that changes something.

    What a revision runs is what its Component says; a plan without a difference changes nothing.
    """

    name = "small"
    coordinator_settings: ClassVar[frozenset[str]] = frozenset({"env"})
    member_settings: ClassVar[Mapping[str, Any]] = {}

    def __init__(self, service: str, front: Answering, log: list[str]) -> None:
        super().__init__(front)
        self.service = service
        self.log = log
        self.revisions: dict[str, Component] = {}
        self.interrupt_at = ""  # a call during which the user presses Ctrl-C
        self.patience = 0  # calls of the step `broken` that still succeed
        self.exists = False

    def plan(self, release: Release) -> Plan:
        """The facts that differ from those of the current revision."""
        before = self._facts(self.revisions[self._serving.name]) if self._serving else {}
        after = self._facts(release.single(self.name))
        changes = tuple(
            Change(field=key, before=before.get(key, ""), after=after.get(key, ""))
            for key in {**before, **after}
            if before.get(key) != after.get(key)
        )
        plan = replace(
            super().plan(release), service=self.service, exists=self.exists, changes=changes,
            document=f"name: {self.service}\n",
            cost=Cost(currency="USD", idle_month=1.0, million_requests=2.0, basis="a test"),
            notes=(f"a note of {self.service}",),
        )  # fmt: skip
        return plan if changes or not self._serving else plan.already_live(self._live())

    def stage(self, plan: Plan, release: Release, on_step: OnStep) -> Staged:
        """One more revision, of this component."""
        self.exists = True
        staged = super().stage(plan, release, on_step)
        self.revisions[staged.revision] = release.single(self.name)
        return staged

    def restore(self, plan: Plan, on_step: OnStep) -> str:
        """As SmallTarget; a service that did not exist is gone."""
        self._noted("restore")
        outcome = super().restore(plan, on_step)
        self.exists = plan.exists
        return outcome or ("" if plan.exists else f"{self.service} was deleted again")

    def status(self) -> Service:
        """The revisions with what they call. Raises DeployError if the service does not exist."""
        if not self.exists:
            raise DeployError(f"there is no service {self.service}", hint="Deploy it.", code="deploy_missing")
        found = super().status()
        revisions = tuple(replace(one, calls=self.revisions[one.name].calls) for one in found.revisions)
        return replace(found, name=self.service, revisions=revisions)

    def route(self, shares: Mapping[str, int], on_step: OnStep) -> Service:
        """The revision with a share serves."""
        self._step("route")
        return super().route(shares, on_step)

    def delete(self, on_step: OnStep) -> None:
        """The service is gone."""
        self._step("delete")
        super().delete(on_step)
        self.exists = False

    def identity(self) -> str:
        """An account named like the service."""
        return f"{self.service}@small.example"

    def address(self) -> Address | None:
        """The front server."""
        return Address(url=self._front.url, audience=f"of {self.service}") if self.exists else None

    def serving(self) -> str:
        """The name of the revision with the traffic, "" for none."""
        return self._serving.name if self._serving else ""

    def _facts(self, component: Component) -> dict[str, str]:
        return {
            "image": component.image.id,
            **{f"env.{key}": value for key, value in component.env.items() if value is not None},
            **{f"calls.{key}": value for key, value in component.calls.items()},
            **({"callers": " ".join(component.callers)} if component.callers else {}),
        }

    def _live(self) -> Live:
        return Live(
            revision=self.serving(), image="", endpoint=Endpoint(url=self._front.url, closed=self.closed), open_to_all=True
        )  # fmt: skip

    def _step(self, name: str) -> None:
        self._noted(name)
        if self.broken == name and self.patience:
            self.patience -= 1
            return
        super()._step(name)

    def _noted(self, name: str) -> None:
        self.log.append(f"{self.service} {name}")
        if self.interrupt_at == name:
            raise KeyboardInterrupt


class SmallPlatform:
    """All services by name; they are made when they are asked for. `log` is the order of the calls."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self.log: list[str] = []
        self.services: dict[str, SmallService] = {}

    def service(self, name: str) -> SmallService:
        """The service of this name."""
        if name not in self.services:
            front = Answering(f"front of {name}", 404)
            self._stack.callback(front.close)
            made = self.services[name] = SmallService(name, front, self.log)
            self._stack.callback(made.close)
        return self.services[name]

    def serving(self) -> dict[str, str]:
        """The revisions with the traffic, by service."""
        return {name: one.serving() for name, one in self.services.items() if one.exists}


@contextmanager
def small_platform() -> Iterator[SmallPlatform]:
    """A platform for as long as the `with` lasts."""
    with ExitStack() as stack:
        yield SmallPlatform(stack)
