"""The application: finds the route, maps every failure to its answer, counts and logs each request."""

from __future__ import annotations

import itertools
import os
import re
import time
from typing import List

from .errors import ModelFailedError, ServeError
from .http.messages import Request, Response, Route
from .http.routing import Router
from .settings import Settings
from .telemetry.access_log import Access
from .telemetry.logs import Log
from .telemetry.metrics import Metrics

_SANE_ID = re.compile(rb"[A-Za-z0-9._:/+=@-]{1,128}")


class App:
    """Knows routes and failures; what is said is the contracts' matter, and how it is sent the connection's."""

    def __init__(self, routes: List[Route], settings: Settings, log: Log, metrics: Metrics) -> None:
        self.deadline_s = settings.deadline_s
        self._router = Router(routes)
        self._max_body = settings.max_body_bytes
        self._payloads = settings.log_payloads
        self._log = log
        self._metrics = metrics
        self._id_prefix = os.urandom(8).hex()
        self._count = itertools.count(1)

    async def answer(self, request: Request) -> Response:
        """The answer to a request; never raises, so that the server never has to."""
        given = request.headers.get(b"x-request-id")
        sane = given is not None and _SANE_ID.fullmatch(given)
        request.id = given.decode() if given is not None and sane else f"{self._id_prefix}{next(self._count):08x}"
        request.max_body = self._max_body
        try:
            request.route, request.names = self._router.find(request.method, request.path)
            return await request.route.handler(request)
        except ServeError as error:
            return self._told(error, request)
        except Exception as error:  # noqa: BLE001 - the edge: whatever it was, the client gets an answer
            self._log.failure("a request failed inside the server", error, request_id=request.id)
            return self._told(
                ServeError("the server failed on this request", detail={"request_id": request.id}), request
            )

    def answered(self, request: Request, response: Response, seconds: float) -> None:
        """A request has been answered: count it, and log it."""
        route = request.route
        self._metrics.request("" if route is None else route.path, response.status, seconds)
        if self._log.level <= (10 if route is not None and route.quiet else 20):
            size = len(response.body)
            self._log.access(Access(time.time(), request, response.status, size, seconds, self._payloads))

    def _told(self, error: ServeError, request: Request) -> Response:
        request.error = error.code
        if isinstance(error, ModelFailedError):
            self._log.failure(error.message, error.__cause__ or error, request_id=request.id, path=request.path)
            error = ModelFailedError("the model failed on this request; the log has the trace under this request id")
            error.detail["request_id"] = request.id
        tell = self._router.tell(request.path) if request.route is None else request.route.tell
        return tell(error)
