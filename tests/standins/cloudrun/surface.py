"""Every call that the stand-in answers, read out of the client packages: path, URL patterns, request and answer types."""

from __future__ import annotations

import re
import typing
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from google.cloud.artifactregistry_v1.services.artifact_registry.transports import grpc as registry_grpc
from google.cloud.artifactregistry_v1.services.artifact_registry.transports import rest_base as registry_rest
from google.cloud.run_v2.services.revisions.transports import grpc as revisions_grpc
from google.cloud.run_v2.services.revisions.transports import rest_base as revisions_rest
from google.cloud.run_v2.services.services.transports import grpc as services_grpc
from google.cloud.run_v2.services.services.transports import rest_base as services_rest

APIS: tuple[tuple[str, Any, Any], ...] = (
    (
        "google.cloud.run.v2.Services",
        services_grpc.ServicesGrpcTransport,
        services_rest._BaseServicesRestTransport,
    ),
    (
        "google.cloud.run.v2.Revisions",
        revisions_grpc.RevisionsGrpcTransport,
        revisions_rest._BaseRevisionsRestTransport,
    ),
    (
        "google.devtools.artifactregistry.v1.ArtifactRegistry",
        registry_grpc.ArtifactRegistryGrpcTransport,
        registry_rest._BaseArtifactRegistryRestTransport,
    ),
)
# All three clients ask for their operations here, under the version of their own API.
OPERATIONS = "google.longrunning.Operations"

Handlers = dict[str, Callable[[Any], Any]]


@dataclass(frozen=True, kw_only=True)
class Route:
    """One URL of a call: the method, the path as a pattern, which field of the request the body is (`*`: all)."""

    method: str
    pattern: re.Pattern[str]
    fields: tuple[str, ...]
    body: str

    def match(self, method: str, path: str) -> dict[str, str] | None:
        """The fields of the request that stand in the path, None for another call's path."""
        found = self.pattern.fullmatch(path) if method == self.method else None
        return dict(zip(self.fields, found.groups(), strict=True)) if found else None


@dataclass(frozen=True, kw_only=True)
class Call:
    """A call by its gRPC path, with the raw protobuf type of its request."""

    path: str
    request: Any
    routes: tuple[Route, ...]
    answer: Callable[[Any], Any]


def calls(handlers: Handlers) -> list[Call]:
    """The calls that have a handler, named `Services.CreateService`, those with the narrowest URL first."""
    found = [call for api in APIS for call in _calls(*api, handlers)]
    found.sort(key=lambda call: not any(":" in route.pattern.pattern for route in call.routes))
    return found


def _calls(name: str, grpc_transport: Any, rest_transport: Any, handlers: Handlers) -> Iterator[Call]:
    short = name.rpartition(".")[2]
    for inner in vars(rest_transport):
        method = inner.removeprefix("_Base")
        if inner == method or not (key := _handler(short, method, handlers)):
            continue
        stub = getattr(grpc_transport, re.sub(r"(?<!^)(?=[A-Z])", "_", method).lower())
        request = typing.get_args(typing.get_type_hints(stub.fget)["return"])[0][0]
        options = getattr(rest_transport, inner)._get_http_options()
        api = OPERATIONS if key.startswith("Operations.") else name
        yield Call(
            path=f"/{api}/{method}",
            request=request.pb() if hasattr(request, "pb") else request,  # proto-plus, or raw as IAM's are
            routes=tuple(_route(option) for option in options),
            answer=handlers[key],
        )


def _handler(api: str, method: str, handlers: Handlers) -> str | None:
    return next((key for key in (f"{api}.{method}", f"Operations.{method}") if key in handlers), None)


def _route(option: dict[str, str]) -> Route:
    """Turn `/v2/{parent=projects/*/locations/*}/services` into a pattern; a name holds no slash and no colon."""
    pattern, fields, at = "", [], 0
    for variable in re.finditer(r"{([\w.]+)=([^}]+)}", option["uri"]):
        fields.append(variable[1])
        inner = re.escape(variable[2]).replace(r"\*\*", "[^:]+").replace(r"\*", "[^/]+?")
        pattern += re.escape(option["uri"][at : variable.start()]) + f"({inner})"
        at = variable.end()
    return Route(
        method=option["method"].upper(),
        pattern=re.compile(pattern + re.escape(option["uri"][at:])),
        fields=tuple(fields),
        body=option.get("body", ""),
    )
