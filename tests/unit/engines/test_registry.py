"""Names, error messages, logins and referrers of registries, against a stand-in with bearer tokens."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from mlpack.artifacts.references import parse_reference
from mlpack.engines.docker.base_images import base_images, failed_base
from mlpack.engines.docker.push import failed_push
from mlpack.errors import (
    BaseImageError,
    DiskFullError,
    RegistryAuthError,
    RegistryError,
    RegistryNotFoundError,
    RegistryPushError,
    RegistryUnreachableError,
    UsageError,
)
from mlpack.registries.credentials import Credentials, find_credentials, registry_header
from mlpack.registries.failures import kind_of
from mlpack.registries.referrers import attach, attachments, manifest_digest
from tests.standins.token_registry import PASSWORD, USER, token_registry

KIND = "application/vnd.mlpack.receipt+json"
MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
A = "sha256:" + "a" * 64


def login(folder: Path, registry: str, user: str, password: str) -> None:
    """Write a login as `docker login` does without a helper."""
    pair = base64.b64encode(f"{user}:{password}".encode()).decode()
    (folder / "config.json").write_text(json.dumps({"auths": {registry: {"auth": pair}}}))


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty DOCKER_CONFIG."""
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize(
    ("text", "registry", "repository", "tag", "digest"),
    [
        ("python:3.11-slim", "docker.io", "library/python", "3.11-slim", None),
        ("me/app", "docker.io", "me/app", None, None),
        ("docker.io/me/app:1", "docker.io", "me/app", "1", None),
        ("localhost/app", "localhost", "app", None, None),
        ("127.0.0.1:5000/a/b:1.0", "127.0.0.1:5000", "a/b", "1.0", None),
        (f"ghcr.io/a/b:1@{A}", "ghcr.io", "a/b", "1", A),
        (f"[::1]:5000/a@{A}", "[::1]:5000", "a", None, A),
    ],
)
def test_references(text: str, registry: str, repository: str, tag: str | None, digest: str | None) -> None:
    """A reference is taken apart as the docker CLI does."""
    found = parse_reference(text)
    assert (found.registry, found.repository, found.tag, found.digest) == (registry, repository, tag, digest)


@pytest.mark.parametrize("text", ["", "UPPER", "a b", "host:5000/", "a@sha256:12", "a:!", "https://host/a", "a@"])
def test_no_references(text: str) -> None:
    """What cannot name an image is refused."""
    with pytest.raises(UsageError, match="is not a valid image reference"):
        parse_reference(text)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("write /layer.tar: no space left on device", "disk"),
        ('Get "https://x/v2/": dial tcp: lookup x: no such host', "network"),
        ('Get "https://x/v2/": x509: certificate signed by unknown authority', "network"),
        ("net/http: request canceled while waiting for connection (Client.Timeout exceeded)", "network"),
        ("unauthorized: authentication required", "login"),
        ("no basic auth credentials", "login"),
        ("denied: Your authorization token has expired. Reauthenticate and try again.", "login"),
        ("denied: Unauthenticated request. Unauthenticated requests do not have permission", "login"),
        ("manifest for python:9 not found: manifest unknown: manifest unknown", "missing"),
        ('name unknown: Repository "ml" not found', "missing"),
        ("pull access denied for x/y, repository does not exist or may require 'docker login': denied", "missing"),
        ("denied: requested access to the resource is denied", "denied"),
        ('denied: Permission "artifactregistry.repositories.uploadArtifacts" denied on resource', "denied"),
        ("no matching manifest for linux/s390x in the manifest list entries", "platform"),
        ("the moon is full", "other"),
    ],
)
def test_kinds_of_errors(text: str, kind: str) -> None:
    """The words of engines and registries in use are sorted into kinds."""
    assert kind_of(text) == kind


def test_failures_have_their_class(config: Path) -> None:
    """A push and a base image fail with the class of their cause; `denied` to a stranger is a missing login."""
    name = parse_reference("ghcr.io/me/app:1")
    assert type(failed_push(name, "denied: denied")) is RegistryAuthError
    login(config, "ghcr.io", "me", "x")
    assert type(failed_push(name, "denied: denied")) is RegistryNotFoundError
    assert type(failed_push(name, "name unknown: no such repository")) is RegistryNotFoundError
    assert type(failed_push(name, "dial tcp 1.2.3.4:443: i/o timeout")) is RegistryUnreachableError
    assert type(failed_push(name, "blob upload invalid")) is RegistryPushError
    assert type(failed_base("python:9", "no space left on device")) is DiskFullError
    for words in ("no such host", "unauthorized", "manifest unknown", "no match for platform", "strange"):
        failure = failed_base("python:9", words)
        assert type(failure) is BaseImageError
        assert "python:9" in failure.message


