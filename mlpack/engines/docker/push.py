"""The push of an image to a registry through the engine, and its errors."""

from __future__ import annotations

from contextlib import closing

from mlpack.artifacts.progress import OnProgress
from mlpack.artifacts.references import Reference
from mlpack.engines.docker.client import Client, explanation
from mlpack.engines.docker.layers import LayerProgress
from mlpack.engines.docker.stream import post_stream
from mlpack.errors import (
    RegistryAuthError,
    RegistryError,
    RegistryNotFoundError,
    RegistryPushError,
    RegistryUnreachableError,
)
from mlpack.registries.credentials import Login, find_credentials, registry_header, remedy
from mlpack.registries.failures import cause, kind_of


def push_image(client: Client, reference: Reference, on_progress: OnProgress, *, login: Login | None = None) -> str:
    """Push what the engine has under that name; return the manifest's digest. Raises RegistryError and its subclasses.

    `login` replaces the login in Docker's configuration.
    """
    from docker.errors import APIError

    layers = LayerProgress(on_progress)
    digest = ""
    answer = post_stream(
        client,
        f"/images/{reference.name}/push",
        params={"tag": reference.tag or "latest"},
        headers={"X-Registry-Auth": registry_header(reference.registry, login=login)},
    )
    try:
        with closing(answer):
            for item in answer:
                if "error" in item:
                    raise failed_push(
                        reference, str((item.get("errorDetail") or {}).get("message") or item["error"]), login=login
                    )
                if isinstance(item.get("aux"), dict):
                    digest = str(item["aux"].get("Digest") or digest)
                layers.take(item)
    except APIError as error:
        raise failed_push(reference, explanation(error), login=login) from error
    if not digest:
        raise RegistryPushError(
            f"the push to {reference.name} ended without a digest", hint="See the engine's log, then push again."
        )
    return digest


def failed_push(reference: Reference, text: str, *, login: Login | None = None) -> RegistryError:
    """The error for a failed push, by the message of the engine or the registry."""
    kind, why, registry = kind_of(text), cause(text), reference.registry
    known = login is not None or find_credentials(registry) is not None
    # Registries also answer `denied` to anonymous clients; then the login is missing.
    if kind == "login" or (kind == "denied" and not known):
        return RegistryAuthError(
            f"{registry} refused the login: {why}" if known else f"{registry} requires a login: {why}",
            hint=f"{remedy(registry, login)}, then push again.",
            detail=text,
        )
    if kind in {"denied", "missing"}:
        return RegistryNotFoundError(
            f"{registry} has no repository {reference.repository!r} that this login may write to: {why}",
            hint="Create the repository, or check its name and the permissions of the login.",
            detail=text,
        )
    if kind == "network":
        return RegistryUnreachableError(
            f"{registry} cannot be reached from the engine: {why}",
            hint="Check the host and port, the engine's network and proxy, and the certificates that it trusts.",
            detail=text,
        )
    return RegistryPushError(f"the push to {reference.name} failed: {why}", hint="Push again.", detail=text)
