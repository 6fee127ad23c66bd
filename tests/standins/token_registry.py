"""A registry in memory that hands out bearer tokens and knows referrers, as today's hosted registries do."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

USER, PASSWORD = "tester", "right"


class TokenRegistry(ThreadingHTTPServer):
    """Its content by path, the tokens it gave by their scope, and each request's method, path and login."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.stored: dict[str, tuple[str, bytes]] = {}
        self.tokens: dict[str, str] = {}
        self.seen: list[tuple[str, str, str]] = []

    @property
    def name(self) -> str:
        """Host and port."""
        return f"127.0.0.1:{self.server_address[1]}"

    def put(self, repository: str, media_type: str, manifest: bytes) -> str:
        """Store a manifest; gives its digest."""
        digest = f"sha256:{hashlib.sha256(manifest).hexdigest()}"
        self.stored[f"/v2/{repository}/manifests/{digest}"] = (media_type, manifest)
        return digest


@contextmanager
def token_registry() -> Iterator[TokenRegistry]:
    """A registry that listens for as long as the `with` lasts."""
    with TokenRegistry() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    server: TokenRegistry
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        """A token, a manifest, a blob, or what hangs on a manifest."""
        self._noted()
        url = urlsplit(self.path)
        if url.path == "/token":
            self._token(parse_qs(url.query))
        elif self._allowed("pull"):
            if "/referrers/" in url.path:
                self._referrers(url.path)
            elif url.path in self.server.stored:
                media_type, body = self.server.stored[url.path]
                self._answer(200, body, **{"Content-Type": media_type})
            else:
                self._answer(404, b'{"errors": [{"code": "MANIFEST_UNKNOWN"}]}')

    def do_HEAD(self) -> None:
        """The same, without the body."""
        self.do_GET()

    def do_POST(self) -> None:
        """The start of an upload."""
        self._noted()
        if self._allowed("push"):
            repository = self.path.removesuffix("/blobs/uploads/")
            self._answer(202, b"", Location=f"{repository}/blobs/uploads/1?state=x")

    def do_PUT(self) -> None:
        """The end of an upload, or a manifest."""
        self._noted()
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if not self._allowed("push"):
            return
        url, digest = urlsplit(self.path), f"sha256:{hashlib.sha256(body).hexdigest()}"
        if "/blobs/uploads/" in url.path:
            query = parse_qs(url.query)
            if query.get("digest") != [digest] or query.get("state") != ["x"]:
                self._answer(400, b"wrong digest or state")
                return
            self.server.stored[f"{url.path.partition('/uploads/')[0]}/{digest}"] = ("application/octet-stream", body)
            self._answer(201, b"")
            return
        repository = url.path.removeprefix("/v2/").partition("/manifests/")[0]
        self.server.put(repository, self.headers["Content-Type"], body)
        subject = json.loads(body).get("subject", {}).get("digest", "")
        self._answer(201, b"", **({"OCI-Subject": subject} if subject else {}))

    def _noted(self) -> None:
        self.server.seen.append((self.command, self.path, self.headers.get("Authorization", "")))

    def _token(self, query: dict[str, list[str]]) -> None:
        wanted = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        if self.headers.get("Authorization") != f"Basic {wanted}":
            self._answer(401, b"")
            return
        token = f"token-{len(self.server.tokens)}"
        self.server.tokens[token] = query["scope"][0]
        self._answer(200, json.dumps({"token": token}).encode())

    def _allowed(self, right: str) -> bool:
        repository = urlsplit(self.path).path.removeprefix("/v2/").split("/", 1)[0]
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        scope = self.server.tokens.get(token, "")
        if scope.startswith(f"repository:{repository}:") and right in scope.rpartition(":")[2].split(","):
            return True
        realm = f'Bearer realm="http://{self.server.name}/token",service="here",scope="repository:{repository}:{right}"'
        self._answer(401, b"", **{"WWW-Authenticate": realm})
        return False

    def _referrers(self, path: str) -> None:
        repository, _, digest = path.partition("/referrers/")
        entries = []
        for key, (media_type, body) in self.server.stored.items():
            if not key.startswith(f"{repository}/manifests/"):
                continue
            manifest = json.loads(body)
            if manifest.get("subject", {}).get("digest") == digest:
                kind = manifest.get("artifactType")
                entries.append(
                    {"mediaType": media_type, "digest": key.rpartition("/")[2], "size": len(body), "artifactType": kind}
                )
        index = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": entries}
        self._answer(200, json.dumps(index).encode(), **{"Content-Type": index["mediaType"]})

    def _answer(self, status: int, body: bytes, **headers: object) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, str(value))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
