"""Docker's HEALTHCHECK, run inside the container: exit 0 when GET /ready answers 200."""

from __future__ import annotations

import http.client
import os
import sys

from .settings import Settings, choose_port


def main() -> int:
    """Send the request to this container's own port; 1 for any other answer, or none."""
    connection = http.client.HTTPConnection("127.0.0.1", choose_port(Settings(), os.environ), timeout=4)
    try:
        connection.request("GET", "/ready")
        return 0 if connection.getresponse().status == 200 else 1
    except (OSError, http.client.HTTPException):
        return 1
    finally:
        connection.close()


if __name__ == "__main__":
    sys.exit(main())
