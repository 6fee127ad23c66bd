"""Cloud Run's Admin API: connected by gRPC or REST, with this machine's credentials, at its own or another address."""

from __future__ import annotations

import importlib.util
import os
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from mlpack.errors import DeployError, UsageError
from mlpack.targets.cloudrun.endpoints import checked

_VARIABLE = "CLOUDSDK_API_ENDPOINT_OVERRIDES_RUN"
_SCOPE = "https://www.googleapis.com/auth/cloud-platform"


@dataclass(frozen=True, kw_only=True)
class Api:
    """The clients of services and revisions, and the credentials that they use."""

    services: Any
    revisions: Any
    credentials: Any


def address_of(endpoint: str | None, environ: Mapping[str, str] = os.environ) -> str:
    """Where the Admin API is: `endpoint`, else CLOUDSDK_API_ENDPOINT_OVERRIDES_RUN, else "" for Google's own.

    Raises UsageError for plain http to another machine.
    """
    return checked(endpoint or environ.get(_VARIABLE, ""))


def find_credentials() -> Any:
    """This machine's credentials; makes no request. Raises UsageError without the extra, DeployError without any."""
    try:
        missing = importlib.util.find_spec("google.cloud.run_v2") is None
        import google.auth
        from google.auth.exceptions import GoogleAuthError
    except ImportError:
        missing = True
    if missing:
        raise UsageError(
            "the target cloudrun needs Google's client libraries",
            hint="Install them: pip install 'mlpack-cli[cloudrun]'.",
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about credentials without a quota project, which is no problem here
            return google.auth.default(scopes=[_SCOPE])[0]
    except GoogleAuthError as error:
        raise DeployError(
            f"no Google credentials: {error}",
            hint="`gcloud auth application-default login`, or GOOGLE_APPLICATION_CREDENTIALS.",
            code="deploy_auth",
        ) from error


def connect(credentials: Any, address: str, transport: str | None) -> Api:
    """The clients; REST for plain http, unless gRPC is configured."""
    from google.cloud import run_v2

    kind = transport or ("rest" if address.startswith("http://") else "grpc")
    words = _words("services", kind, address, credentials), _words("revisions", kind, address, credentials)
    return Api(
        services=run_v2.ServicesClient(**words[0]),
        revisions=run_v2.RevisionsClient(**words[1]),
        credentials=credentials,
    )


def _words(room: str, kind: str, address: str, credentials: Any) -> dict[str, Any]:
    """What a client is made with."""
    from google.api_core.client_options import ClientOptions

    if not address:
        return {"credentials": credentials, "transport": kind}
    parts = urlsplit(address)
    if kind == "rest":
        options = ClientOptions(api_endpoint=address)
        return {"credentials": credentials, "transport": "rest", "client_options": options}
    if parts.scheme == "https":
        options = ClientOptions(api_endpoint=parts.netloc)
        return {"credentials": credentials, "transport": "grpc", "client_options": options}
    return {"transport": _plain_channel(room, parts.netloc)}


def _plain_channel(room: str, host: str) -> Any:
    """GRPC to this machine without encryption, over which the library lets no credentials go."""
    import grpc
    from google.cloud.run_v2.services.revisions.transports import RevisionsGrpcTransport
    from google.cloud.run_v2.services.services.transports import ServicesGrpcTransport

    channel = grpc.insecure_channel(host)
    return (ServicesGrpcTransport if room == "services" else RevisionsGrpcTransport)(channel=channel)
