"""A model server of somebody else's, on the standard library alone: adds a row's two numbers, and speaks several contracts.

It listens where the platform's variables say, takes the word `serve`, and does what is right; each word in FLAWS, separated by
commas, makes it do one thing wrong.
"""

from __future__ import annotations

import json
import os
import random
import signal
import struct
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

NAME = "adder"
JUNK: tuple[Any, ...] = (
    None,
    True,
    -1,
    1e308,
    2**70,
    "x",
    "\ud800/ü",
    [],
    [[]],
    [[1], [2, [3]]],
    {},
    {"data": [1]},
    [{}],
    [10**9] * 9,
)
SPEC = {"name": "numbers", "datatype": "FP64", "shape": [-1, 2]}
TF_SPEC = {"dtype": "DT_DOUBLE", "tensor_shape": {"dim": [{"size": "-1"}, {"size": "2"}]}, "name": "numbers:0"}


class OtherServer(ThreadingHTTPServer):
    """The server; `flaws` are what it does wrong."""

    daemon_threads = True

    def __init__(self, address: tuple[str, int], flaws: frozenset[str]) -> None:
        super().__init__(address, Handler)
        self.flaws = flaws
        self.chance = random.Random(7)


class RefusedError(Exception):
    """A request that is refused: status and text."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class Handler(BaseHTTPRequestHandler):
    """Knows every path by itself."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # head and body are written one after the other
    server: OtherServer

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        """Answer what has no body."""
        self._answer(b"")

    def do_POST(self) -> None:
        """Answer a body."""
        self._answer(self.rfile.read(int(self.headers.get("Content-Length") or 0)))

    def _answer(self, body: bytes) -> None:
        more: dict[str, str] = {}
        try:
            found = self._found(body)
            if self._wrong("nonsense") and not isinstance(found, (tuple, bytes)):
                found = self._bent(found)
            status = 200
            if isinstance(found, tuple):
                head, tail = found
                data, more = head + tail, {"Inference-Header-Content-Length": str(len(head))}
            else:
                data = found if isinstance(found, bytes) else json.dumps(found).encode()
        except RefusedError as error:
            key = "detail" if self._wrong("error_form") else "error"
            status, data = error.status, json.dumps({key: str(error), "message": str(error)}).encode()
        except (ValueError, KeyError, TypeError, IndexError, struct.error) as error:
            key = "detail" if self._wrong("error_form") else "error"
            status, data = 400, json.dumps({key: repr(error), "message": repr(error)}).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", "Content-Length": str(len(data)), **more}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def _wrong(self, flaw: str) -> bool:
        return flaw in self.server.flaws

    def _bent(self, value: Any) -> Any:
        """The value with some of what is in it, or all of it, made something else."""
        chance = self.server.chance
        if chance.random() < 0.1:
            return chance.choice(JUNK)
        if isinstance(value, dict):
            return {name: self._bent(one) for name, one in value.items() if chance.random() < 0.97}
        return [self._bent(one) for one in value] if isinstance(value, list) else value

    def _found(self, body: bytes) -> Any:
        path = self.path
        if self.command == "GET":
            return self._get(path)
        if path.startswith("/v2/models/"):
            return self._v2(path, body)
        if path.startswith("/v1/models/"):
            return self._v1(path, json.loads(body))
        if path == "/invocations":
            return self._invocations(body)
        if path in {"/predict", os.environ.get("AIP_PREDICT_ROUTE")}:
            return {"predictions": self._sums(json.loads(body)["instances"])}
        raise RefusedError(404, f"no {path}")

    def _get(self, path: str) -> Any:
        health = {"/ping", "/health", os.environ.get("AIP_HEALTH_ROUTE", "/health")}
        if path in health:
            return b""
        known: dict[str, Any] = {
            "/version": "1.0",
            "/v2": {"name": "other", "version": "1", "extensions": ["binary_tensor_data"]},
            "/v2/health/live": {"live": True},
            "/v2/health/ready": {"live": True},
            "/v2/models": {"models": [NAME]},
            "/v1/models": {"models": [NAME]},
            f"/v2/models/{NAME}": {"name": NAME, "versions": ["3"], "inputs": [SPEC], "outputs": [{"name": "sum", "datatype": "FP64", "shape": [-1]}]},
            f"/v2/models/{NAME}/ready": {"name": NAME, "ready": True},
            f"/v1/models/{NAME}": {"name": NAME, "ready": True, "model_version_status": [{"version": "v3" if self._wrong("version_word") else "3", "state": "AVAILABLE"}]},
            f"/v1/models/{NAME}/metadata": {
                "model_spec": {"name": NAME, "version": "3"},
                "metadata": {"signature_def": {"signature_def": {"serving_default": {"inputs": {"numbers": TF_SPEC}}}}},
            },
        }  # fmt: skip
        if path in known:
            return known[path]
        if self._wrong("version_500") and "/versions/" in path:
            raise RefusedError(500, "boom")
        raise RefusedError(404, f"no {path}")

    def _sums(self, rows: list[list[float]]) -> list[float]:
        if any(len(row) != 2 for row in rows):
            raise RefusedError(400, "two numbers a row")
        return [row[0] + row[1] for row in rows]

    def _v1(self, path: str, body: Any) -> Any:
        if path not in {f"/v1/models/{NAME}:predict", f"/v1/models/{NAME}/versions/3:predict"}:
            raise RefusedError(404, f"no {path}")
        if "inputs" in body and "instances" in body and not self._wrong("both_keys"):
            raise RefusedError(400, "either instances or inputs")
        return (
            {"predictions": self._sums(body["instances"])}
            if "instances" in body
            else {"outputs": self._sums(body["inputs"])}
        )

    def _v2(self, path: str, body: bytes) -> Any:
        if path not in {f"/v2/models/{NAME}/infer", f"/v2/models/{NAME}/versions/3/infer"}:
            raise RefusedError(404, f"no {path}")
        length = int(self.headers.get("Inference-Header-Content-Length") or len(body))
        asked = json.loads(body[:length])
        (tensor,) = asked["inputs"]
        rows, width = tensor["shape"]
        values = tensor.get("data") or list(struct.unpack(f"<{rows * width}d", body[length:]))
        flat = [one for row in values for one in row] if isinstance(values[0], list) else values
        sums = self._sums([flat[place * width : (place + 1) * width] for place in range(rows)])
        answer: dict[str, Any] = {"model_name": NAME, "model_version": "3"}
        if "id" in asked and not self._wrong("no_id"):
            answer["id"] = asked["id"]
        output: dict[str, Any] = {"name": "sum", "datatype": "FP64", "shape": [rows]}
        if not asked.get("parameters", {}).get("binary_data_output"):
            return {**answer, "outputs": [{**output, "data": sums}]}
        order = ">" if self._wrong("big_endian") else "<"
        head = json.dumps({**answer, "outputs": [{**output, "parameters": {"binary_data_size": 8 * rows}}]}).encode()
        return head, struct.pack(f"{order}{rows}d", *sums)

    def _invocations(self, body: bytes) -> Any:
        given = self.headers.get("Content-Type")
        if given == "text/csv":
            return {
                "predictions": self._sums([[float(cell) for cell in line.split(b",")] for line in body.splitlines()])
            }
        if given != "application/json" and not self._wrong("any_type"):
            raise RefusedError(415, f"no {given}")
        asked: Any = json.loads(body) if given == "application/json" else {"instances": [[1.0, 2.0]]}
        if len({"instances", "inputs", "dataframe_split", "dataframe_records"} & set(asked)) != 1:
            raise RefusedError(400, "exactly one form")
        sums = self._sums(asked.get("instances") or asked["inputs"])
        return {"predictions": [one + 1 for one in sums] if self._wrong("other_numbers") else sums}


@contextmanager
def other_server(*flaws: str) -> Iterator[str]:
    """The server on loopback for as long as the `with` lasts; gives its URL."""
    with OtherServer(("127.0.0.1", 0), frozenset(flaws)) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


def main() -> int:
    """Serve as a container would."""
    flaws = frozenset(filter(None, os.environ.get("FLAWS", "").split(",")))
    if sys.argv[1:] == ["serve"] and "no_serve" in flaws:
        sys.stderr.write("unknown command: serve\n")
        return 2
    names = ("SAGEMAKER_BIND_TO_PORT", "AIP_HTTP_PORT", "PORT")
    port = 8080 if "own_port" in flaws else int(next(filter(None, map(os.environ.get, names)), "8080"))
    if "deaf" in flaws:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    else:
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with OtherServer(("0.0.0.0", port), flaws) as server:
        server.serve_forever()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
