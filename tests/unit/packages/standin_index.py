"""A package index made small: real wheels, served over real HTTP(S) on loopback in the shapes that indexes have."""

from __future__ import annotations

import base64
import functools
import hashlib
import io
import json
import ssl
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

X86, ARM = "manylinux_2_17_x86_64.manylinux2014_x86_64", "manylinux_2_17_aarch64.manylinux2014_aarch64"


@dataclass(frozen=True)
class Release:
    """A version of a package: when it was uploaded, what it needs, and the tags of its wheels (`sdist`: a source package)."""

    name: str
    version: str
    uploaded: str
    needs: tuple[str, ...] = ()
    tags: tuple[str, ...] = ("py3-none-any",)
    requires_python: str = ">=3.6"
    size: int | None = None  # that the JSON page tells, whatever the wheel has

    @property
    def filenames(self) -> tuple[str, ...]:
        """Its wheels' names."""
        stem = f"{self.name.replace('-', '_')}-{self.version}"
        return tuple(f"{stem}.tar.gz" if tag == "sdist" else f"{stem}-{tag}.whl" for tag in self.tags)


def binary(*minors: int) -> tuple[str, ...]:
    """The tags of a package with compiled parts for some Pythons, on both machines."""
    return tuple(f"cp3{minor}-cp3{minor}-{machine}" for minor in minors for machine in (X86, ARM))


RELEASES = (
    Release("scikit-learn", "0.23.1", "2020-05-19T10:00:00Z", ("numpy>=1.13.3", "scipy>=0.19.1"), binary(6, 7, 8)),
    Release("scikit-learn", "0.24.1", "2021-01-19T10:00:00Z", ("numpy>=1.13.3", "scipy>=0.19.1"), binary(6, 7, 8, 9)),
    Release("scikit-learn", "0.24.2", "2021-04-28T10:00:00Z", ("numpy>=1.13.3", "scipy>=0.19.1"), binary(6, 7, 8, 9)),
    Release("scikit-learn", "1.0.2", "2021-12-25T10:00:00Z", ("numpy>=1.14.6", "scipy>=1.1.0"), binary(9, 10)),
    Release(
        "scikit-learn", "1.2.2", "2023-03-09T09:57:10.488123Z", ("numpy>=1.17.3", "scipy>=1.3.2"), binary(8, 9, 10, 11)
    ),
    Release("scikit-learn", "1.9.1", "2026-09-10T10:00:00Z", ("numpy>=1.24.1", "scipy>=1.10.0"), binary(11, 12, 13)),
    Release("new-kind", "1.0", "2025-02-01T10:00:00Z", (), binary(12, 13)),
    Release("numpy", "1.20.3", "2021-05-10T10:00:00Z", (), binary(9)),
    Release("numpy", "1.22.0", "2021-12-31T10:00:00Z", (), binary(9, 10)),
    Release("numpy", "1.24.2", "2023-02-05T10:00:00Z", (), binary(9, 10, 11)),
    Release("numpy", "1.24.4", "2023-06-26T10:00:00Z", (), binary(9, 10, 11)),
    Release("numpy", "1.26.4", "2024-02-05T10:00:00Z", (), binary(9, 10, 11, 12)),
    Release("numpy", "2.4.6", "2026-05-18T10:00:00Z", (), binary(11, 12, 13)),
    Release("scipy", "1.6.3", "2021-04-26T10:00:00Z", ("numpy<1.23,>=1.16.5",), binary(9)),
    Release("scipy", "1.7.3", "2021-11-24T10:00:00Z", ("numpy<1.23,>=1.16.5",), binary(9, 10)),
    Release("scipy", "1.10.1", "2023-02-19T10:00:00Z", ("numpy<1.27,>=1.19.5",), binary(9, 10, 11)),
    Release("scipy", "1.17.1", "2026-02-20T10:00:00Z", ("numpy>=1.26.4",), binary(11, 12, 13)),
    Release("pandas", "1.5.3", "2023-01-19T10:00:00Z", ("numpy>=1.20.3",), binary(9, 10, 11)),
    Release("pandas", "2.2.3", "2024-09-20T10:00:00Z", ("numpy>=1.22.4",), binary(9, 10, 11, 12, 13)),
    Release("late-comer", "1.0", "2025-06-01T10:00:00Z"),
    Release("uvicorn", "0.20.0", "2022-11-20T10:00:00Z", ("h11>=0.8",)),
    Release("uvicorn", "0.54.0", "2026-09-25T10:00:00Z", ("h11>=0.8",), requires_python=">=3.9"),
    Release("h11", "0.14.0", "2022-09-25T10:00:00Z"),
    Release("h11", "0.16.0", "2025-04-24T10:00:00Z"),
    Release("uv", "0.13.8", "2026-11-01T10:00:00Z", (), tuple(f"py3-none-{machine}" for machine in (X86, ARM))),
)
RUNTIME = "# the server's own\nuvicorn>=0.20  # serves\n"


