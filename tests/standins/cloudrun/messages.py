"""The clients' own messages as raw protobuf, which is copied, masked and packed; their types are not ours to check."""

from __future__ import annotations

from typing import Any

from google.auth import crypt as google_crypt
from google.auth import jwt as google_jwt
from google.cloud import artifactregistry_v1, run_v2

RUN: Any = run_v2
REGISTRY: Any = artifactregistry_v1
JWT: Any = google_jwt
CRYPT: Any = google_crypt

Service: Any = RUN.Service.pb()
Revision: Any = RUN.Revision.pb()
Condition: Any = RUN.Condition.pb()
TrafficTarget: Any = RUN.TrafficTarget.pb()
TrafficTargetStatus: Any = RUN.TrafficTargetStatus.pb()
Repository: Any = REGISTRY.Repository.pb()
OperationMetadata: Any = REGISTRY.OperationMetadata.pb()


def copied(message: Any) -> Any:
    """A copy that nobody else holds."""
    copy = type(message)()
    copy.CopyFrom(message)
    return copy
