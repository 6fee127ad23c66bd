"""Removes build contexts from BuildKit's build cache, after a build whose context contained a secret."""

from __future__ import annotations

import contextlib
import json
import re
import time
from typing import Any

from mlpack.artifacts.bundle_file import BundleFile
from mlpack.engines.docker.client import Client

_PATIENCE_S = 3.0  # how long an engine may still use the context of a build that has ended
_ARCHIVE = "http url http://build-context-"
_UNPACKED = re.compile(r"fileop target$|copy /context /$")


def is_secret(file: BundleFile) -> bool:
    """Whether only the owner may read the file, by its mode."""
    return not file.mode & 0o077


def sweep_contexts(client: Client) -> None:
    """Remove the contexts of ended builds, also of builds that were killed, from BuildKit's cache.

    A context arrives as an archive and is unpacked; both stay in the cache as records that no later build can use, because
    the next context has another address. The records of the build steps are kept, so nothing is built again. Tested with
    engine 20.10. An engine that does not support this, or has stopped, is no error here.
    """
    with contextlib.suppress(Exception):
        ends = time.monotonic() + _PATIENCE_S
        while True:
            found = [record for record in _records(client) if _holds_context(record)]
            idle = [str(record["ID"]) for record in found if not record.get("InUse")]
            if idle:
                _prune(client, idle)
            if len(idle) == len(found) or time.monotonic() > ends:
                return
            time.sleep(0.1)


def _records(client: Client) -> list[dict[str, Any]]:
    answer = client._get(client._url("/system/df"), params={"type": "build-cache"})  # noqa: SLF001  # the SDK's own has no type
    client._raise_for_status(answer)  # noqa: SLF001
    return answer.json().get("BuildCache") or []


def _holds_context(record: dict[str, Any]) -> bool:
    """An uploaded archive, or a copy without a parent, which is an unpacked context."""
    described = str(record.get("Description", ""))
    parents = record.get("Parent") or record.get("Parents")
    return described.startswith(_ARCHIVE) or (not parents and _UNPACKED.match(described) is not None)


def _prune(client: Client, ids: list[str]) -> None:
    # The engine accepts only one id, which is a regular expression.
    filters = json.dumps({"id": [f"^({'|'.join(map(re.escape, ids))})$"]})
    answer = client._post(client._url("/build/prune"), params={"all": "1", "filters": filters})  # noqa: SLF001
    client._raise_for_status(answer)  # noqa: SLF001