def test_base_images() -> None:
    """FROM lines are found with their ARGs filled in; stages and scratch are none."""
    dockerfile = """ARG VERSION=3.11
ARG IMAGE="python"
from --platform=$BUILDPLATFORM ${IMAGE}:${VERSION}-slim as deps
RUN echo FROM nothing
FROM deps AS more
FROM scratch
FROM $UNKNOWN/x
FROM python:3.9-slim
"""
    assert base_images(dockerfile) == ("python:3.11-slim", "$UNKNOWN/x", "python:3.9-slim")


def test_credentials(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Logins come from the config's own entries, a token, or a helper; Docker Hub by its old address; none is None."""
    assert find_credentials("ghcr.io") is None
    assert json.loads(base64.urlsafe_b64decode(registry_header("ghcr.io"))) == {}
    login(config, "https://index.docker.io/v1/", "me", "p:w")
    assert find_credentials("docker.io") == Credentials(username="me", password="p:w")
    assert "p:w" not in repr(find_credentials("docker.io"))
    assert find_credentials("ghcr.io") is None
    (config / "config.json").write_text('{"auths": {"acr.io": {"auth": "eDp5", "identitytoken": "tok"}}}')
    assert find_credentials("acr.io") == Credentials(identity_token="tok")
    (config / "config.json").write_text('{"credHelpers": {"gcr.io": "nowhere"}}')
    monkeypatch.setenv("PATH", str(config))
    with pytest.raises(RegistryAuthError, match="nowhere"):
        find_credentials("gcr.io")
    assert json.loads(base64.urlsafe_b64decode(registry_header("gcr.io", needed=False))) == {}


def test_attachments_with_tokens_and_referrers(config: Path) -> None:
    """Where a registry hands out tokens and knows referrers, a document is attached and read with just these."""
    with token_registry() as registry:
        login(config, registry.name, USER, PASSWORD)
        digest = registry.put("app", MANIFEST, b'{"schemaVersion": 2}')
        reference = f"{registry.name}/app@{digest}"
        assert manifest_digest(reference) == digest
        assert attachments(reference, KIND) == []
        attach(
            reference, KIND, b'{"ok": true}', annotations={"org.opencontainers.image.created": "2024-01-01T00:00:00Z"}
        )
        assert attachments(reference, KIND) == [b'{"ok": true}']
        assert attachments(reference, "application/other") == []
        assert set(registry.tokens.values()) == {"repository:app:pull", "repository:app:pull,push"}
        # Neither a tag was written, nor the password sent to anything but the realm.
        assert not [path for method, path, _ in registry.seen if method == "PUT" and "manifests/sha256-" in path]
        assert {path.split("?")[0] for _, path, login_ in registry.seen if login_.startswith("Basic")} == {"/token"}


def test_refusals(config: Path) -> None:
    """A wrong password, no login, and a missing image are told apart."""
    with token_registry() as registry:
        reference = f"{registry.name}/app@{A}"
        with pytest.raises(RegistryAuthError, match="requires a login"):
            attachments(reference, KIND)
        login(config, registry.name, USER, "wrong")
        with pytest.raises(RegistryAuthError, match="refused the login"):
            attachments(reference, KIND)
        login(config, registry.name, USER, PASSWORD)
        with pytest.raises(RegistryNotFoundError, match="is not in its registry"):
            attach(reference, KIND, b"{}")
    with pytest.raises(RegistryUnreachableError, match="cannot be reached"):
        attachments(reference, KIND)
    with pytest.raises(UsageError, match="has no digest"):
        attach(f"{registry.name}/app:1", KIND, b"{}")


def test_a_changed_document_is_refused(config: Path) -> None:
    """What does not have the digest by which it was asked for is refused."""
    with token_registry() as registry:
        login(config, registry.name, USER, PASSWORD)
        reference = f"{registry.name}/app@{registry.put('app', MANIFEST, b'{}')}"
        attach(reference, KIND, b'{"ok": true}')
        blob = next(path for path, (_, body) in registry.stored.items() if body == b'{"ok": true}')
        registry.stored[blob] = ("", b'{"ok": fals}')
        with pytest.raises(RegistryError, match="has another digest"):
            attachments(reference, KIND)
