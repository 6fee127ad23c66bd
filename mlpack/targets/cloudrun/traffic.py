"""Where a Cloud Run service's traffic goes, read and written: shares by percent, addresses by tag."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

TAG = "mlpack"  # of a release that is verified before it gets traffic
RUN_NOTE = "mlpack.dev/run"  # which deploy made a revision: only that one takes it back
SERVED_NOTE = "mlpack.dev/served"  # the revisions that had the traffic, the newest first: where a rollback may go
CALLS_NOTE = "mlpack.dev/calls"  # the revisions of other services that were released with one that calls them
_REMEMBERED = 10


def shares_of(service: Any) -> dict[str, int]:
    """The percent of each revision that gets any, by its short name, as the service says it is now."""
    shares: dict[str, int] = {}
    for status in service.traffic_statuses:
        if status.percent:
            name = _named(service, status)
            shares[name] = shares.get(name, 0) + status.percent
    return shares


def serving_of(service: Any) -> str | None:
    """The revision with most of the traffic."""
    shares = shares_of(service)
    return max(shares, key=lambda name: shares[name]) if shares else None


def served_of(service: Any) -> list[str]:
    """The revisions that are known to have had traffic, the newest first."""
    return [name for name in service.annotations.get(SERVED_NOTE, "").split(",") if name]


def with_served(service: Any, names: list[str]) -> dict[str, str]:
    """The service's annotations when these revisions get the traffic, too."""
    served = list(dict.fromkeys([*names, *served_of(service)]))[:_REMEMBERED]
    return {**service.annotations, SERVED_NOTE: ",".join(served)}


def calls_of(revision: Any) -> dict[str, str]:
    """The revisions of other services that were released with this one (or its template), by their service."""
    pairs = (word.partition("=") for word in revision.annotations.get(CALLS_NOTE, "").split(",") if word)
    return {service: name for service, _, name in pairs}


def calls_note(calls: Mapping[str, str]) -> str:
    """The annotation that calls_of reads. Names of services and revisions have letters, digits and dashes only."""
    return ",".join(f"{service}={revision}" for service, revision in calls.items())


def tags_of(service: Any) -> dict[str, str]:
    """The revision of each tag, but for our own."""
    return {
        status.tag: _named(service, status) for status in service.traffic_statuses if status.tag and status.tag != TAG
    }


def tag_uri(service: Any) -> str:
    """The address of what is staged, "" when nothing is."""
    return next((str(status.uri) for status in service.traffic_statuses if status.tag == TAG), "")


def targets(shares: Mapping[str, int], tags: Mapping[str, str], *, staged: bool = False) -> list[Any]:
    """The traffic targets of an update: revisions by name, kept tags, and for a staged release the newest one under our tag."""
    from google.cloud import run_v2

    kinds = run_v2.TrafficTargetAllocationType
    by_name, newest = kinds.TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION, kinds.TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST
    wanted = [
        run_v2.TrafficTarget(type_=by_name, revision=name, percent=percent)
        for name, percent in shares.items()
        if percent
    ]
    wanted += [run_v2.TrafficTarget(type_=by_name, revision=name, tag=tag) for tag, name in sorted(tags.items())]
    if staged:
        wanted.append(run_v2.TrafficTarget(type_=newest, tag=TAG))
    return wanted


def _named(service: Any, status: Any) -> str:
    """A share of `latest` names no revision."""
    return short(status.revision or service.latest_ready_revision)


def short(name: str) -> str:
    """The last part of a resource name."""
    return str(name).rpartition("/")[2]
