"""The v1 (Knative) face of what is there, to be read by gcloud: lists, services, revisions, policies."""

from __future__ import annotations

import re
from typing import Any

from google.iam.v1.iam_policy_pb2 import GetIamPolicyRequest
from google.protobuf import json_format

from .errors import ApiError
from .identity import Identity
from .json_door import Asked
from .messages import RUN
from .revisions import Revisions, short
from .services import Services

GROUP = "serving.knative.dev/v1"
STATES = {RUN.Condition.State.CONDITION_SUCCEEDED.value: "True", RUN.Condition.State.CONDITION_FAILED.value: "False"}


class Knative:
    """Answers gcloud's reads; a regional host name carries the region, as in `europe-west1-127.0.0.1`."""

    def __init__(self, services: Services, revisions: Revisions, identity: Identity) -> None:
        self._services, self._revisions, self._identity = services, revisions, identity

    def answer(self, asked: Asked) -> tuple[int, Any] | None:
        """A list, one by its name, or a policy; None for another path."""
        if asked.method != "GET":
            return None
        if found := re.fullmatch(r"/v1/(projects/[^/]+/locations/[^/]+/services/[^/:]+):getIamPolicy", asked.path):
            self._identity.check_access(asked.login)
            policy = self._services.get_policy(GetIamPolicyRequest(resource=found[1]))
            return 200, json_format.MessageToDict(policy)
        if found := re.fullmatch(r"/v1/projects/([^/]+)/locations/([^/]+)/(services)", asked.path):
            project, region, kind, name = found[1], found[2], found[3], ""
        elif found := re.fullmatch(rf"/apis/{GROUP}/namespaces/([^/]+)/(services|revisions)(?:/([^/]+))?", asked.path):
            project, region, kind, name = found[1], _region(asked), found[2], found[3] or ""
        else:
            return None
        self._identity.check_access(asked.login)
        every = self._all(f"projects/{project}/locations/{region}", kind)
        if name:
            return 200, self._one(every, name)
        wanted = dict(re.findall(r"([^\s,=]+)\s*=\s*([^\s,]+)", asked.query.get("labelSelector", "")))
        items = [one for one in every if wanted.items() <= one["metadata"]["labels"].items()]
        title = kind.removesuffix("s").capitalize()
        return 200, {"apiVersion": GROUP, "kind": f"{title}List", "metadata": {}, "items": items}

    def _all(self, parent: str, kind: str) -> list[Any]:
        services = self._services.list(RUN.ListServicesRequest.pb()(parent=parent)).services
        if kind == "services":
            return [service_of(each) for each in services]
        request = RUN.ListRevisionsRequest.pb()
        return [
            revision_of(revision)
            for each in services
            for revision in self._revisions.list(request(parent=each.name)).revisions
        ]

    def _one(self, every: list[Any], name: str) -> Any:
        found = next((one for one in every if one["metadata"]["name"] == name), None)
        if found is None:
            raise ApiError("NOT_FOUND", f"Resource '{name}' was not found.")
        return found


def service_of(service: Any) -> dict[str, Any]:
    """A service as v1 shows it."""
    template = service.template
    return {
        "apiVersion": GROUP,
        "kind": "Service",
        "metadata": {
            **_metadata(service),
            "annotations": {
                "run.googleapis.com/ingress": "all",
                "serving.knative.dev/creator": service.creator,
                "serving.knative.dev/lastModifier": service.last_modifier,
            },
        },
        "spec": {
            "template": {
                "metadata": {"labels": dict(template.labels), "annotations": _scaling(template)},
                "spec": _pod(template),
            },
            "traffic": [_target(each) for each in service.traffic] or [{"latestRevision": True, "percent": 100}],
        },
        "status": {
            "observedGeneration": int(service.observed_generation),
            "conditions": [_condition(each) for each in (service.terminal_condition, *service.conditions)],
            "latestCreatedRevisionName": short(service.latest_created_revision),
            "latestReadyRevisionName": short(service.latest_ready_revision),
            "traffic": [
                _target(each, latest=short(service.latest_ready_revision)) for each in service.traffic_statuses
            ],
            "url": service.uri,
            "address": {"url": service.uri},
        },
    }


def revision_of(revision: Any) -> dict[str, Any]:
    """A revision as v1 shows it."""
    metadata = _metadata(revision)
    labels = metadata["labels"] | {"serving.knative.dev/service": short(revision.service)}
    return {
        "apiVersion": GROUP,
        "kind": "Revision",
        "metadata": {**metadata, "labels": labels, "annotations": _scaling(revision)},
        "spec": _pod(revision),
        "status": {
            "observedGeneration": int(revision.observed_generation),
            "conditions": [_condition(each) for each in revision.conditions],
            "imageDigest": revision.containers[0].image,
            "logUrl": revision.log_uri,
        },
    }


def _metadata(resource: Any) -> dict[str, Any]:
    parts = resource.name.split("/")
    return {
        "name": parts[-1],
        "namespace": parts[1],
        "uid": resource.uid,
        "resourceVersion": resource.etag.strip('"'),
        "generation": int(resource.generation),
        "creationTimestamp": resource.create_time.ToJsonString(),
        "labels": {**resource.labels, "cloud.googleapis.com/location": parts[3]},
    }


def _scaling(template: Any) -> dict[str, str]:
    bounds = {"minScale": template.scaling.min_instance_count, "maxScale": template.scaling.max_instance_count}
    return {f"autoscaling.knative.dev/{name}": str(value) for name, value in bounds.items() if value}


def _pod(template: Any) -> dict[str, Any]:
    return {
        "containerConcurrency": template.max_instance_request_concurrency,
        "timeoutSeconds": int(template.timeout.seconds),
        "containers": [
            {
                "image": each.image,
                "ports": [{"name": port.name, "containerPort": port.container_port} for port in each.ports],
                "env": [{"name": one.name, "value": one.value} for one in each.env],
                "resources": {"limits": dict(each.resources.limits)},
            }
            for each in template.containers
        ],
    }


def _target(target: Any, latest: str = "") -> dict[str, Any]:
    shown: dict[str, Any] = {"percent": target.percent}
    if target.revision:
        shown["revisionName"] = target.revision
    else:
        shown["latestRevision"] = True
        if latest:
            shown["revisionName"] = latest
    if target.tag:
        shown["tag"] = target.tag
    if uri := getattr(target, "uri", ""):
        shown["url"] = uri
    return shown


def _condition(condition: Any) -> dict[str, Any]:
    shown = {
        "type": condition.type_,
        "status": STATES.get(condition.state, "Unknown"),
        "lastTransitionTime": condition.last_transition_time.ToJsonString(),
    }
    if condition.message:
        shown |= {"message": condition.message, "reason": "RevisionFailed"}
    return shown


def _region(asked: Asked) -> str:
    """The region in front of a regional host, else all."""
    found = re.match(r"([a-z]+-[a-z]+\d+)-", asked.host)
    return found[1] if found else "-"
