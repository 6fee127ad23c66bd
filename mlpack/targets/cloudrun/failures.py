"""Translates Cloud Run's error messages: cause and remedy by text, and where the log is."""

from __future__ import annotations

import concurrent.futures
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from mlpack.errors import DeployError


@dataclass(frozen=True, kw_only=True)
class Known:
    """A known error: signs in its text, its code, its cause, its remedy."""

    signs: tuple[str, ...]
    code: str
    cause: str
    remedy: str


# Texts of Cloud Run, its conditions and the instance's own log, as users have reported them. The first that fits counts, so
# those that name a cause stand before the one that Cloud Run says of every start that fails.
KNOWN = (
    Known(
        signs=("exec format error", "must support amd64", "no matching manifest", "unsupported platform"),
        code="deploy_platform",
        cause="the image is not for linux/amd64",
        remedy="`mlpack build --platform linux/amd64`, then test and deploy that one.",
    ),
    Known(
        signs=("memory limit of", "memory limit exceeded", "out of memory", "out-of-memory", "oom"),
        code="deploy_memory",
        cause="an instance ran out of memory",
        remedy="Raise --memory; `mlpack test` reports the peak memory.",
    ),
    Known(
        signs=("quota", "memallocperproject", "cpuallocperproject", "resource_exhausted"),
        code="deploy_quota",
        cause="the project's quota in this region does not allow it",
        remedy="Use less --memory, --cpu or --max-instances, another --region, or request more quota "
        "(console.cloud.google.com/iam-admin/quotas).",
    ),
    Known(
        signs=("must have permission to read the image", "does not have access to the image", "image_unauthorized"),
        code="deploy_permission",
        cause="Cloud Run has no permission to read the image",
        remedy="Grant its service agent roles/artifactregistry.reader on the repository.",
    ),
    Known(
        signs=("permission denied on secret", "secrets_access_check_failed", "secret manager"),
        code="deploy_permission",
        cause="the service has no permission to read a secret",
        remedy="Grant its service account roles/secretmanager.secretAccessor on the secret.",
    ),
    Known(
        signs=("iam.serviceaccounts.actas", "act as service account", "actas"),
        code="deploy_permission",
        cause="this account has no permission to use that service account",
        remedy="Grant it roles/iam.serviceAccountUser on that account, or use another --service-account.",
    ),
    Known(
        signs=("image '", 'image "', "manifest unknown", "container_missing", "container image not found"),
        code="deploy_image",
        cause="Cloud Run does not find the image",
        remedy="Check that the repository still has this digest, then run `mlpack deploy` again: it pushes what is missing.",
    ),
    Known(
        signs=("does not exist or is deleted",),
        code="deploy_missing",
        cause="a revision that should get traffic no longer exists",
        remedy="`mlpack status` lists the existing revisions.",
    ),
    Known(
        signs=("startup probe", "progress_deadline_exceeded", "deadline exceeded"),
        code="deploy_slow_start",
        cause="the container did not answer its startup probe: it exited, or needs more time",
        remedy="See its log; `mlpack test` runs the same image here, and a large model starts faster with more --cpu.",
    ),
    Known(
        signs=(
            "failed to start and then listen",
            "failed to start and listen",
            "listen on the port",
            "health_check_container_error",
        ),
        code="deploy_port",
        cause="the container did not start, or does not listen on 0.0.0.0 at PORT",
        remedy="See its log; `mlpack test` runs the same image with the same rules here.",
    ),
)
_NOT_THE_IMAGE = re.compile(
    r"image ['\"].*?['\"].*not found|manifest unknown|container_missing|image not found", re.IGNORECASE
)
# REST errors begin with the request, whose address does not help the user.
_REQUEST = re.compile(r"^(GET|POST|PUT|PATCH|DELETE) https?://\S+: ")


