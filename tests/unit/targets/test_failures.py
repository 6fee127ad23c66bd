"""Each failure of Cloud Run has a cause, a remedy and a code of its own."""

from __future__ import annotations

from typing import Any

import pytest
from google.api_core import exceptions
from google.auth import exceptions as auth_exceptions

from mlpack.errors import DeployError
from mlpack.targets.cloudrun.failures import KNOWN, api_errors, failed_revision, known

google: Any = exceptions  # its classes have no types
auth: Any = auth_exceptions
PORT = (
    "Revision 'iris-00002-abc' is not ready and cannot serve traffic. The user-provided container failed to start and listen on "
    "the port defined provided by the PORT=8080 environment variable within the allocated timeout. Logs for this revision might "
    "contain more information."
)
TEXTS = [
    (PORT, "deploy_port"),
    (f"{PORT} Memory limit of 512 MiB exceeded with 530 MiB used.", "deploy_memory"),
    (f"{PORT} exec format error", "deploy_platform"),
    (
        "The user-provided container failed the configured startup probe checks. Logs for this revision",
        "deploy_slow_start",
    ),
    ("Image 'europe-west1-docker.pkg.dev/demo/mlpack/iris@sha256:1' not found.", "deploy_image"),
    ("Quota exceeded for total allowable count of GPUs per project per region.", "deploy_quota"),
    ("Quota violated: MemAllocPerProjectRegion requested: 34359738368 allowed: 21474836480", "deploy_quota"),
    (
        "Google Cloud Run Service Agent must have permission to read the image, europe-west1-docker.pkg.dev/x",
        "deploy_permission",
    ),
    (
        "Permission denied on secret: projects/1/secrets/key/versions/latest for Revision service account",
        "deploy_permission",
    ),
    ("Permission 'iam.serviceaccounts.actAs' denied on service account runner@demo", "deploy_permission"),
    ("Revision 'iris-00001-xyz' does not exist or is deleted.", "deploy_missing"),
]


@pytest.mark.parametrize(("text", "code"), TEXTS, ids=[f"{code} {text[:30]}" for text, code in TEXTS])
def test_a_text_has_its_cause(text: str, code: str) -> None:
    """By its words, as users have reported them."""
    found = known(text)
    assert found is not None
    assert found.code == code
    error = failed_revision("iris", text, revision="iris-00002-abc", log="https://console.example/logs")
    assert (error.exit, error.code) == (8, code)
    assert "iris-00002-abc" in error.message
    assert "https://console.example/logs" in error.hint
    assert error.detail == text


def test_an_unknown_text_is_shown() -> None:
    """What nobody has seen before is told as it came, with the log."""
    error = failed_revision("iris", "The moon is in the wrong house.", revision="r", log="https://log")
    assert error.code == "deploy_failed"
    assert "moon" in error.detail
    assert "https://log" in error.hint


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (google.Unauthenticated("no"), "deploy_auth"),
        (google.PermissionDenied("no"), "deploy_permission"),
        (google.NotFound("no"), "deploy_missing"),
        (google.AlreadyExists("no"), "deploy_conflict"),
        (google.Aborted("no"), "deploy_conflict"),
        (google.Conflict("no"), "deploy_conflict"),
        (google.ServiceUnavailable("no"), "deploy_unreachable"),
        (google.ResourceExhausted("Quota exceeded"), "deploy_quota"),
        (google.InvalidArgument("template.containers[0]: bad"), "deploy_refused"),
        (google.InternalServerError("no"), "deploy_failed"),
    ],
)  # fmt: skip
def test_a_refused_call_has_its_code(error: Exception, code: str) -> None:
    """gRPC's and REST's names of the same refusal end in one code, with a remedy."""
    with pytest.raises(DeployError) as found, api_errors("updating iris"):
        raise error
    assert (found.value.exit, found.value.code) == (8, code)
    assert found.value.hint
    assert "updating iris" in found.value.message


def test_what_google_says_is_told_without_its_wrapping() -> None:
    """No address of a REST call with its encoding, no JSON beside a refused login's words."""
    with pytest.raises(DeployError) as found, api_errors("reading iris"):
        raise google.Forbidden("GET https://run.googleapis.com/v2/x?%24alt=json%3Benum: Permission 'run.x' denied")
    assert found.value.message == "reading iris: not allowed: Permission 'run.x' denied"
    with pytest.raises(DeployError) as found, api_errors("reading iris"):
        raise auth.RefreshError("invalid_grant: Bad Request", {"error": "invalid_grant"})
    assert (found.value.code, found.value.message) == (
        "deploy_auth", "reading iris: no Google credentials: invalid_grant: Bad Request",
    )  # fmt: skip


def test_every_known_failure_has_a_remedy() -> None:
    """A cause without a remedy helps nobody."""
    assert all(one.cause and one.remedy and one.signs for one in KNOWN)