# A build backend that lies in the package: its wheel says as whom it was built, and what it saw.
BACKEND = """
import json, os, zipfile
def build_wheel(directory, config_settings=None, metadata_directory=None):
    seen = {"uid": os.getuid(), "variables": sorted(os.environ), "private": os.path.exists("/run/mlpack/env")}
    name = "%(module)s-%(version)s-py3-none-any.whl"
    info = "%(module)s-%(version)s.dist-info"
    with zipfile.ZipFile(os.path.join(directory, name), "w") as wheel:
        wheel.writestr("%(module)s.py", "BUILD = " + repr(json.dumps(seen)))
        wheel.writestr(info + "/METADATA", open("PKG-INFO").read())
        wheel.writestr(info + "/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr(info + "/RECORD", "")
    return name
"""


@functools.cache
def sdist_bytes(name: str, version: str, needs: tuple[str, ...], requires_python: str) -> bytes:
    """A source package that pip and uv can build without other packages."""
    module = name.replace("-", "_")
    metadata = [
        "Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}", f"Requires-Python: {requires_python}",
        *(f"Requires-Dist: {need}" for need in needs),
    ]  # fmt: skip
    files = {
        "PKG-INFO": "\n".join(metadata) + "\n",
        "pyproject.toml": '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n',
        "backend.py": BACKEND % {"module": module, "version": version},
    }
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        for path, text in files.items():
            info = tarfile.TarInfo(f"{module}-{version}/{path}")
            info.size = len(text)
            archive.addfile(info, io.BytesIO(text.encode()))
    return stream.getvalue()


@functools.cache
def wheel_bytes(name: str, version: str, tag: str, needs: tuple[str, ...], requires_python: str) -> bytes:
    """A wheel that pip and uv take: one module, METADATA, WHEEL and RECORD (binary distribution format, PEP 427)."""
    module = name.replace("-", "_")
    info = f"{module}-{version}.dist-info"
    metadata = [
        "Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}", f"Requires-Python: {requires_python}",
        *(f"Requires-Dist: {need}" for need in needs),
    ]  # fmt: skip
    files = {
        f"{module}.py": f"__version__ = {version!r}\n",
        f"{info}/METADATA": "\n".join(metadata) + "\n",
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nGenerator: standin\nRoot-Is-Purelib: true\nTag: {tag}\n",
    }
    record = [f"{path},sha256={_digest(text.encode())},{len(text)}" for path, text in files.items()]
    files[f"{info}/RECORD"] = "\n".join([*record, f"{info}/RECORD,,"]) + "\n"
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for path, text in files.items():
            archive.writestr(zipfile.ZipInfo(path), text)
    return stream.getvalue()


def wheels(releases: tuple[Release, ...] = RELEASES) -> dict[str, bytes]:
    """Every wheel's bytes, by file name."""
    return {
        filename: sdist_bytes(release.name, release.version, release.needs, release.requires_python)
        if tag == "sdist"
        else wheel_bytes(release.name, release.version, tag, release.needs, release.requires_python)
        for release in releases
        for filename, tag in zip(release.filenames, release.tags, strict=True)
    }


def write_folder(folder: Path, releases: tuple[Release, ...] = RELEASES) -> Path:
    """A folder of wheels, as `pip download -d` leaves it."""
    folder.mkdir(parents=True, exist_ok=True)
    for filename, content in wheels(releases).items():
        (folder / filename).write_bytes(content)
    return folder


