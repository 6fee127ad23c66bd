"""Small bundles for the process engine, whose server tells what it is and may, and a Python that everybody may run."""

from __future__ import annotations

import hashlib
import json
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlpack.artifacts.bundle import Bundle
from mlpack.artifacts.bundle_file import BundleFile
from mlpack.artifacts.lock import Lock
from mlpack.artifacts.model import ModelInfo, Safety
from mlpack.artifacts.prepared import Prepared

PATIENCE_S = 120  # how long anything may take on a busy machine

# A server of the standard library alone: GET anything runs a line of Python sent as the path, and answers its value.
SERVE = """
import http.server, json, os, resource, socket, subprocess, sys, time, urllib.parse
from pathlib import Path
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        try:
            value = eval(urllib.parse.unquote(self.path[1:]))
        except Exception as error:
            value = repr(error)
        body = json.dumps(value, default=str).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *words):
        print(json.dumps({"severity": "INFO", "message": words[0] % words[1:]}))
host = sys.argv[sys.argv.index("--host") + 1]
print(json.dumps({"severity": "INFO", "message": "begun"}))
http.server.ThreadingHTTPServer((host, int(os.environ["PORT"])), Handler).serve_forever()
"""


def bundle(serve: str = SERVE, *files: BundleFile) -> Bundle:
    """A bundle of a serve.py and more files, with a lock that names nothing."""
    info = ModelInfo(
        path=Path("model.pkl"),
        format="sklearn",
        framework="scikit-learn",
        framework_version="1.5.0",
        root_class="sklearn.linear_model._base.LinearRegression",
        task="regressor",
        signatures=(),
        safety=Safety(verdict="safe"),
        size=0,
    )
    lock = Lock(
        prepared=Prepared(info=info), python="3.11", platform="linux/amd64", base="", base_digest=None, requirements=""
    )
    every = (file_of("serve.py", serve.encode()), *files)
    digest = "sha256:" + hashlib.sha256("".join(file.sha256 for file in every).encode()).hexdigest()
    return Bundle(
        lock=lock, name="t", version=None, files=every, private=(), digest=digest, card={"name": "t"}, labels={}
    )


def file_of(name: str, content: bytes) -> BundleFile:
    """A small file of a bundle."""
    return BundleFile(name=name, size=len(content), sha256=hashlib.sha256(content).hexdigest(), content=content)


def tells(url: str, expression: str, *, patience_s: float = PATIENCE_S) -> Any:
    """What the small server answers to a line of Python; waits until it listens."""
    end = time.monotonic() + patience_s
    address = f"{url}/{urllib.parse.quote(expression, safe='')}"
    while True:
        try:
            with urllib.request.urlopen(address, timeout=PATIENCE_S) as answer:
                return json.loads(answer.read())
        except urllib.error.URLError:  # noqa: PERF203  # it may not listen yet
            if time.monotonic() > end:
                raise
            time.sleep(0.01)


def status_of(pid: int) -> Mapping[str, str]:
    """/proc/PID/status by name."""
    text = (Path("/proc") / str(pid) / "status").read_text()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in text.splitlines())}


def is_gone(pid: int, *, patience_s: float = PATIENCE_S) -> bool:
    """Whether the process ends within the time; one that only waits to be taken note of has ended."""
    end = time.monotonic() + patience_s
    while time.monotonic() < end:
        try:
            if status_of(pid)["State"].startswith(("Z", "X")):
                return True
        except (FileNotFoundError, ProcessLookupError):
            return True
        time.sleep(0.01)
    return False
