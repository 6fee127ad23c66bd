"""A small target: its revisions are HTTP servers of this process, behind a front server that answers as the current one."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from mlpack.artifacts.release import Release
from mlpack.artifacts.service import Change, Endpoint, Live, Plan, Revision, Service, Staged
from mlpack.errors import DeployError, DeployStateError
from mlpack.targets.base import OnStep, Target
from mlpack.targets.settings import TargetSettings


class SmallTarget(Target):
    """A Target. `answers` is the answer of the next revision to /predict: a JSON value, or a status.

    `broken` names a step that fails: stage, promote, restore. `front` is the server of the service itself. `reached` makes the
    endpoint of a server's URL.
    """

    name = "small"
    needs_registry = False
    settings = TargetSettings
    where: Mapping[str, str] = {}

    def __init__(self, front: Answering) -> None:
        self.service = "small"
        self.answers: Any = {"predictions": [1]}
        self.broken = ""
        self.closed = ""
        self.reached: Callable[[str], Endpoint] = lambda url: Endpoint(url=url, closed=self.closed)
        self.calls: list[str] = []
        self._front = front
        self._made: list[Answering] = []
        self._serving: Answering | None = None

    def plan(self, release: Release) -> Plan:
        """One change, always."""
        return Plan(
            target="small",
            service=self.service,
            exists=self._serving is not None,
            changes=(Change(field="image", before="", after=release.single(self.name).reference),),
            document="",
            file_name="small.yaml",
            run=str(len(self._made)),
            before=self._serving,
        )

    def stage(self, plan: Plan, release: Release, on_step: OnStep) -> Staged:  # noqa: ARG002  # as the interface has it
        """One more server, without traffic."""
        self._step("stage")
        made = Answering(f"r{len(self._made)}", self.answers)
        self._made.append(made)
        serving = self.reached(self._front.url) if self._serving else None
        previous = self._serving.name if self._serving else None
        return Staged(
            revision=made.name,
            endpoint=self.reached(made.url),
            serving=serving,
            token_command="print-token" if self.closed else "",
            previous=previous,
        )

    def promote(self, plan: Plan, staged: Staged, on_step: OnStep) -> Live:  # noqa: ARG002  # as the interface has it
        """The front server answers as this one."""
        self._step("promote")
        self._serve(next(one for one in self._made if one.name == staged.revision))
        return Live(
            revision=staged.revision,
            image="small@sha256:0",
            endpoint=self.reached(self._front.url),
            open_to_all=not self.closed,
            token_command=staged.token_command,
            previous=staged.previous,
        )

    def restore(self, plan: Plan, on_step: OnStep) -> str:  # noqa: ARG002  # as the interface has it
        """The front server answers as the previous one."""
        self.calls.append("restore")
        if self.broken == "restore":
            raise DeployStateError("the front server is stuck", hint="Check it.")
        self._serve(plan.before)
        return f"{plan.before.name} serves" if plan.before else ""

    def status(self) -> Service:
        """All that were made, newest first."""
        return Service(
            target="small",
            name=self.service,
            url=self._front.url,
            ready=True,
            open_to_all=True,
            revisions=tuple(
                Revision(name=one.name, percent=100 * (one is self._serving), image="", ready=one.ready)
                for one in reversed(self._made)
            ),
        )

    def route(self, shares: Mapping[str, int], on_step: OnStep) -> Service:  # noqa: ARG002  # as the interface has it
        """The front server answers as the one with a share."""
        self._serve(next(one for one in self._made if shares.get(one.name)))
        return self.status()

    def delete(self, on_step: OnStep) -> None:  # noqa: ARG002  # as the interface has it
        """No revision serves any more."""
        self._serve(None)

    def endpoint(self) -> Endpoint:
        """The front server."""
        return self.reached(self._front.url)

    def close(self) -> None:
        """All servers end."""
        for one in self._made:
            one.close()

    def _serve(self, one: Answering | None) -> None:
        self._serving = one
        self._front.answer = one.answer if one else 404

    def _step(self, name: str) -> None:
        self.calls.append(name)
        if self.broken == name:
            raise DeployError(f"{name} failed", hint="On purpose.", code="deploy_quota")


class Answering:
    """An HTTP server with a fixed answer to /predict; a number is a status."""

    def __init__(self, name: str, answer: Any) -> None:
        self.name, self.answer, self.ready = name, answer, True
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = 1 << 16  # an answer in one packet

            def log_message(self, *_: object) -> None:
                """Say nothing."""

            def do_GET(self) -> None:
                """Readiness."""
                self._say(200, {"ready": True})

            def do_POST(self) -> None:
                """The answer."""
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                status = outer.answer if isinstance(outer.answer, int) else 200
                self._say(status, {"error": "on purpose"} if status != 200 else outer.answer)

            def _say(self, status: int, value: Any) -> None:
                body = json.dumps(value).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        """Stop the server."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@contextmanager
def small_target() -> Iterator[SmallTarget]:
    """A target with its front server, for as long as the `with` lasts."""
    front = Answering("front", 404)
    target = SmallTarget(front)
    try:
        yield target
    finally:
        target.close()
        front.close()
