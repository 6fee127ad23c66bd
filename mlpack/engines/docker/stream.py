"""A long POST to the engine whose answer is a stream of JSON objects: a build, a pull, a push."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterable, Mapping
from typing import Any

from mlpack.engines.docker.client import PATIENCE, Client


def post_stream(
    client: Client,
    path: str,
    *,
    params: Mapping[str, Any],
    headers: Mapping[str, str] | None = None,
    body: Iterable[bytes] | None = None,
) -> Generator[dict[str, Any], None, None]:
    """The objects of the answer as they come; closing the generator drops the connection, which ends the work.

    There is no limit to the silence between two objects: a step of a build may say nothing for an hour.
    Raises the SDK's and requests' errors; see client.engine_errors.
    """
    response = client._post(  # noqa: SLF001  # the SDK's own methods for these fix a timeout and know no BuildKit
        client._url(path),  # noqa: SLF001
        params=params,
        headers=dict(headers or {}),
        data=body,
        stream=True,
        timeout=(PATIENCE, None),
    )
    try:
        client._raise_for_status(response)  # noqa: SLF001
        for line in response.iter_lines(chunk_size=64 * 1024):
            if line:
                yield json.loads(line)
    finally:
        response.close()
