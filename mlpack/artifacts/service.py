"""A service and its deployment: Plan, then Staged (without traffic), Live (with traffic), and Deployment, the result."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Any, Literal

# How a release was verified: by the golden request, only by its readiness, or not at all.
Proof = Literal["golden", "readiness", "none"]


@dataclass(frozen=True, kw_only=True)
class Change:
    """One line of a plan: a setting, its current value ("" if there is none), its new value."""

    field: str
    before: str
    after: str

    def to_json(self) -> dict[str, str]:
        """The change as plain JSON values."""
        return {"field": self.field, "before": self.before, "after": self.after}


@dataclass(frozen=True, kw_only=True)
class Cost:
    """An estimated price in `currency`: per month without requests, and per million requests; `basis` are the assumptions."""

    currency: str
    idle_month: float
    million_requests: float
    basis: str

    def to_json(self) -> dict[str, Any]:
        """The price as plain JSON values."""
        return {
            "currency": self.currency,
            "idle_month": round(self.idle_month, 2),
            "million_requests": round(self.million_requests, 2),
            "basis": self.basis,
        }


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a deployment will change.

    `exists` is false for a service that will be created. `document` is the whole service in the target's own format, with
    the file name `file_name`. `run` marks what this deployment creates, so that a rollback removes nothing else. `before`
    and `wanted` are the target's internal state.
    """

    target: str
    service: str
    exists: bool
    changes: tuple[Change, ...]
    document: str
    file_name: str
    run: str
    cost: Cost | None = None
    notes: tuple[str, ...] = ()
    live: Live | None = None  # the current revision, if there is nothing to change
    with_traffic: tuple[str, ...] = ()  # fields of changes that are made only when the traffic moves
    postponed: tuple[str, ...] = ()  # descriptions of these changes, for a note if the traffic does not move
    before: Any = field(default=None, repr=False)
    wanted: Any = field(default=None, repr=False)

    @property
    def changes_nothing(self) -> bool:
        """Whether the current revision is already what the plan asks for."""
        return self.live is not None

    def already_live(self, live: Live) -> Plan:
        """The plan for the case that the current revision needs no change."""
        return replace(self, live=live)

    def without_traffic(self) -> Plan:
        """The plan for a release without traffic: settings that affect the current revision are not changed."""
        changes = tuple(change for change in self.changes if change.field not in self.with_traffic)
        if not self.postponed:
            return replace(self, changes=changes)
        note = (
            f"not changed with --no-traffic, because it affects the current revision too: {', '.join(self.postponed)}; "
            "`mlpack deploy` with the same options, without --no-traffic, changes it"
        )
        return replace(self, changes=changes, notes=(*self.notes, note))

    def to_json(self) -> dict[str, Any]:
        """The plan as plain JSON values."""
        return {
            "target": self.target,
            "service": self.service,
            "exists": self.exists,
            "changes": [change.to_json() for change in self.changes],
            "cost": None if self.cost is None else self.cost.to_json(),
            "notes": list(self.notes),
        }


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """The address of a service or of one revision, and the headers that authenticate requests (never shown).

    A context manager: send requests inside `with`, to the URL and with the headers of the object that it returns. This class
    opens nothing. A target whose services need port forwarding returns a subclass, whose `__enter__` starts it and returns
    the local endpoint. `closed` is the reason why this machine cannot send requests; "" if it can.
    """

    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    closed: str = ""

    def __enter__(self) -> Endpoint:  # noqa: PYI034 - a subclass returns the endpoint that it has opened
        """Return the endpoint for requests; raises DeployError."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop what `__enter__` has started."""


@dataclass(frozen=True, kw_only=True)
class Address:
    """How other services call a service: its URL, and the `audience` of the identity tokens that it asks for ("": none)."""

    url: str
    audience: str = ""


@dataclass(frozen=True, kw_only=True)
class Staged:
    """A release that is ready and has no traffic: `endpoint` is its own, `serving` that of the current revision, if any.

    `token_command` has the same meaning as in Live.
    """

    revision: str
    endpoint: Endpoint
    serving: Endpoint | None = None
    token_command: str = ""
    previous: str | None = None


@dataclass(frozen=True, kw_only=True)
class Live:
    """A revision with traffic: `endpoint` is the service's, `image` the reference of its image with the digest.

    With `open_to_all`, requests need no token; else the shell command `token_command` prints one.
    """

    revision: str
    image: str
    endpoint: Endpoint
    open_to_all: bool
    token_command: str = ""
    previous: str | None = None


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """A release and how it was verified. `measured` holds the results of the requests: counts, milliseconds.

    `share` is the command that moves the traffic to a staged release; "" for a release with traffic.
    """

    target: str
    service: str
    url: str
    revision: str
    image: str
    verified: Proof
    previous: str | None
    command: str
    rollback: str
    plan: Plan
    share: str = ""
    measured: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The deployment as plain JSON values."""
        return {
            "target": self.target,
            "service": self.service,
            "url": self.url,
            "revision": self.revision,
            "image": self.image,
            "verified": self.verified,
            "previous": self.previous,
            "curl": self.command,
            "rollback": self.rollback,
            "share": self.share,
            "asked": dict(self.measured),
            "notes": list(self.notes),
            "plan": self.plan.to_json(),
        }


@dataclass(frozen=True, kw_only=True)
class Revision:
    """One version of a service: its share of the traffic in percent, its tags, its image, whether it can serve.

    `proven` is false for a release that never had traffic, which a rollback does not choose automatically. `made` is the
    RFC 3339 time of its creation; `message` is why it is not ready; `log` is a link, "" if there is none. `calls` is that of
    its Component: the revisions of other services that were released with it, by their service.
    """

    name: str
    percent: int
    image: str
    ready: bool
    proven: bool = True
    made: str = ""
    tags: tuple[str, ...] = ()
    message: str = ""
    log: str = ""
    calls: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The revision as plain JSON values."""
        return {
            "name": self.name,
            "percent": self.percent,
            "image": self.image,
            "ready": self.ready,
            "proven": self.proven,
            "made": self.made,
            "tags": list(self.tags),
            "message": self.message,
            "log": self.log,
            **({"calls": dict(self.calls)} if self.calls else {}),
        }


@dataclass(frozen=True, kw_only=True)
class Service:
    """The state of a service, its revisions newest first. `open_to_all` is None without permission to read it."""

    target: str
    name: str
    url: str
    ready: bool
    open_to_all: bool | None
    revisions: tuple[Revision, ...]
    message: str = ""

    @property
    def serving(self) -> Revision | None:
        """The revision with most of the traffic, None if none has any."""
        shared = [revision for revision in self.revisions if revision.percent]
        return max(shared, key=lambda revision: revision.percent, default=None)

    def to_json(self) -> dict[str, Any]:
        """The service as plain JSON values."""
        return {
            "target": self.target,
            "service": self.name,
            "url": self.url,
            "ready": self.ready,
            "public": self.open_to_all,
            "message": self.message,
            "revisions": [revision.to_json() for revision in self.revisions],
        }
