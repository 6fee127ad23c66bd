"""The Revisions API, and how a template becomes one."""

from __future__ import annotations

import secrets
import string
import threading
import uuid
from collections.abc import Callable
from typing import Any

from docker.errors import DockerException

from . import conditions
from .errors import ApiError
from .launching import Launching
from .messages import RUN, Revision, copied
from .operations import Operations
from .pools import Pool

SHARED = [
    name for name in RUN.RevisionTemplate.pb().DESCRIPTOR.fields_by_name if name in Revision.DESCRIPTOR.fields_by_name
]


class Revisions:
    """All revisions by name, with the pools of those that ever came up."""

    def __init__(self, lock: threading.RLock, operations: Operations, launching: Launching, endpoint: str) -> None:
        self._lock, self._operations, self.launching, self._endpoint = lock, operations, launching, endpoint
        self._all: dict[str, Any] = {}
        self._pools: dict[str, Pool] = {}
        self.in_use: Callable[[str], str] = lambda _name: ""  # why a revision cannot be deleted

    def handlers(self) -> dict[str, Callable[[Any], Any]]:
        """The calls by name."""
        return {
            "Revisions.GetRevision": self.get,
            "Revisions.ListRevisions": self.list,
            "Revisions.DeleteRevision": self.delete,
        }

    def get(self, request: Any) -> Any:
        """A revision as it is now."""
        with self._lock:
            return copied(self._find(request.name))

    def list(self, request: Any) -> Any:
        """A service's revisions (`services/-`: of all), the newest first."""
        answer = RUN.ListRevisionsResponse.pb()()
        prefix = request.parent.removesuffix("/-") + "/"
        with self._lock:
            found = [each for name, each in self._all.items() if name.startswith(prefix)]
        for each in reversed(found):
            answer.revisions.append(each)
        return answer

    def delete(self, request: Any) -> Any:
        """A revision that neither serves nor is the latest."""
        with self._lock:
            revision = self._find(request.name)
            if why := self.in_use(request.name):
                raise ApiError(
                    "FAILED_PRECONDITION", f"Revision '{short(request.name)}' can not be deleted because {why}."
                )
            parent = request.name.partition("/services/")[0]
            if request.validate_only:
                return self._operations.done(parent, revision)

        def work() -> Any:
            with self._lock:
                self._all.pop(request.name, None)
                pool = self._pools.pop(request.name, None)
            if pool:
                pool.stop()
            return revision

        return self._operations.start(parent, copied(revision), work)

    def check_name(self, service: Any) -> None:
        """Refuse a template's own name for its revision where that is taken."""
        wanted = service.template.revision
        if not wanted:
            return
        if not wanted.startswith(f"{short(service.name)}-"):
            raise ApiError(
                "INVALID_ARGUMENT", f"template.revision: '{wanted}' must be prefixed by the name of the service."
            )
        if f"{service.name}/revisions/{wanted}" in self._all:
            raise ApiError("ALREADY_EXISTS", f"Revision named '{wanted}' with different configuration already exists.")

    def make(self, service: Any) -> Any:
        """The revision of a service's template, not started yet."""
        chosen = "".join(secrets.choice(string.ascii_lowercase) for _ in range(3))
        name = service.template.revision or f"{short(service.name)}-{service.generation:05d}-{chosen}"
        revision = Revision(name=f"{service.name}/revisions/{name}", service=service.name, generation=1)
        for field in SHARED:
            value = getattr(service.template, field)
            if hasattr(value, "MergeFrom") or hasattr(value, "extend"):
                getattr(revision, field).MergeFrom(value)
            else:
                setattr(revision, field, value)
        revision.uid, revision.etag, revision.creator = str(uuid.uuid4()), f'"{uuid.uuid4().hex[:16]}"', service.creator
        revision.log_uri = f"{self._endpoint}/standin/logs/{revision.name}"
        revision.create_time.GetCurrentTime()
        revision.update_time.GetCurrentTime()
        conditions.begin_revision(revision)
        self._all[revision.name] = revision
        return revision

    def start(self, revision: Any) -> Pool:
        """Pull, run and probe it; its conditions tell how that went, and so does Failure."""
        working = copied(revision)
        failure = None
        try:
            pool = self.launching.pool(working)
        except conditions.Failure as error:
            failure = error
        except DockerException as error:
            failure = conditions.Failure(f"Internal error: {error}", reason="INTERNAL", code="INTERNAL")
        with self._lock:
            revision.CopyFrom(working)  # the image with the digest that was pulled
            conditions.settle_revision(revision, failure)
            revision.update_time.GetCurrentTime()
            if failure is None:
                self._pools[revision.name] = pool
        if failure is not None:
            raise failure
        return pool

    def pool(self, name: str) -> Pool | None:
        """The pool of a revision that came up once."""
        return self._pools.get(name)

    def exists(self, name: str) -> bool:
        """Whether there is such a revision, well or not."""
        return name in self._all

    def by_name(self) -> dict[str, Pool]:
        """All pools by their revision's name."""
        with self._lock:
            return dict(self._pools)

    def forget(self, service: str) -> None:
        """Stop and forget all of a service's revisions."""
        with self._lock:
            names = [name for name in self._all if name.startswith(f"{service}/revisions/")]
            pools = [pool for name in names if (pool := self._pools.pop(name, None))]
            for name in names:
                del self._all[name]
        for pool in pools:  # nobody waits for the containers to hear SIGTERM
            threading.Thread(target=pool.stop, daemon=True, name=f"stop {pool.name}").start()

    def _find(self, name: str) -> Any:
        if name not in self._all:
            raise ApiError("NOT_FOUND", f"Resource '{short(name)}' of kind 'REVISION' in region was not found.")
        return self._all[name]


def short(name: str) -> str:
    """The last part of a resource's name."""
    return name.rpartition("/")[2]