def plain(error: Any) -> str:
    """What Google says, without the request that it was said to; of a refused login the words, without their JSON."""
    words = getattr(error, "message", None) or (error.args[0] if getattr(error, "args", None) else error)
    return _REQUEST.sub("", str(words))


def known(text: str) -> Known | None:
    """The known error that a text describes, None if there is none."""
    low = text.lower()
    for one in KNOWN:
        if one.code == "deploy_image" and not _NOT_THE_IMAGE.search(text):
            continue
        if any(sign in low for sign in one.signs):
            return one
    return None


def failed_revision(service: str, text: str, *, revision: str, log: str) -> DeployError:
    """A revision that does not become ready."""
    found = known(text)
    cause = found.cause if found else "its revision did not become ready"
    where = f" Its log: {log}" if log else ""
    error = DeployError(
        f"{service}: {cause}" + (f" ({revision})" if revision else ""),
        hint=f"{found.remedy if found else 'See its log.'}{where}",
        detail=text,
        code=found.code if found else "",
    )
    error.document = {"revision": revision or None, "log": log or None, "said": text}
    return error


@contextmanager
def api_errors(doing: str) -> Iterator[None]:
    """Translate Google's exceptions during a call; `doing` describes the call in messages."""
    from google.api_core import exceptions as google
    from google.auth.exceptions import GoogleAuthError

    try:
        yield
    except google.GoogleAPICallError as error:
        raise _call(error, doing) from error
    except (google.RetryError, ConnectionError) as error:
        raise _unreachable(doing, error) from error
    except GoogleAuthError as error:
        raise DeployError(
            f"{doing}: no Google credentials: {plain(error)}",
            hint="`gcloud auth application-default login`, or GOOGLE_APPLICATION_CREDENTIALS.",
            code="deploy_auth",
        ) from error
    except concurrent.futures.TimeoutError as error:
        raise DeployError(
            f"{doing} did not finish in time", hint="`mlpack status` shows the current state.", code="deploy_timeout"
        ) from error


def _call(error: Any, doing: str) -> DeployError:
    from google.api_core import exceptions as google

    text = plain(error)
    found = known(text)
    if isinstance(error, google.Unauthorized):
        return DeployError(
            f"{doing}: Google does not accept the login: {text}",
            hint="Log in again with `gcloud auth application-default login`.",
            code="deploy_auth",
        )
    if isinstance(error, google.Forbidden):
        return DeployError(
            f"{doing}: not allowed: {text}",
            hint=found.remedy
            if found and found.code == "deploy_permission"
            else "The account needs roles/run.admin "
            "(or roles/run.developer), roles/iam.serviceAccountUser and, for the push, roles/artifactregistry.writer.",
            code="deploy_permission",
        )
    if isinstance(error, google.NotFound):
        return DeployError(
            f"{doing}: not found: {text}", hint="Check --project, --region and --service.", code="deploy_missing"
        )
    if isinstance(error, google.Conflict):
        return DeployError(
            f"{doing}: someone else has changed the service in the meantime: {text}",
            hint="Look at the change with `mlpack status`, then deploy again, which makes a new plan.",
            code="deploy_conflict",
        )
    if isinstance(error, (google.ServiceUnavailable, google.DeadlineExceeded, google.GatewayTimeout)):
        return _unreachable(doing, error)
    if found is not None:
        return DeployError(f"{doing}: {found.cause}", hint=found.remedy, detail=text, code=found.code)
    if isinstance(error, google.BadRequest):
        return DeployError(
            f"{doing}: Cloud Run rejected it: {text}",
            hint="Correct the setting that the message names.",
            code="deploy_refused",
        )
    return DeployError(f"{doing}: {text}", hint="Try again; `mlpack status` shows the current state.")


def _unreachable(doing: str, error: Exception) -> DeployError:
    return DeployError(
        f"{doing}: Cloud Run does not answer: {plain(error)}",
        hint="Check the network, the proxy, the certificates and --api-endpoint.",
        code="deploy_unreachable",
    )
