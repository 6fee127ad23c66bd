"""The metadata server that a job on Google's machines asks: the project, the service account, its tokens."""

from __future__ import annotations

from typing import Any

from .identity import LIFE, Identity
from .json_door import Asked

ROOT = "/computeMetadata/v1/"
ACCOUNT = "instance/service-accounts/"


class Metadata:
    """Answers where GCE_METADATA_HOST and GCE_METADATA_IP name the stand-in, which nobody exports, and inside containers.

    `account` is the service account that asks; default: the one that deploys.
    """

    def __init__(self, identity: Identity, account: str = "") -> None:
        self._identity = identity
        self._account = account or identity.email

    def answer(self, asked: Asked) -> tuple[int, Any] | None:
        """A value by its path; a ping asks for the root alone. Without its header nothing is told."""
        if not asked.headers.get("Metadata-Flavor") or not (asked.path == "/" or asked.path.startswith(ROOT)):
            return None
        path = asked.path.removeprefix(ROOT).rstrip("/")
        if path == "project/project-id":
            return 200, self._identity.project
        if not path.startswith(ACCOUNT):
            return 200, ""
        what = path.removeprefix(ACCOUNT).partition("/")[2]
        if what == "token":
            token = self._identity.access_token()
            return 200, {"access_token": token, "expires_in": LIFE, "token_type": "Bearer"}
        if what == "identity":
            return 200, self._identity.id_token(asked.query["audience"], self._account)
        if what == "email":
            return 200, self._account
        return 200, {"email": self._account, "scopes": [], "aliases": ["default"]}
