"""Artifact Registry's data plane: a real docker-registry, the tokens it wants, and the door in front of it."""

from __future__ import annotations

import base64
import http.client
import json
import re
import subprocess
import threading
import time
import uuid
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests.engine.processes import until
from tests.engine.registries import answers
from tests.engine.shell import which

from .faults import Faults
from .identity import Identity
from .json_door import Asked

SERVICE, ISSUER = "mlpack-standin", "mlpack-standin"
USERS = {"oauth2accesstoken", "_json_key", "_json_key_base64"}
TOKEN_LIFE = 300
LEEWAY = 60  # docker-registry still takes a token that is over for so long
OVER = f'Bearer realm="{SERVICE}",service="{SERVICE}",error="invalid_token"'
CHUNK = 1 << 20


class Tokens:
    """The registry's token service: an access token in, a bearer token for some repositories out."""

    def __init__(self, identity: Identity, life: float = TOKEN_LIFE) -> None:
        self._identity, self._life = identity, life

    def answer(self, asked: Asked) -> tuple[int, Any] | None:
        """GET /registry/token?service=...&scope=repository:NAME:pull,push."""
        if asked.path != "/registry/token":
            return None
        if not self._known(asked.login):
            return 401, {"errors": [{"code": "UNAUTHORIZED", "message": "authentication failed"}]}
        query = parse_qsl(asked.query_text)
        wishes = [scope.split(":") for name, value in query if name == "scope" for scope in value.split(" ")]
        access = [
            {"type": each[0], "name": each[1], "actions": each[-1].split(",")} for each in wishes if len(each) == 3
        ]
        token = self.token(access)
        return 200, {"token": token, "access_token": token, "expires_in": int(self._life)}

    def token(self, access: list[dict[str, Any]]) -> str:
        """A bearer token that is good for `life` seconds."""
        now = int(time.time())
        end = int(now + self._life - LEEWAY)
        claims = {"iss": ISSUER, "sub": "deployer", "aud": SERVICE, "nbf": now - LEEWAY, "iat": now, "exp": end}
        return self._identity.signed({**claims, "jti": uuid.uuid4().hex, "access": access}, x5c=True)

    def _known(self, login: str) -> bool:
        kind, _, words = login.partition(" ")
        if kind.lower() != "basic":
            return False
        user, _, password = base64.b64decode(words).decode().partition(":")
        if user == "_json_key_base64":
            password = base64.b64decode(password).decode()
        if user.startswith("_json_key"):
            return bool(
                json.loads(password)["private_key"] == json.loads(self._identity.file.read_text())["private_key"]
            )
        return user in USERS and self._identity.knows(password)


def start_registry(folder: Path, port: int, realm: str, certificate: Path) -> subprocess.Popen[bytes]:
    """Debian's docker-registry on a loopback port; it ends with us."""
    token = {"realm": realm, "service": SERVICE, "issuer": ISSUER, "rootcertbundle": str(certificate)}
    config = folder / "registry.yml"
    config.write_text(
        json.dumps(
            {
                "version": "0.1",
                "log": {"level": "error", "accesslog": {"disabled": True}},
                "storage": {"filesystem": {"rootdirectory": str(folder / "registry")}, "delete": {"enabled": True}},
                "http": {"addr": f"127.0.0.1:{port}", "secret": SERVICE, "relativeurls": True},
                "auth": {"token": token},
            }
        )
    )
    program = which("docker-registry") or "docker-registry"
    killed_too = ["setpriv", "--pdeathsig", "TERM"] if which("setpriv") else []  # also when we are killed
    with (folder / "registry.log").open("wb") as log:
        process = subprocess.Popen(
            [*killed_too, program, "serve", str(config)], stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
    if not until(lambda: answers(port) or process.poll() is not None, 60) or process.poll() is not None:
        raise RuntimeError(f"docker-registry gives no answer: see {folder / 'registry.log'}")
    return process


class RegistryDoor(ThreadingHTTPServer):
    """Where engines push and pull: hands on to docker-registry, and says what only Artifact Registry would."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, port: int, behind: int, holds: Callable[[str], bool], faults: Faults) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.behind, self.holds, self.faults = behind, holds, faults
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True, name="registry").start()

    def handle_error(self, *_: object) -> None:
        """A client that went away is no news."""


class _Handler(BaseHTTPRequestHandler):
    server: RegistryDoor
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def _handle(self) -> None:
        path = urlsplit(self.path).path
        image = re.fullmatch(r"/v2/(.+?)/(manifests|blobs|tags|referrers)/.*", path)
        allowed = self.headers.get("Authorization")
        if image and allowed and not self.server.holds(image[1]):
            self._refuse(404, "NAME_UNKNOWN", f'Repository "{image[1].rpartition("/")[0]}" not found')
        elif image and allowed and self._manifest_put(image[2]) and self.server.faults.strike("push-401"):
            # Every layer is uploaded, and the token is over when the manifest comes.
            self._refuse(401, "UNAUTHORIZED", "authentication required", OVER)
        else:
            self._hand_on()

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = _handle  # noqa: N815  # http.server's names

    def _manifest_put(self, kind: str) -> bool:
        return self.command == "PUT" and kind == "manifests"

    def _refuse(self, status: int, code: str, message: str, challenge: str = "") -> None:
        content = json.dumps({"errors": [{"code": code, "message": message}]}).encode()
        self.close_connection = True
        for _ in self._body():
            pass
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        if challenge:
            self.send_header("WWW-Authenticate", challenge)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def _hand_on(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.server.behind, timeout=300)
        try:
            chunked = "chunked" in self.headers.get("Transfer-Encoding", "")
            # A client sends several Accept lines; without all of them the registry would convert the manifest.
            names = dict.fromkeys(name for name in self.headers if name.lower() != "connection")
            headers = {name: ", ".join(self.headers.get_all(name, [])) for name in names}
            sized = "Content-Length" in self.headers
            body = self._body() if sized or chunked else None
            connection.request(self.command, self.path, body, headers, encode_chunked=chunked)
            answer = connection.getresponse()
            self.send_response_only(answer.status)
            length = answer.getheader("Content-Length")
            for name, value in answer.getheaders():
                if name.lower() not in {"connection", "transfer-encoding"}:
                    self.send_header(name, value)
            if length is None and self.command != "HEAD" and answer.status != 204:
                self.close_connection = True
                self.send_header("Connection", "close")
            self.end_headers()
            while part := answer.read1(CHUNK):
                self.wfile.write(part)
        finally:
            connection.close()

    def _body(self) -> Any:
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            while length := int(self.rfile.readline().split(b";")[0], 16):
                yield self.rfile.read(length)
                self.rfile.readline()
            self.rfile.readline()
            return
        left = int(self.headers.get("Content-Length") or 0)
        while left > 0 and (part := self.rfile.read(min(left, CHUNK))):
            left -= len(part)
            yield part
