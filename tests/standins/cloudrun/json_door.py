"""The REST door: the calls' URLs with JSON bodies, on the one port that gRPC, tokens and faults answer on too."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from google.protobuf import json_format

from tests.standins.connect_proxy import tunnel

from .errors import ApiError
from .grpc_door import Guard
from .surface import Call, Route

PREFACE = b"PRI * HTTP/2"  # how HTTP/2, and so gRPC, begins
# Answers a request that is no call of the surface: method, path, query, headers, body -> status, JSON or text; None: not its own.
Extra = Callable[["Asked"], "tuple[int, Any] | None"]


class Asked:
    """A request over HTTP."""

    def __init__(self, method: str, url: str, headers: Any, body: bytes) -> None:
        parts = urlsplit(url)  # a proxy's client sends the absolute address
        self.method, self.path, self.headers, self.body = method, parts.path, headers, body
        self.host = parts.netloc or str(headers.get("Host", ""))
        self.query_text = parts.query
        self.query = dict(parse_qsl(parts.query, keep_blank_values=True))

    @property
    def login(self) -> str:
        """The Authorization header."""
        return str(self.headers.get("Authorization", ""))

    def json(self) -> Any:
        """The body as JSON."""
        try:
            return json.loads(self.body or b"{}")
        except ValueError as error:
            raise ApiError("INVALID_ARGUMENT", f"Invalid JSON payload received. {error}") from error


class JsonDoor(ThreadingHTTPServer):
    """Listens on a loopback port; what begins as HTTP/2 is handed to the gRPC server behind."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, port: int, calls: list[Call], guard: Guard, extras: list[Extra], grpc_port: int) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.calls, self.guard, self.extras, self.grpc_port = calls, guard, extras, grpc_port

    def start(self) -> None:
        """Serve on a thread of its own."""
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True, name="json-door").start()

    def handle_error(self, *_: object) -> None:
        """A client that went away is no news."""

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Look at the first bytes; they are left where they are."""
        if request.recv(len(PREFACE), socket.MSG_PEEK) == PREFACE:
            with socket.create_connection(("127.0.0.1", self.grpc_port)) as behind:
                tunnel(request, behind)
            return
        super().finish_request(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server: JsonDoor
    protocol_version = "HTTP/1.1"
    timeout = 600

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def _handle(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        asked = Asked(self.command, self.path, self.headers, body)
        try:
            status, answer = self._answer(asked)
        except ApiError as error:
            status, answer = error.status, error.body()
        except json_format.ParseError as error:
            refused = ApiError("INVALID_ARGUMENT", f"Invalid JSON payload received. {error}")
            status, answer = refused.status, refused.body()
        text = isinstance(answer, str)
        content = (answer if isinstance(answer, str) else json.dumps(answer)).encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/plain; charset=utf-8" if text else "application/json; charset=UTF-8")
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Metadata-Flavor", "Google")  # by which a client knows the metadata server
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _handle  # noqa: N815  # the names that http.server looks for

    def _answer(self, asked: Asked) -> tuple[int, Any]:
        for call in self.server.calls:
            for route in call.routes:
                found = route.match(asked.method, asked.path)
                if found is not None:
                    self.server.guard(asked.login, call.path)
                    answer = call.answer(_request(call, route, found, asked))
                    return 200, json_format.MessageToDict(answer)
        for extra in self.server.extras:
            other = extra(asked)
            if other is not None:
                return other
        raise ApiError("NOT_FOUND", f"The requested URL {asked.path} was not found on this server.")


def _request(call: Call, route: Route, found: dict[str, str], asked: Asked) -> Any:
    """Put path, query and body together to the request's message."""
    request = call.request()
    if route.body == "*":
        json_format.ParseDict(asked.json(), request)
    elif route.body:
        json_format.ParseDict(asked.json(), getattr(request, route.body))
    for name, value in asked.query.items():
        if not name.startswith("$") and name != "alt":
            _set(request, name, value)
    for name, value in found.items():
        _set(request, name, value)
    return request


def _set(message: Any, dotted: str, text: str) -> None:
    """Set a field, given as `service.name` or in JSON's spelling, from a word of the URL."""
    first, _, rest = dotted.partition(".")
    field = next((one for one in message.DESCRIPTOR.fields if first in {one.name, one.json_name}), None)
    if field is None:
        raise ApiError(
            "INVALID_ARGUMENT", f'Invalid JSON payload received. Unknown name "{dotted}": Cannot bind query parameter.'
        )
    if rest:
        _set(getattr(message, field.name), rest, text)
        return
    value: Any = text.lower() == "true" if field.type == field.TYPE_BOOL else text
    json_format.ParseDict({field.json_name: value}, message)
