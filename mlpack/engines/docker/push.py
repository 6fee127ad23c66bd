"""The push of an image to a registry through the engine, and its failures told apart."""

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
    """Push what the engine has under that name; gives the manifest's digest. Raises the RegistryError family.

    `login` instead of that of Docker's config.
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
            f"the push to {reference.name} ended without a digest", hint="See the engine's own log, then push again."
        )
    return digest


def failed_push(reference: Reference, text: str, *, login: Login | None = None) -> RegistryError:
    """A failed push, told apart by the words of the engine or the registry."""
    kind, why, registry = kind_of(text), cause(text), reference.registry
    known = login is not None or find_credentials(registry) is not None
    # Registries answer `denied` to a stranger as well; then it is the login that is missing.
    if kind == "login" or (kind == "denied" and not known):
        return RegistryAuthError(
            f"{registry} refused the login: {why}" if known else f"{registry} asks for a login: {why}",
            hint=f"{remedy(registry, login)}, then push again.",
            detail=text,
        )
    if kind in {"denied", "missing"}:
        return RegistryNotFoundError(
            f"{registry} has no repository {reference.repository!r} that this login may write to: {why}",
            hint="Make the repository there, or see to its spelling and the login's rights.",
            detail=text,
        )
    if kind == "network":
        return RegistryUnreachableError(
            f"{registry} cannot be reached from the engine: {why}",
            hint="See to the host and port, the engine's network, its proxy, and the certificates that it trusts.",
            detail=text,
        )
    return RegistryPushError(f"the push to {reference.name} broke off: {why}", hint="Push again.", detail=text)
