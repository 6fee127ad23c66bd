"""A service and its way into production: Plan before anything happens, Staged on the way, Deployment at the end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

# What was asked of the place before it was called done: the golden request, only whether it is ready, nothing.
Proof = Literal["golden", "readiness", "none"]


@dataclass(frozen=True, kw_only=True)
class Change:
    """One line of a plan: a setting, what serves now ("" when nothing does), what will serve."""

    field: str
    before: str
    after: str

    def to_json(self) -> dict[str, str]:
        """The change as plain JSON values."""
        return {"field": self.field, "before": self.before, "after": self.after}


@dataclass(frozen=True, kw_only=True)
class Cost:
    """A rough price in `currency`: a month without requests, and a million requests; `basis` says of what it is made."""

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
    """What a deploy will do, told before it does anything.

    `exists` is false for a service that will be made. `document` is the whole service as `file_name` would hold it.
    `run` marks what this deploy makes, so that only that is taken away again. `before` and `wanted` are the target's own.
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
    live: Live | None = None  # what serves already, when nothing is to be changed
    with_traffic: tuple[str, ...] = ()  # the changes, by their field, that come with the traffic alone
    waiting: tuple[str, ...] = ()  # what those are called where they do not come
    before: Any = field(default=None, repr=False)
    wanted: Any = field(default=None, repr=False)

    def at(self, live: Live) -> Plan:
        """The plan when what it wants serves already."""
        return replace(self, live=live)

    def aside(self) -> Plan:
        """The plan when the release gets no traffic: what holds for all that serves stays as it is, and a note says so."""
        changes = tuple(change for change in self.changes if change.field not in self.with_traffic)
        if not self.waiting:
            return replace(self, changes=changes)
        note = (
            f"not changed without traffic, as what serves has it too: {', '.join(self.waiting)}; "
            "`mlpack deploy` with the same words does it when the traffic may move"
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
class Place:
    """Where a service is asked: its address, and the headers that let this caller in (a token, so never shown).

    `closed` says why nobody here can ask it; "" when it can be asked.
    """

    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    closed: str = ""


@dataclass(frozen=True, kw_only=True)
class Staged:
    """A release that is up and gets no traffic yet: `place` asks it alone, `serving` what serves now (None: nothing).

    `token_command` as Live has it.
    """

    revision: str
    place: Place
    serving: Place | None = None
    token_command: str = ""
    previous: str | None = None


@dataclass(frozen=True, kw_only=True)
class Live:
    """A revision that gets the traffic: `place` is the real address, `image` the reference, with digest, that runs.

    `open_to_all`: nobody needs a token; else `token_command` prints one, for a person's shell.
    """

    revision: str
    image: str
    place: Place
    open_to_all: bool
    token_command: str = ""
    previous: str | None = None


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """A release, and how it was proven. `asked` holds what was measured: milliseconds, counts.

    `share` is the command that gives its traffic to a release that was only staged; "" for one that serves.
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
    asked: Mapping[str, Any] = field(default_factory=dict)
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
            "asked": dict(self.asked),
            "notes": list(self.notes),
            "plan": self.plan.to_json(),
        }


@dataclass(frozen=True, kw_only=True)
class Revision:
    """One version of a service: its share of the traffic in percent, its tags, its image, whether it can serve.

    `proven` is false for a release that was tried and never got traffic: nobody should go back to it unasked.
    `made` is an RFC 3339 time; `message` says why it is not ready; `log` is a link, "" where there is none.
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
        }


@dataclass(frozen=True, kw_only=True)
class Service:
    """A service as it is now; its revisions newest first. `open_to_all` is None where nobody here may look that up."""

    target: str
    name: str
    url: str
    ready: bool
    open_to_all: bool | None
    revisions: tuple[Revision, ...]
    message: str = ""

    @property
    def serving(self) -> Revision | None:
        """The revision with most of the traffic, None when nothing gets any."""
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
