"""The Services API: what is accepted at once, and the work that goes on after the answer."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from google.iam.v1 import iam_policy_pb2

from . import checks, conditions, policies
from .errors import ApiError
from .faults import Faults
from .front import FrontDoor, Fronts
from .identity import Identity
from .messages import RUN, Service, copied
from .operations import Operations
from .revisions import Revisions
from .rollout import Rollout
from .site import Routes, Site


@dataclass(kw_only=True)
class Record:
    """A service: its resource, how it is asked, and the lock that lets one change after the other go on."""

    resource: Any
    site: Site
    fronts: Fronts
    turn: threading.Lock = field(default_factory=threading.Lock)


class Services:
    """All services by name."""

    def __init__(
        self,
        lock: threading.RLock,
        operations: Operations,
        revisions: Revisions,
        identity: Identity,
        faults: Faults,
        seed: int | None = None,
    ) -> None:
        self._lock, self._operations, self._revisions = lock, operations, revisions
        self._identity, self._faults, self._seed = identity, faults, seed
        self._rollout = Rollout(lock, revisions, faults)
        self.records: dict[str, Record] = {}

    def handlers(self) -> dict[str, Callable[[Any], Any]]:
        """The calls by name."""
        return {
            "Services.CreateService": self.create,
            "Services.GetService": self.get,
            "Services.ListServices": self.list,
            "Services.UpdateService": self.update,
            "Services.DeleteService": self.delete,
            "Services.GetIamPolicy": self.get_policy,
            "Services.SetIamPolicy": self.set_policy,
            "Services.TestIamPermissions": self.test_permissions,
        }

    def create(self, request: Any) -> Any:
        """A new service with its first revision."""
        checks.check_id(request.service_id)
        if request.service.name:
            raise checks.invalid("service.name: must be empty on create.")
        name = f"{request.parent}/services/{request.service_id}"
        resource = Service()
        resource.CopyFrom(request.service)
        resource.name, resource.uid, resource.creator = name, str(uuid.uuid4()), self._identity.email
        resource.create_time.GetCurrentTime()
        resource.launch_stage = resource.launch_stage or 4  # GA
        resource.ingress = resource.ingress or RUN.IngressTraffic.INGRESS_TRAFFIC_ALL.value
        with self._lock:
            if name in self.records:
                raise ApiError("ALREADY_EXISTS", f"Resource '{request.service_id}' already exists.")
            self._accept(resource, None)
            if request.validate_only:
                return self._operations.done(request.parent, resource)
            site = Site(name, self._seed)
            fronts = Fronts(lambda tag: FrontDoor(site, tag, self._identity, self._faults))
            record = Record(resource=resource, site=site, fronts=fronts)
            resource.uri = fronts.url()
            resource.urls.append(resource.uri)
            self.records[name] = record
        return self._go_on(record, None)

    def get(self, request: Any) -> Any:
        """A service as it is now."""
        with self._lock:
            return copied(self._record(request.name).resource)

    def list(self, request: Any) -> Any:
        """The services of a location (`-`: of all)."""
        answer = RUN.ListServicesResponse.pb()()
        with self._lock:
            for name, record in sorted(self.records.items()):
                if _in_location(name, request.parent):
                    answer.services.append(record.resource)
        return answer

    def update(self, request: Any) -> Any:
        """The masked fields, or all that a user may set, replaced; a new template is a new revision."""
        name = request.service.name
        with self._lock:
            if name not in self.records and request.allow_missing:
                parent, _, service_id = name.partition("/services/")
                create = RUN.CreateServiceRequest.pb()(parent=parent, service_id=service_id, service=request.service)
                create.service.name = ""
                return self.create(create)
            record = self._record(name)
            if request.service.etag and request.service.etag != record.resource.etag:
                raise _conflict(record.resource)
            wanted = _merged(record.resource, request)
            self._accept(wanted, record.resource)
            parent = name.partition("/services/")[0]
            if request.validate_only:
                return self._operations.done(parent, wanted)
            before = record.resource
            record.resource = wanted
        return self._go_on(record, before)

    def delete(self, request: Any) -> Any:
        """The service with its revisions and doors."""
        with self._lock:
            record = self._record(request.name)
            if request.etag and request.etag != record.resource.etag:
                raise _conflict(record.resource)
            parent = request.name.partition("/services/")[0]
            if request.validate_only:
                return self._operations.done(parent, record.resource)
            record.resource.reconciling = True
            record.resource.delete_time.GetCurrentTime()

        def work() -> Any:
            with record.turn:
                self._rollout.pause()
                with self._lock:
                    self.records.pop(request.name, None)
                record.site.route(Routes())  # a connection that is kept open must not wake it
                record.fronts.close()
                self._revisions.forget(request.name)
                return record.resource

        return self._operations.start(parent, copied(record.resource), work)

    def get_policy(self, request: Any) -> Any:
        """Who may do what with a service."""
        with self._lock:
            return copied(self._record(request.resource).site.policy)

    def set_policy(self, request: Any) -> Any:
        """Replace the policy."""
        with self._lock:
            site = self._record(request.resource).site
            public = any({"allUsers", "allAuthenticatedUsers"} & set(each.members) for each in request.policy.bindings)
            if public and self._faults.strike("policy-forbids-public"):
                raise ApiError(
                    "FAILED_PRECONDITION",
                    "One or more users named in the policy do not belong to a permitted customer, perhaps due to an"
                    " organization policy.",
                )
            site.policy = policies.replaced(site.policy, request.policy)
            return copied(site.policy)

    def test_permissions(self, request: Any) -> Any:
        """The caller is an administrator: it may all."""
        with self._lock:
            self._record(request.resource)
        return iam_policy_pb2.TestIamPermissionsResponse(permissions=request.permissions)

    def why_in_use(self, revision: str) -> str:
        """Why a revision cannot be deleted; empty when it can."""
        record = self._record(revision.partition("/revisions/")[0])
        if record.resource.latest_created_revision == revision:
            return "it is the latest created Revision"
        routed = {pool.name for pool in record.site.routes.pools()}
        return "it is currently serving traffic" if revision.rpartition("/")[2] in routed else ""

    def _record(self, name: str) -> Record:
        if name not in self.records:
            raise ApiError(
                "NOT_FOUND", f"Resource '{name.rpartition('/')[2]}' of kind 'SERVICE' in region was not found."
            )
        return self.records[name]

    def _accept(self, resource: Any, before: Any) -> None:
        """Check and number a wanted state; `before` is the one that it follows."""
        checks.check_service(resource)
        checks.default_template(resource.template)
        if self._faults.strike("quota"):
            raise ApiError(
                "RESOURCE_EXHAUSTED",
                "Quota violated: MemAllocPerProjectRegion requested: 34359738368 allowed: 21474836480; project may set a lower"
                " max instance count or memory limit.",
            )
        resource.generation = (before.generation if before is not None else 0) + 1
        resource.etag = f'"{uuid.uuid4().hex[:16]}"'
        resource.last_modifier = self._identity.email
        resource.update_time.GetCurrentTime()
        if before is None or resource.template != before.template:
            self._revisions.check_name(resource)
        conditions.begin(resource)

    def _go_on(self, record: Record, before: Any) -> Any:
        """Start the work of an accepted change."""
        with self._lock:
            resource = record.resource
            new = before is None or resource.template != before.template
            revision = self._revisions.make(resource) if new else None
            if revision is not None:
                resource.latest_created_revision = revision.name
            snapshot = copied(resource)
        parent = resource.name.partition("/services/")[0]
        return self._operations.start(parent, snapshot, lambda: self._rollout.run(record, snapshot, revision))


def _conflict(resource: Any) -> ApiError:
    return ApiError(
        "ABORTED",
        f"Conflict for resource '{resource.name.rpartition('/')[2]}': version was specified but current version is"
        f" '{resource.etag}'.",
    )


SETTABLE = (
    "description",
    "labels",
    "annotations",
    "client",
    "client_version",
    "ingress",
    "launch_stage",
    "binary_authorization",
    "template",
    "traffic",
    "scaling",
    "invoker_iam_disabled",
    "default_uri_disabled",
    "iap_enabled",
    "custom_audiences",
)


def _merged(current: Any, request: Any) -> Any:
    merged = copied(current)
    paths = list(request.update_mask.paths) or SETTABLE
    for path in paths:
        if path.partition(".")[0] not in SETTABLE:
            if path not in {"name", "etag"}:
                raise checks.invalid(f"update_mask: '{path}' cannot be updated.")
            paths = [one for one in paths if one != path]
    mask = type(request.update_mask)(paths=paths)
    mask.MergeMessage(request.service, merged, replace_message_field=True, replace_repeated_field=True)
    return merged


def _in_location(name: str, parent: str) -> bool:
    project, _, location = parent.partition("/locations/")
    return name.startswith(f"{project}/locations/" if location in {"-", ""} else f"{parent}/")
