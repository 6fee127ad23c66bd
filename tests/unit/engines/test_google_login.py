"""The login to Google's registries: a token that is fetched when it is needed, and again when it is over."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mlpack.errors import RegistryAuthError
from mlpack.registries.artifact_registry import ArtifactRegistry, Repository
from mlpack.registries.credentials import remedy
from mlpack.registries.google_login import GoogleLogin
from tests.standins.google_tokens import GoogleTokens

REGISTRY = "europe-west1-docker.pkg.dev"


@pytest.mark.parametrize(("life", "fetched"), [(3600, 1), (60, 2)])
def test_a_token_that_is_over_is_fetched_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, life: int, fetched: int
) -> None:
    """A push may take longer than a token lives, and the receipt is hung on the image after it."""
    google = GoogleTokens()
    google.life = life
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    (tmp_path / "key.json").write_text(json.dumps(google.key_file()))
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "key.json"))
    login = GoogleLogin(always=True)
    try:
        for _ in range(2):
            found = login(REGISTRY)
            assert found is not None
            assert (found.username, found.password) == ("oauth2accesstoken", "of /token")
        assert "roles/artifactregistry.writer" in remedy(REGISTRY, login)
        assert len(google.asked) == fetched
        login.renew()
        login(REGISTRY)
        assert len(google.asked) == fetched + 1
    finally:
        google.close()


def test_no_credentials_are_told_with_the_command_that_makes_some(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the login, and by Artifact Registry itself, which is asked first."""
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "none.json"))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    for ask in (
        lambda: GoogleLogin(always=True)(REGISTRY),
        lambda: ArtifactRegistry().find(Repository(project="demo", location="europe-west1")),
    ):
        with pytest.raises(RegistryAuthError) as told:
            ask()
        assert (told.value.exit, told.value.code) == (7, "registry_auth")
        assert "gcloud auth application-default login" in told.value.hint
    assert GoogleLogin()(REGISTRY) is None
    assert remedy(REGISTRY, GoogleLogin()) == f"`docker login {REGISTRY}`"
