"""The work of a change: the new revision started, the traffic moved, what is no longer asked drained."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

from . import conditions
from .conditions import Failure
from .errors import ApiError
from .faults import Faults
from .messages import RUN, TrafficTarget, TrafficTargetStatus, copied
from .pools import Pool
from .revisions import Revisions, short
from .site import Routes

if TYPE_CHECKING:
    from .services import Record

LATEST = RUN.TrafficTargetAllocationType.TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST.value
REVISION = RUN.TrafficTargetAllocationType.TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION.value


class Rollout:
    """Takes a service from one state to the next, one change after the other."""

    def __init__(self, lock: threading.RLock, revisions: Revisions, faults: Faults) -> None:
        self._lock, self._revisions, self._faults = lock, revisions, faults

    def run(self, record: Record, wanted: Any, revision: Any) -> Any:
        """Do it; gives the service as it is then. ApiError is the operation's error."""
        with record.turn:
            self.pause()
            try:
                if revision is not None:
                    self._start(record, revision)
            except Failure as failure:
                raise self._failed(record, wanted, revision, failure, "ConfigurationsReady") from failure
            try:
                self._move(record, wanted)
            except Failure as failure:
                raise self._failed(record, wanted, revision, failure, "RoutesReady") from failure
            return self._settled(record, wanted, None, "")

    def pause(self) -> None:
        """An operation takes its time."""
        fault = self._faults.strike("slow-operation")
        time.sleep(float(fault.details.get("seconds", 5)) if fault else 0.05)

    def _start(self, record: Record, revision: Any) -> None:
        for code, kind in (("FAILED_PRECONDITION", "operation-failed-9"), ("INTERNAL", "operation-failed-13")):
            if self._faults.strike(kind):
                port = revision.containers[0].ports[0].container_port
                failure = Failure(
                    "The user-provided container failed to start and listen on the port defined provided by the"
                    f" PORT={port} environment variable within the allocated timeout. Logs for this revision might contain"
                    f" more information.\n\nLogs URL: {revision.log_uri}",
                    code=code,
                )
                with self._lock:
                    conditions.settle_revision(revision, failure)
                raise failure
        self._revisions.start(revision)
        with self._lock:
            record.resource.latest_ready_revision = revision.name

    def _move(self, record: Record, wanted: Any) -> None:
        """Have every revision that will be asked ready, then route, then drain the others."""
        shares: list[tuple[Pool, int]] = []
        tags: dict[str, Pool] = {}
        statuses = []
        for target in wanted.traffic or [TrafficTarget(type_=LATEST, percent=100)]:
            latest = target.type_ != REVISION
            name = (
                record.resource.latest_ready_revision if latest else f"{wanted.name}/revisions/{short(target.revision)}"
            )
            pool = self._ready(name, wanted=bool(target.percent or target.tag))
            shares.append((pool, target.percent))
            status = TrafficTargetStatus(type_=LATEST if latest else REVISION, percent=target.percent, tag=target.tag)
            if not latest:
                status.revision = short(name)
            if target.tag:
                tags[target.tag] = pool
                status.uri = record.fronts.url(target.tag)
            statuses.append(status)
        left = record.site.route(Routes(shares=tuple(shares), tags=tags))
        with self._lock:
            del record.resource.traffic_statuses[:]
            record.resource.traffic_statuses.extend(statuses)
        for pool in left:
            threading.Thread(target=pool.drain, args=(pool.timeout,), daemon=True, name=f"drain {pool.name}").start()

    def _ready(self, name: str, *, wanted: bool) -> Pool:
        pool = self._revisions.pool(name)
        if pool is not None:
            if wanted:
                pool.ensure()
            return pool
        if self._revisions.exists(name):
            raise Failure(f"Revision '{short(name)}' is not ready and cannot serve traffic.", reason="REVISION_FAILED")
        message = f"Revision '{short(name)}' does not exist or is deleted."
        raise Failure(message, reason="REVISION_FAILED", code="INTERNAL")

    def _failed(self, record: Record, wanted: Any, revision: Any, failure: Failure, part: str) -> ApiError:
        message = failure.message
        if part == "ConfigurationsReady":
            message = f"Revision '{short(revision.name)}' is not ready and cannot serve traffic. {message}"
        shown = Failure(message, reason=failure.reason, code=failure.code)
        self._settled(record, wanted, shown, part)
        return ApiError(failure.code, message)

    def _settled(self, record: Record, wanted: Any, failure: Failure | None, part: str) -> Any:
        """Write the end down, unless a later change was accepted meanwhile: then that one will."""
        with self._lock:
            record.site.open_to_all = record.resource.invoker_iam_disabled
            record.site.audiences = {record.resource.uri, *record.resource.custom_audiences}
            if record.resource.generation == wanted.generation:
                conditions.settle(record.resource, failure, part)
            return copied(record.resource)
