"""The ASGI application: finds the route, maps every failure to its answer, logs one line a request."""

from __future__ import annotations

import asyncio
import itertools
import os
import re
import time
from typing import List, Optional

from .access import Access
from .errors import ClientGoneError, ModelFailedError, ServeError, ShuttingDownError
from .logs import Log
from .measured import CURRENT, Measured
from .metrics import Metrics
from .routing import Router
from .settings import Settings
from .watching import Watches
from .wire import Message, Receive, Request, Response, Route, Send

_SANE_ID = re.compile(rb"[A-Za-z0-9._:/+=@-]{1,128}")


class App:
    """Bare ASGI, because every layer costs. Knows routes and failures; what is said is the contracts' matter."""

    def __init__(self, routes: List[Route], settings: Settings, log: Log, metrics: Metrics) -> None:
        self._router = Router(routes)
        self._max_body = settings.max_body_bytes
        self._watches = Watches(settings.deadline_s)
        self._payloads = settings.log_payloads
        self._log = log
        self._metrics = metrics
        self._id_prefix = os.urandom(8).hex()
        self._count = itertools.count(1)

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request; never raises, so that the server never has to."""
        if scope["type"] != "http":
            return
        started = time.perf_counter()
        request = Request(scope, receive, self._max_body)
        given = request.headers.get(b"x-request-id")
        sane = given is not None and _SANE_ID.fullmatch(given)
        request.id = given.decode() if given is not None and sane else f"{self._id_prefix}{next(self._count):08x}"
        route, code = None, ""
        measured = Measured()
        CURRENT.set(measured)
        try:
            route, request.names = self._router.find(request.method, request.path)
            if request.method == "POST":
                request.watch = self._watches.open(receive)
            response = await route.handler(request)
        except ServeError as error:
            response, code = self._told(error, request, route), error.code
        except asyncio.CancelledError:
            reason = request.watch.reason if request.watch is not None else None
            why = reason or ShuttingDownError("the server is shutting down; ask again")
            response, code = self._told(why, request, route), why.code
        except Exception as error:  # noqa: BLE001 - the edge: whatever it was, the client gets an answer
            self._log.failure("a request failed inside the server", error, request_id=request.id)
            internal = ServeError("the server failed on this request", detail={"request_id": request.id})
            response, code = self._told(internal, request, route), internal.code
        finally:
            if request.watch is not None:
                request.watch.close()
        if response.status != ClientGoneError.status:
            await self._send(request, response, send)
        seconds = time.perf_counter() - started
        self._metrics.request("" if route is None else route.path, response.status, seconds)
        if self._log.level <= (10 if route is not None and route.quiet else 20):
            size = len(response.body)
            self._log.access(
                Access(time.time(), request, response.status, size, seconds, code, measured, self._payloads)
            )

    def _told(self, error: ServeError, request: Request, route: Optional[Route]) -> Response:
        if isinstance(error, ModelFailedError):
            self._log.failure(error.message, error.__cause__ or error, request_id=request.id, path=request.path)
            error = ModelFailedError("the model failed on this request; the log has the trace under this request id")
            error.detail["request_id"] = request.id
        tell = self._router.tell(request.path) if route is None else route.tell
        return tell(error)

    @staticmethod
    async def _send(request: Request, response: Response, send: Send) -> None:
        headers = [
            (b"content-type", response.media_type),
            (b"content-length", b"%d" % len(response.body)),
            (b"x-request-id", request.id.encode()),
        ]
        if response.headers:
            headers.extend((name.encode(), value.encode()) for name, value in response.headers.items())
        await send({"type": "http.response.start", "status": response.status, "headers": headers})
        await send({"type": "http.response.body", "body": response.body})
