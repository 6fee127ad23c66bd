"""A Cloud Run service as the house sees it: its revisions, newest first, with their share of the traffic."""

from __future__ import annotations

from typing import Any

from mlpack.artifacts.service import Revision, Service
from mlpack.targets.cloudrun.access import Access
from mlpack.targets.cloudrun.traffic import RUN_NOTE, calls_of, served_of, shares_of, short

_MOST = 20


def service_of(service: Any, revisions: list[Any], access: Access) -> Service:
    """The service with its newest revisions, and every one that has traffic or a tag."""
    shares, tags, served = shares_of(service), _tags(service), served_of(service)
    ordered = sorted(revisions, key=lambda one: (_time(one.create_time), one.name), reverse=True)
    shown = [
        one
        for number, one in enumerate(ordered)
        if number < _MOST or short(one.name) in shares or short(one.name) in tags
    ]
    condition = service.terminal_condition
    return Service(
        target="cloudrun",
        name=short(service.name),
        url=str(service.uri),
        ready=condition.state.name == "CONDITION_SUCCEEDED",
        open_to_all=access.open_to_all if access.known or access.check_off else None,
        revisions=tuple(_revision(one, shares, tags, served) for one in shown),
        message=str(condition.message),
    )


def _revision(one: Any, shares: dict[str, int], tags: dict[str, list[str]], served: list[str]) -> Revision:
    name = short(one.name)
    ready = next((condition for condition in one.conditions if condition.type_ == "Ready"), None)
    good = ready is not None and ready.state.name == "CONDITION_SUCCEEDED"
    return Revision(
        name=name,
        percent=shares.get(name, 0),
        image=str(one.containers[0].image) if one.containers else "",
        ready=good,
        # A revision of another tool is assumed to have served.
        proven=name in served or RUN_NOTE not in one.annotations,
        made=_time(one.create_time),
        tags=tuple(tags.get(name, ())),
        message="" if good or ready is None else str(ready.message),
        log=str(one.log_uri),
        calls=calls_of(one),
    )


def _tags(service: Any) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for status in service.traffic_statuses:
        if status.tag:
            found.setdefault(short(status.revision or service.latest_ready_revision), []).append(str(status.tag))
    return found


def _time(value: Any) -> str:
    return value.isoformat(timespec="seconds") if value else ""
