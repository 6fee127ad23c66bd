"""The service as `service.yaml` for `gcloud run services replace`, in Knative's format."""

from __future__ import annotations

import json
from typing import Any

from mlpack.targets.cloudrun.settings import INGRESS
from mlpack.targets.cloudrun.traffic import TAG, tags_of

_AUTOSCALING = "autoscaling.knative.dev"
_RUN = "run.googleapis.com"
# What a service may have beside what is written here; `replace` would take it away.
_NOT_OF_SERVICE = (
    "description", "binary_authorization", "scaling", "invoker_iam_disabled", "default_uri_disabled", "iap_enabled",
    "custom_audiences", "multi_region_settings",
)  # fmt: skip
_NOT_OF_TEMPLATE = (
    "volumes", "session_affinity", "encryption_key", "node_selector", "gpu_zonal_redundancy_disabled", "service_mesh",
    "health_check_disabled",
)  # fmt: skip
_NOT_OF_CONTAINER = ("volume_mounts", "readiness_probe", "depends_on", "base_image_uri")


def service_yaml(service: Any, name: str, *, region: str, there: Any | None = None) -> str:
    """The YAML text of a v2 service: template, traffic (all to the newest), access, ingress.

    What the service that is `there` has beside that is named in the file's head.
    """
    import yaml  # not for `mlpack deploy --help`

    template = service.template
    annotations = {
        f"{_AUTOSCALING}/minScale": template.scaling.min_instance_count or None,
        f"{_AUTOSCALING}/maxScale": template.scaling.max_instance_count or None,
        f"{_RUN}/cpu-throttling": template.containers[0].resources.cpu_idle,
        f"{_RUN}/startup-cpu-boost": template.containers[0].resources.startup_cpu_boost or None,
        f"{_RUN}/execution-environment": _word(template.execution_environment, "EXECUTION_ENVIRONMENT_"),
        f"{_RUN}/vpc-access-connector": template.vpc_access.connector or None,
        f"{_RUN}/vpc-access-egress": _egress(template.vpc_access),
        f"{_RUN}/network-interfaces": _interfaces(template.vpc_access),
        **dict(template.annotations),
    }
    document = {
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Service",
        "metadata": _kept(
            {
                "name": name,
                "labels": {"cloud.googleapis.com/location": region, **dict(service.labels)},
                "annotations": _texts(
                    {f"{_RUN}/ingress": _ingress(service), **(dict(there.annotations) if there is not None else {})}
                ),
            }
        ),
        "spec": {
            "template": {
                "metadata": _kept({"labels": dict(template.labels), "annotations": _texts(annotations)}),
                "spec": _kept(
                    {
                        "containerConcurrency": template.max_instance_request_concurrency or None,
                        "timeoutSeconds": int(template.timeout.total_seconds()) if template.timeout else None,
                        "serviceAccountName": template.service_account,
                        "containers": [_container(one) for one in template.containers],
                    }
                ),
            },
            "traffic": [{"latestRevision": True, "percent": 100}],
        },
    }
    head = f"# mlpack would deploy this: gcloud run services replace service.yaml --region {region}\n"
    note = (
        f"# (It also verifies the revision under the tag `{TAG}` before it gets traffic; this file alone does not.)\n"
    )
    if missing := left_out(template, there):
        note += (
            f"# This file omits settings that the service has and that `replace` would remove: {', '.join(missing)}.\n"
        )
    return head + note + yaml.safe_dump(document, sort_keys=False, width=120)


def _ingress(service: Any) -> str | None:
    words = {name: word for word, name in INGRESS.items()}
    return words.get(str(service.ingress.name))


def _egress(access: Any) -> str | None:
    return _word(access.egress, "") if access.connector or access.network_interfaces else None


def _interfaces(access: Any) -> str | None:
    found = [_kept({"network": one.network, "subnetwork": one.subnetwork}) for one in access.network_interfaces]
    return json.dumps(found) if found else None


def left_out(template: Any, there: Any | None) -> list[str]:
    """What a service has that its file does not say, by the API's names."""
    found = [*_set(template, _NOT_OF_TEMPLATE)]
    for container in template.containers:
        found += _set(container, _NOT_OF_CONTAINER)
    if there is not None:
        found += _set(there, _NOT_OF_SERVICE)
        found += ["tags"] if tags_of(there) else []
    return list(dict.fromkeys(found))


def _set(message: Any, names: tuple[str, ...]) -> list[str]:
    """Those of the names that a message has set to anything."""
    return [name for name in names if getattr(message, name)]


def _container(container: Any) -> dict[str, Any]:
    return _kept(
        {
            "name": container.name,
            "image": container.image,
            "command": list(container.command),
            "args": list(container.args),
            "workingDir": container.working_dir,
            "ports": [_kept({"name": port.name, "containerPort": port.container_port}) for port in container.ports],
            "resources": {"limits": dict(container.resources.limits)},
            "env": [_variable(variable) for variable in container.env],
            "startupProbe": _probe(container.startup_probe),
            "livenessProbe": _probe(container.liveness_probe),
        }
    )


def _probe(probe: Any) -> dict[str, Any] | None:
    ways = {
        "httpGet": probe.http_get.path and {"path": probe.http_get.path, "port": probe.http_get.port or None},
        "tcpSocket": probe.tcp_socket.port and {"port": probe.tcp_socket.port},
        "grpc": probe.grpc.port and {"port": probe.grpc.port, "service": probe.grpc.service},
    }
    method = {way: _kept(what) for way, what in ways.items() if what}
    times = {
        "initialDelaySeconds": probe.initial_delay_seconds or None,
        "periodSeconds": probe.period_seconds or None,
        "timeoutSeconds": probe.timeout_seconds or None,
        "failureThreshold": probe.failure_threshold or None,
    }
    return _kept({**method, **times}) if method else None


def _variable(variable: Any) -> dict[str, Any]:
    reference = variable.value_source.secret_key_ref
    if not reference.secret:
        return {"name": variable.name, "value": variable.value}
    return {
        "name": variable.name,
        "valueFrom": {"secretKeyRef": {"name": reference.secret, "key": reference.version}},
    }


def _texts(values: dict[str, Any]) -> dict[str, str]:
    """Annotations are texts; what is None is left out."""
    return {
        key: str(value).lower() if isinstance(value, bool) else str(value)
        for key, value in values.items()
        if value is not None
    }


def _kept(values: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value not in (None, "", {}, [])}


def _word(value: Any, prefix: str) -> str | None:
    name = str(getattr(value, "name", "") or "")
    return None if not name or name.endswith("UNSPECIFIED") else name.removeprefix(prefix).lower().replace("_", "-")
