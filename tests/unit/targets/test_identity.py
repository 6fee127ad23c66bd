"""Whose identity asks a private service: each kind of Google credentials, read as Google's library reads them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import google.auth
import pytest
from google.auth import iam

from mlpack.targets.cloudrun.identity import identity_token
from tests.standins.google_tokens import ACCOUNT, GoogleTokens, jwt

AUDIENCE = "https://iris-abc.a.run.app"


@pytest.fixture
def cloud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[GoogleTokens]:
    """Google's services here, a machine that is none of Google's, and no gcloud."""
    made = GoogleTokens()
    monkeypatch.setattr(iam, "_IAM_IDTOKEN_ENDPOINT", made.url + "/v1/projects/-/serviceAccounts/{}:generateIdToken")
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)
    monkeypatch.setenv("GCE_METADATA_IP", "127.0.0.1:1")
    monkeypatch.setenv("GCE_METADATA_HOST", "127.0.0.1:1")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "demo")  # else federated credentials look for it on the internet
    yield made
    made.close()


def federated(cloud: GoogleTokens, folder: Path, **more: str) -> dict[str, Any]:
    """What the workflows of `mlpack init --ci` have: a CI's own token, exchanged."""
    (folder / "ci.token").write_text("a token of the CI")
    return {
        "type": "external_account", "audience": "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/x",
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt", "token_url": f"{cloud.url}/sts",
        "credential_source": {"file": str(folder / "ci.token")}, **more,
    }  # fmt: skip


def token_of(info: dict[str, Any], folder: Path, monkeypatch: pytest.MonkeyPatch, *, named: bool) -> str | None:
    """The identity token with these credentials, in the file that the variable names or in gcloud's own place."""
    file = folder / "application_default_credentials.json"
    file.write_text(json.dumps(info))
    if named:
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(file))
    credentials, _ = google.auth.default(scopes=["https://www.googleapis.com/auth/cloud-platform"])
    return identity_token(AUDIENCE, credentials)


def assert_of_the_account(token: str | None, cloud: GoogleTokens, by: str) -> None:
    assert token is not None
    claims = jwt.decode(token, verify=False)
    assert (claims["aud"], claims["email"]) == (AUDIENCE, ACCOUNT)
    path, login, body = next(one for one in cloud.asked if one[0].endswith(":generateIdToken"))
    assert (ACCOUNT in path, login) == (True, f"Bearer of {by}")
    assert json.loads(body)["includeEmail"] is True


@pytest.mark.parametrize("named", [True, False], ids=["variable", "gcloud"])
def test_workload_identity_asks_as_its_account(
    cloud: GoogleTokens, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, named: bool
) -> None:
    """The federated token itself asks for the account's identity."""
    url = f"{cloud.url}/v1/projects/-/serviceAccounts/{ACCOUNT}:generateAccessToken"
    info = federated(cloud, tmp_path, service_account_impersonation_url=url)
    assert_of_the_account(token_of(info, tmp_path, monkeypatch, named=named), cloud, "/sts")


@pytest.mark.parametrize("named", [True, False], ids=["variable", "gcloud"])
def test_an_impersonating_login_asks_as_its_account(
    cloud: GoogleTokens, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, named: bool
) -> None:
    """What `gcloud auth application-default login --impersonate-service-account` writes."""
    url = f"https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/{ACCOUNT}:generateAccessToken"
    info = {"type": "impersonated_service_account", "service_account_impersonation_url": url, "delegates": [],
            "source_credentials": cloud.key_file()}  # fmt: skip
    assert_of_the_account(token_of(info, tmp_path, monkeypatch, named=named), cloud, "/token")


def test_who_has_no_identity_is_told_so(cloud: GoogleTokens, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Federation without an account, and a person's login without gcloud: None, so that the deploy says `readiness`."""
    person = {"type": "authorized_user", "client_id": "c", "client_secret": "s", "refresh_token": "r"}
    for info in (federated(cloud, tmp_path), person):
        assert token_of(info, tmp_path, monkeypatch, named=True) is None
    assert cloud.asked == []