def write_simple(folder: Path, releases: tuple[Release, ...] = RELEASES) -> str:
    """A `file:` index (PEP 503, no upload times) with its files beside it; gives its address."""
    write_folder(folder / "files", releases)
    for name in {release.name for release in releases}:
        page = folder / "simple" / name
        page.mkdir(parents=True, exist_ok=True)
        listed = wheels(tuple(release for release in releases if release.name == name))
        links = [
            f'<a href="../../files/{file}#sha256={hashlib.sha256(content).hexdigest()}">{file}</a>'
            for file, content in listed.items()
        ]
        (page / "index.html").write_text("<!DOCTYPE html><html><body>" + "\n".join(links) + "</body></html>")
    return (folder / "simple").as_uri()


@dataclass
class StandinIndex:
    """A running index. `requests` are the paths it was asked; `watched` the command lines of uv seen meanwhile.

    `clients` are the addresses that were answered, each with the path.
    """

    url: str
    clients: list[tuple[str, str]] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    watched: set[str] = field(default_factory=set)


@contextmanager
def serve(
    releases: tuple[Release, ...] = RELEASES,
    *,
    shape: str = "json",
    login: str | None = None,
    tls: ssl.SSLContext | None = None,
    status: int = 200,
    host: str = "127.0.0.1",
) -> Iterator[StandinIndex]:
    """An index on a free port of `host`. `shape` is json (PEP 691 and 700), html (with upload times) or plain (without)."""
    contents = wheels(releases)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            index.requests.append(self.path)
            if login:
                index.watched.update(_command_lines())
            wanted = "Basic " + base64.b64encode((login or "").encode()).decode()
            refused = login and self.headers.get("Authorization") != wanted
            if refused or status != 200:
                self._answer(401 if refused else status, "text/plain", b"not you, or not today")
            elif self.path.startswith("/files/") and self.path.removeprefix("/files/") in contents:
                index.clients.append((self.client_address[0], self.path))
                self._answer(200, "application/octet-stream", contents[self.path.removeprefix("/files/")])
            else:
                index.clients.append((self.client_address[0], self.path))
                listed = [release for release in releases if self.path == f"/simple/{release.name}/"]
                content_type, body = _page(listed, contents, shape)
                self._answer(200 if listed else 404, content_type, body)

        def do_HEAD(self) -> None:
            self.do_GET()

        def _answer(self, code: int, content_type: str, body: bytes) -> None:
            self.send_response(code)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        def log_message(self, *_args: Any) -> None:
            """Quiet."""

    server = ThreadingHTTPServer((host, 0), Handler)
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
        server.handle_error = lambda *_args: None  # type: ignore[method-assign]  # a client that does not trust us hangs up
    scheme, who = "https" if tls else "http", f"{login}@" if login else ""
    index = StandinIndex(url=f"{scheme}://{who}{host}:{server.server_port}/simple")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield index
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _page(listed: list[Release], contents: dict[str, bytes], shape: str) -> tuple[str, bytes]:
    files = [
        {
            "filename": filename,
            "url": f"/files/{filename}",
            "hashes": {"sha256": hashlib.sha256(contents[filename]).hexdigest()},
            "requires-python": release.requires_python,
            "upload-time": release.uploaded,
            **({"size": release.size} if release.size else {}),
        }
        for release in listed
        for filename in release.filenames
    ]
    if shape == "json":
        page = {"meta": {"api-version": "1.1"}, "name": listed[0].name if listed else "", "files": files}
        return "application/vnd.pypi.simple.v1+json", json.dumps(page).encode()
    links = []
    for file in files:
        time = f' data-upload-time="{file["upload-time"]}"' if shape == "html" else ""
        needs = str(file["requires-python"]).replace(">", "&gt;")
        digest = hashlib.sha256(contents[str(file["filename"])]).hexdigest()
        links.append(
            f'<a href="{file["url"]}#sha256={digest}" data-requires-python="{needs}"{time}>{file["filename"]}</a><br/>'
        )
    return "text/html", ("<!DOCTYPE html><html><body>" + "\n".join(links) + "</body></html>").encode()


def _command_lines() -> set[str]:
    """The command lines of every running uv, as any user of the machine could read them."""
    found = set()
    for path in (process / "cmdline" for process in Path("/proc").glob("[0-9]*")):
        try:
            text = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if " pip compile " in text:
            found.add(text)
    return found


def _digest(content: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
