"""uvicorn, held to our habits: it leaves signals to us, ignores offers to upgrade, and adds no layer."""

from __future__ import annotations

import re
from contextlib import nullcontext
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

DRAIN_S = 7  # of the 10 s that platforms give between SIGTERM and SIGKILL
BACKLOG = 2048
_KEEP_ALIVE_S = 620  # longer than load balancers keep idle connections, so that they close first
_UPGRADE = re.compile(rb"\r\nupgrade:[^\r\n]*", re.IGNORECASE)


class Server(uvicorn.Server):
    """A server that stops when `should_exit` is set; its own handling would end the process by the signal, not with 0."""

    def install_signal_handlers(self) -> None:
        """Leave the signals alone (uvicorn before 0.29)."""

    def capture_signals(self) -> Any:
        """Leave the signals alone (uvicorn since 0.29)."""
        return nullcontext()


class Connection(HttpToolsProtocol):
    """A connection that does not see `Upgrade:`, as RFC 9110 allows (7.8).

    The parser would take such a request's body for the other protocol's first bytes, and Java's HTTP client offers h2c with
    every first request.
    """

    def data_received(self, data: bytes) -> None:
        """Parse, without the offer where a request's head begins."""
        if b"pgrade" in data and (self.cycle is None or not self.cycle.more_body):
            head, end, rest = data.partition(b"\r\n\r\n")
            data = _UPGRADE.sub(b"", head) + end + rest
        super().data_received(data)


def make_server(app: Any) -> Server:
    """A server of the ASGI application, all its modules imported; call its `serve(sockets=[...])`."""
    config = uvicorn.Config(
        app,
        http=Connection,
        ws="none",
        lifespan="off",
        interface="asgi3",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=DRAIN_S,
        backlog=BACKLOG,
    )
    config.load()
    return Server(config)
