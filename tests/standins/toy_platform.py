"""A small platform for containers with an HTTP API: it pulls images from a registry, runs them, and routes requests to one.

GET    /services/NAME                 the service: its URL, its revisions, which of them has the traffic
POST   /services/NAME/revisions       {"image", "colour", "run"}: pull, start, wait until it is ready; gives the revision
PUT    /services/NAME/traffic         {"revision": NAME or null}
DELETE /services/NAME[/revisions/R]
*      /serve/NAME/...                the service itself; answers carry the colour of their revision in a header
"""

from __future__ import annotations

import http.client
import itertools
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import docker
from docker.errors import DockerException

_START_S = 60


@dataclass(kw_only=True)
class Revision:
    """A running container."""

    name: str
    image: str
    image_id: str
    colour: str
    run: str
    container: str
    port: int


@dataclass(kw_only=True)
class Service:
    """The revisions of a service, the oldest first, and the name of the one with the traffic."""

    revisions: dict[str, Revision] = field(default_factory=dict)
    serving: str | None = None
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))


class Platform(ThreadingHTTPServer):
    """The platform, on a free port."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Request)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.services: dict[str, Service] = {}
        self._engine = docker.from_env(timeout=300)

    def start(self, wish: dict[str, str], number: int) -> Revision:
        """Pull the image by its digest from its registry, and run it; raises DockerException, TimeoutError."""
        repository, _, digest = wish["image"].partition("@")
        image = self._engine.images.pull(repository, tag=digest)  # with the login of Docker's config
        container: Any = self._engine.containers.run(  # type: ignore[call-overload]  # its stubs know no free port of one address
            wish["image"], detach=True, ports={"8080/tcp": ("127.0.0.1", None)}, environment={"PORT": "8080"}
        )
        try:
            container.reload()
            port = int(container.ports["8080/tcp"][0]["HostPort"])
            _wait(port)
        except BaseException:
            container.remove(force=True)
            raise
        return Revision(
            name=f"r{number}", image=wish["image"], image_id=str(image.id), colour=wish["colour"], run=wish["run"],
            container=str(container.id), port=port,
        )  # fmt: skip

    def remove(self, revision: Revision) -> None:
        """Remove the container."""
        self._engine.containers.get(revision.container).remove(force=True)

    def document(self, name: str) -> dict[str, Any]:
        """A service as JSON, the newest revision first."""
        service = self.services[name]
        revisions = [
            {"name": one.name, "image": one.image, "image_id": one.image_id, "colour": one.colour, "run": one.run,
             "url": f"http://127.0.0.1:{one.port}"}
            for one in reversed(service.revisions.values())
        ]  # fmt: skip
        return {"url": f"{self.url}/serve/{name}", "serving": service.serving, "revisions": revisions}


class _Request(BaseHTTPRequestHandler):
    server: Platform
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Write no log."""

    def do_GET(self) -> None:
        """Read a service, or send it a request."""
        self._answer()

    def do_POST(self) -> None:
        """Start a revision, or send the service a request."""
        self._answer()

    def do_PUT(self) -> None:
        """Move the traffic."""
        self._answer()

    def do_DELETE(self) -> None:
        """Remove a revision or the service."""
        self._answer()

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        kind, name, *rest = self.path.strip("/").split("/")
        if kind == "serve":
            self._forward(name, "/" + "/".join(rest), body)
            return
        services = self.server.services
        if name not in services and (self.command, rest) != ("POST", ["revisions"]):
            self._send(404, json.dumps({"error": f"no service {name}"}).encode())
            return
        try:
            self._change(services.setdefault(name, Service()), rest, json.loads(body or b"{}"))
        except (DockerException, TimeoutError) as error:
            self._send(400, json.dumps({"error": str(error)}).encode())
            return
        if self.command == "DELETE" and not rest:
            del services[name]
        self._send(200, json.dumps(self.server.document(name) if name in services else {}).encode())

    def _change(self, service: Service, rest: list[str], wish: dict[str, Any]) -> None:
        match self.command, rest:
            case "POST", ["revisions"]:
                made = self.server.start(wish, next(service.numbers))
                service.revisions[made.name] = made
            case "PUT", ["traffic"]:
                service.serving = wish["revision"]
            case "DELETE", ["revisions", name]:
                self.server.remove(service.revisions.pop(name))
            case "DELETE", []:
                for revision in service.revisions.values():
                    self.server.remove(revision)

    def _forward(self, name: str, path: str, body: bytes) -> None:
        service = self.server.services.get(name)
        revision = service.revisions.get(service.serving or "") if service else None
        if revision is None:
            self._send(404, b"{}")
            return
        connection = http.client.HTTPConnection("127.0.0.1", revision.port, timeout=30)
        headers = {"Content-Type": self.headers.get("Content-Type", "application/json")}
        connection.request(self.command, path, body or None, headers)
        answer = connection.getresponse()
        self._send(answer.status, answer.read(), {"X-Colour": revision.colour})
        connection.close()

    def _send(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for key, value in {
            "Content-Type": "application/json",
            "Content-Length": str(len(body)),
            **(headers or {}),
        }.items():
            self.send_header(key, value)
        self.end_headers()
        self.wfile.write(body)


def _wait(port: int) -> None:
    until = time.monotonic() + _START_S
    while not _ready(port):
        if time.monotonic() > until:
            raise TimeoutError("the container does not become ready")
        time.sleep(0.1)


def _ready(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", "/ready")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


@contextmanager
def toy_platform() -> Iterator[Platform]:
    """A running platform; its containers are removed at the end."""
    with Platform() as platform:
        thread = threading.Thread(target=platform.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield platform
        finally:
            platform.shutdown()
            thread.join()
            for service in platform.services.values():
                for revision in service.revisions.values():
                    platform.remove(revision)
