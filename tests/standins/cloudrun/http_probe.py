"""A startup probe over HTTP/1, as the container contract has it: 200 to 399 is well."""

from __future__ import annotations

import http.client
from typing import Any


def probe_http(port: int, wish: Any, timeout: float) -> bool:
    """Ask once; OSError and HTTPException mean no."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        connection.request("GET", wish.path or "/", headers={one.name: one.value for one in wish.http_headers})
        return 200 <= connection.getresponse().status < 400
    finally:
        connection.close()
