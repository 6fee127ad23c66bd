"""The application: App finds the route of a request, maps failures to responses, counts and logs each request."""

from __future__ import annotations

import asyncio
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

PARTIAL = "X-Partial-Answer"  # the names of the members of an ensemble that are missing
_VALID_ID = re.compile(rb"[A-Za-z0-9._:/+=@-]{1,128}")


class App:
    """Between the connections, which call it, and the contracts, whose routes it has."""

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
        """The response to a request; a failure is a response too, nothing is raised."""
        given = request.headers.get(b"x-request-id")
        valid = given is not None and _VALID_ID.fullmatch(given)
        request.id = given.decode() if given is not None and valid else f"{self._id_prefix}{next(self._count):08x}"
        request.max_body = self._max_body
        try:
            route, request.names = self._router.find(request.method, request.path)
            request.route = route
            # what is not fast runs in a Task, which is cancelled with this await
            running = route.handler(request)
            response = await (running if route.fast else asyncio.ensure_future(running))
            return _marked(response, request) if request.call is not None and request.call.details else response
        except ServeError as error:
            return self._failure(error, request)
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - whatever it was, the client gets a response
            self.failed(request, error)
            return self._failure(
                ServeError("the server failed on this request", detail={"request_id": request.id}), request
            )

    def refusal(self, error: ServeError) -> Response:
        """The response to bytes that are no request; it is in the form of the first contract."""
        return self._router.error_writer("")(error)

    def failed(self, request: Request, error: BaseException) -> None:
        """Log a fault of the server itself: a handler that raised, or a response that broke off."""
        request.error = ServeError.code
        self._log.failure("a request failed inside the server", error, request_id=request.id)

    def answered(self, request: Request, status: int, size: int, seconds: float) -> None:
        """Count and log a request that was answered with `size` bytes of body."""
        route = request.route
        self._metrics.request("" if route is None else route.path, status, seconds)
        if self._log.level <= (10 if route is not None and route.quiet else 20):
            self._log.access(Access(time.time(), request, status, size, seconds, self._payloads))

    def _failure(self, error: ServeError, request: Request) -> Response:
        request.error = error.code
        if isinstance(error, ModelFailedError):
            self._log.failure(error.message, error.__cause__ or error, request_id=request.id, path=request.path)
            error = ModelFailedError("the model failed on this request; the log has the trace under this request id")
            error.detail["request_id"] = request.id
        route = request.route
        write_error = self._router.error_writer(request.path) if route is None else route.write_error
        return write_error(error)


def _marked(response: Response, request: Request) -> Response:
    """The response with a header that names the missing members, for contracts whose form has no place for them."""
    missing = request.details.get("missing")
    return response._replace(headers={**response.headers, PARTIAL: ",".join(missing)}) if missing else response
