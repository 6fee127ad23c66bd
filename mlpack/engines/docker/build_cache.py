"""What a build leaves in BuildKit's cache that holds its context, taken away when it held a secret."""

from __future__ import annotations

import contextlib
import json
import re
import time
from typing import Any

from mlpack.artifacts.bundle_file import BundleFile
from mlpack.engines.docker.client import Client

_PATIENCE_S = 3.0  # until the engine has let go of a context whose build has ended
_ARCHIVE = "http url http://build-context-"
_UNPACKED = re.compile(r"fileop target$|copy /context /$")


def is_secret(file: BundleFile) -> bool:
    """Whether a file is for its owner's eyes alone, by its mode."""
    return not file.mode & 0o077


def sweep_contexts(client: Client) -> None:
    """Take the contexts of ended builds out of BuildKit's cache, those of builds that were killed too.

    A context comes as an archive and is unpacked; each stays as a record of the cache, which no later build can use, for
    the next context has another address. The steps' own records stay, so nothing is built anew. Tried on the engine 20.10.
    An engine that does not know how, or is gone, is no error here.
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
    """An archive as it came, or a copy that stands on nothing, which is how a context is unpacked."""
    described = str(record.get("Description", ""))
    parents = record.get("Parent") or record.get("Parents")
    return described.startswith(_ARCHIVE) or (not parents and _UNPACKED.match(described) is not None)


def _prune(client: Client, ids: list[str]) -> None:
    # The engine takes one id, which is a regular expression.
    filters = json.dumps({"id": [f"^({'|'.join(map(re.escape, ids))})$"]})
    answer = client._post(client._url("/build/prune"), params={"all": "1", "filters": filters})  # noqa: SLF001
    client._raise_for_status(answer)  # noqa: SLF001
