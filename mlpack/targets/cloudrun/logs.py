"""The last lines that a revision wrote, out of Cloud Logging: Cloud Run's own conditions seldom say why a start failed."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

from mlpack.errors import UsageError
from mlpack.targets.cloudrun.endpoints import checked

_VARIABLE = "CLOUDSDK_API_ENDPOINT_OVERRIDES_LOGGING"
_LINES = 60
_PATIENCE_S = 10


def last_lines(credentials: Any, project: str, revision: str, environ: Mapping[str, str] = os.environ) -> str:
    """The lines in their order; "" where they cannot be read (that needs roles/logging.viewer)."""
    import requests
    from google.auth.exceptions import GoogleAuthError
    from google.auth.transport.requests import AuthorizedSession

    wanted = {
        "resourceNames": [f"projects/{project}"],
        "filter": f'resource.type="cloud_run_revision" AND resource.labels.revision_name="{revision}"',
        "orderBy": "timestamp desc",
        "pageSize": _LINES,
    }
    try:
        address = checked(environ.get(_VARIABLE, "")) or "https://logging.googleapis.com"
        with AuthorizedSession(credentials) as session:  # type: ignore[no-untyped-call]  # Google's library has no types
            answer = session.post(f"{address}/v2/entries:list", json=wanted, timeout=_PATIENCE_S)
        entries = answer.json().get("entries", []) if answer.status_code == 200 else []
    except (GoogleAuthError, requests.RequestException, UsageError, ValueError, AttributeError):
        return ""
    return "\n".join(_line(entry) for entry in reversed(entries))


def _line(entry: Mapping[str, Any]) -> str:
    payload = entry.get("jsonPayload")
    return str(entry.get("textPayload") or (json.dumps(payload, ensure_ascii=False) if payload else ""))
