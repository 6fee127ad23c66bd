"""The front door: a loopback port for each service and each tag, with what Google's front end adds, refuses and cuts."""

from __future__ import annotations

import http.client
import secrets
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from . import policies
from .errors import ApiError
from .faults import Faults
from .identity import Identity
from .pools import Pool
from .site import Site

MAX_BODY = 32 << 20
HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "te", "upgrade", "proxy-connection", "trailer"}
TRACE = {"traceparent", "x-cloud-trace-context", "x-forwarded-for", "x-forwarded-proto", "forwarded"}  # its own words
CHUNK = 64 << 10


class FrontDoor(ThreadingHTTPServer):
    """One port; `tag` is the tag that it stands for, empty for the service's own."""

    daemon_threads = True
    request_queue_size = 512

    def __init__(self, site: Site, tag: str, identity: Identity, faults: Faults) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.site, self.tag, self.identity, self.faults = site, tag, identity, faults
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True, name=f"front {site.name} {tag}").start()

    @property
    def url(self) -> str:
        """What `uri` says."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def close(self) -> None:
        """Listen no more."""
        self.shutdown()
        self.server_close()

    def handle_error(self, *_: object) -> None:
        """A client that went away is no news."""


class _Handler(BaseHTTPRequestHandler):
    server: FrontDoor
    protocol_version = "HTTP/1.1"
    timeout = 3600

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def _handle(self) -> None:
        try:
            self._check_caller()
            if self.path.partition("?")[0] == "/healthz":  # Google's front end keeps it for itself
                self._say(404, "Error 404 (Not Found)!!1")
                return
            body = self._body()
            if body is not None:
                self._route(body)
        except ApiError as error:
            self._say(error.status, error.message)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_OPTIONS = _handle  # noqa: N815  # http.server's names

    def _check_caller(self) -> None:
        site = self.server.site
        if site.open_to_all:
            return
        login = self.headers.get("X-Serverless-Authorization") or self.headers.get("Authorization") or ""
        member = None
        try:
            member = self.server.identity.member(login, site.audiences)
        except ApiError:
            if not policies.may_invoke(site.policy, None):
                self._discard()
                raise ApiError("UNAUTHENTICATED", "The access token could not be verified") from None
        owner = member == f"serviceAccount:{self.server.identity.email}"
        if not owner and not policies.may_invoke(site.policy, member):
            self._discard()
            raise ApiError("PERMISSION_DENIED", "Your client does not have permission to get URL / from this server.")

    def _body(self) -> bytes | None:
        """The request's body; None when it was too large and that was told."""
        if "chunked" in self.headers.get("Transfer-Encoding", "").lower():
            parts, size = [], 0
            while length := int(self.rfile.readline().split(b";")[0], 16):
                size += length
                if size > MAX_BODY:
                    self._too_large()
                    return None
                parts.append(self.rfile.read(length))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(parts)
        length = int(self.headers.get("Content-Length") or 0)
        if length > MAX_BODY:
            self._too_large()
            return None
        return self.rfile.read(length)

    def _discard(self) -> None:
        """Read what is refused, in bounds, so that the client comes to read why; then hang up."""
        left = min(int(self.headers.get("Content-Length") or 0), 4 * MAX_BODY)
        while left > 0 and (part := self.rfile.read(min(left, CHUNK))):
            left -= len(part)
        self.close_connection = True

    def _too_large(self) -> None:
        self._discard()
        self._say(413, "Error 413 (Request Entity Too Large)!!1")

    def _route(self, body: bytes) -> None:
        tag, _, rest = self.headers.get("Host", "").partition("---")
        pool = self.server.site.enter(self.server.tag or (tag if rest else ""))
        if pool is None:
            self._say(404, "Error 404 (Not Found)!!1 The requested URL was not found on this server.")
            return
        try:
            if self.server.faults.strike("instance-errors", revision=pool.name):
                self._say(500, "Internal Server Error")
                return
            with pool.place() as instance:
                self._forward(pool, instance.port, body)
        finally:
            pool.leave()

    def _forward(self, pool: Pool, port: int, body: bytes) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=pool.timeout)
        try:
            connection.request(self.command, self.path, body or None, self._headers(body))
            answer = connection.getresponse()
        except TimeoutError:
            connection.close()
            self._say(504, "upstream request timeout")
            return
        except (OSError, http.client.HTTPException):
            connection.close()
            self._say(
                503,
                "The request failed because either the HTTP response was malformed or connection to the instance had an error.",
            )
            return
        try:
            self._answer(answer)
        finally:
            connection.close()

    def _headers(self, body: bytes) -> dict[str, str]:
        names = dict.fromkeys(name for name in self.headers if name.lower() not in HOP_BY_HOP | TRACE)
        headers = {name: ", ".join(self.headers.get_all(name, [])) for name in names}
        trace = self.headers.get("traceparent", "").split("-")[1:2] or [secrets.token_hex(16)]
        span = secrets.token_hex(8)
        headers["X-Cloud-Trace-Context"] = f"{trace[0]}/{int(span, 16)};o=1"
        headers["traceparent"] = f"00-{trace[0]}-{span}-01"
        headers["X-Forwarded-For"] = self.client_address[0]
        headers["X-Forwarded-Proto"] = "https"
        headers["Forwarded"] = f'for="{self.client_address[0]}";proto=https'
        if body or self.command in {"POST", "PUT", "PATCH"}:
            headers["Content-Length"] = str(len(body))
        return headers

    def _answer(self, answer: http.client.HTTPResponse) -> None:
        self.send_response_only(answer.status)
        sized = answer.getheader("Content-Length") is not None or self.command == "HEAD" or answer.status in {204, 304}
        for name, value in answer.getheaders():
            if name.lower() not in HOP_BY_HOP:
                self.send_header(name, value)
        if not sized:
            self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        while part := answer.read1(CHUNK):
            self.wfile.write(part if sized else f"{len(part):x}\r\n".encode() + part + b"\r\n")
        if not sized:
            self.wfile.write(b"0\r\n\r\n")

    def _say(self, status: int, text: str) -> None:
        content = f"<html><head><title>{status}</title></head><body>{text}</body></html>\n".encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/html; charset=UTF-8")
        self.send_header("Content-Length", str(len(content)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)


class Fronts:
    """The doors of a service, opened when asked for and kept, so that a tag's address does not change."""

    def __init__(self, opens: Callable[[str], FrontDoor]) -> None:
        self._opens = opens
        self._doors: dict[str, FrontDoor] = {}

    def url(self, tag: str = "") -> str:
        """The address of the service, or of a tag."""
        if tag not in self._doors:
            self._doors[tag] = self._opens(tag)
        return self._doors[tag].url

    def close(self) -> None:
        """Close them all."""
        for door in self._doors.values():
            door.close()
        self._doors.clear()
