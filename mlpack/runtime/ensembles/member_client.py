"""Calls of one member over kept-alive connections: MemberClient, with deadline, retries, circuit breaker and limits."""

from __future__ import annotations

import asyncio
import math
import random
import time
from typing import TYPE_CHECKING, Any, Dict, List, Optional

import aiohttp

from ..errors import RequestError, ServeError
from ..models.predictor import Arrays
from ..protocols.encoding.text import parse
from .identity import IdentityTokenError, Token
from .member_calls import BAD, LATE, LOST, OPEN, OVERLOADED, UNREACHABLE, CallContext, MemberCall, MemberError
from .plan import Member, Query
from .resilience import CircuitBreaker, RetryBudget
from .wire import BadResponseError, WireRequest, read_response, write_request

if TYPE_CHECKING:
    from .member_metrics import MemberMetrics

DEADLINE_HEADER = "X-Request-Deadline-Ms"
_MOST_RESPONSE = 64 * 1024 * 1024  # bytes
_LEAST_RESPONSE, _MOST_ROW = 256 * 1024, 64 * 1024  # bytes of a response, and of each row in it
_MOST_ERROR = 64 * 1024
_AT_DEADLINE_S = 0.02
_BACKOFF_S = 0.02  # before the first retry, doubled for each one after it
_LONGEST_BACKOFF_S = 1.0
_CONNECT_S = 2.0  # the name of a host that has vanished is looked up for much longer
_RETRY_S = 4.0  # after the call began, in which a retry may begin
_OPTIONAL_SHARE = 0.9  # of the time that is left, for a member without which an answer is possible
_CLIENT_ERRORS = (400, 413, 415, 422)
_SHOWN = 300  # characters of a member's error


class MemberClient:
    """Calls one member. Every call ends at the request's deadline or after the member's `timeout_s`, whichever is earlier."""

    def __init__(
        self,
        member: Member,
        session: aiohttp.ClientSession,
        budget: RetryBudget,
        metrics: MemberMetrics,
        token: Optional[Token] = None,
    ) -> None:
        self.member = member
        self.breaker = CircuitBreaker()
        self.problem = ""  # why the background checks say that it is not ready; an optional member is then not called
        self._session = session
        self._budget = budget
        self._metrics = metrics
        self._token = token

    async def call(self, query: Query, inputs: Arrays, rows: int, context: CallContext) -> MemberCall:
        """The member's outputs for the ensemble's inputs, or its error; raises nothing but CancelledError."""
        made = MemberCall(self.member.name)
        if self.problem and not self.member.required:
            made.error = MemberError(UNREACHABLE, f"it is not ready: {self.problem}")
            self._metrics.failed(self.member.name, made)
            return made
        if not self.breaker.allows():
            made.error = MemberError(OPEN, "its last calls failed; it is tried again in a moment")
            self._metrics.failed(self.member.name, made)
            return made
        try:
            await self._attempts(made, query, inputs, rows, context)
        except asyncio.CancelledError:
            if (
                time.perf_counter() >= context.deadline - _AT_DEADLINE_S
            ):  # it was late, and not given up for another reason
                self.breaker.failed()
            else:
                self.breaker.cancelled()
            raise
        finally:
            made.ended()
        if made.error is None:
            self.breaker.succeeded()
            self._metrics.answered(self.member.name, made)
        else:
            if made.error.kind == OVERLOADED:  # the member works; its own limits and the retry budget protect it
                self.breaker.cancelled()
            else:
                self.breaker.failed()
            self._metrics.failed(self.member.name, made)
        return made

    async def ready(self, timeout_s: float) -> str:
        """Why the member is not ready; "" when it is."""
        path = self.member.ready_path
        try:
            headers = await self._authorization()
            limit = aiohttp.ClientTimeout(total=timeout_s, ceil_threshold=math.inf)
            async with self._session.get(
                self.member.url + path, headers=headers, timeout=limit, allow_redirects=False
            ) as answer:
                body = await answer.content.read(4096)
                return "" if answer.status == 200 else f"{path} answers {answer.status}: {_told(body)}"
        except asyncio.TimeoutError:
            return f"{path} does not answer within {timeout_s:g} s"
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return f"{path} cannot be reached: {_named(error)}"

    async def _attempts(self, made: MemberCall, query: Query, inputs: Arrays, rows: int, context: CallContext) -> None:
        """Call until there is an answer, or an error that allows no further attempt."""
        try:
            request = write_request(self.member, query, inputs)
        except RequestError as error:
            made.rejected = error
            return
        now, ends = time.perf_counter(), context.deadline
        if not self.member.required:  # time is left for the answer without it
            ends = now + max(0.0, min(ends, context.soonest) - now) * _OPTIONAL_SHARE
        if self.member.timeout_s:
            ends = min(ends, now + self.member.timeout_s)
        self._budget.called()
        backoff_s = _BACKOFF_S
        while True:
            made.attempts += 1
            try:
                made.outputs = await self._once(request, query, rows, ends, context)
            except RequestError as error:
                made.rejected = error
            except MemberError as error:
                wait_s = max(random.uniform(0, backoff_s), error.retry_after_s)  # noqa: S311 - jitter, no secret
                retry_ends = min(ends, now + _RETRY_S)
                again = error.never_started or (error.kind == LOST and made.attempts == 1)
                if again and time.perf_counter() + wait_s < retry_ends and self._budget.take():
                    self._metrics.retried(self.member.name)
                    backoff_s = min(2 * backoff_s, _LONGEST_BACKOFF_S)
                    await asyncio.sleep(wait_s)
                    continue
                made.error = error
            return

    async def _once(self, wire: WireRequest, query: Query, rows: int, ends: float, context: CallContext) -> Arrays:
        own = await self._login(ends)
        left = ends - time.perf_counter()
        if left <= 0:
            raise MemberError(LATE, "there was no time left for it")
        headers = {**wire.headers, **own, DEADLINE_HEADER: str(max(1, int(left * 1000)))}
        if context.request_id:
            headers["X-Request-ID"] = context.request_id
        if context.trace:
            headers["traceparent"] = context.trace
        limit = aiohttp.ClientTimeout(total=left, connect=_CONNECT_S, ceil_threshold=math.inf)
        try:
            async with self._session.post(
                self.member.url + wire.path, data=wire.body, headers=headers, timeout=limit, allow_redirects=False
            ) as answer:
                body = await _body(answer, _most_bytes(rows) if answer.status == 200 else _MOST_ERROR)
                return self._read(answer, body, query, rows)
        except aiohttp.ConnectionTimeoutError as error:
            if ends - time.perf_counter() <= 0:
                raise MemberError(LATE, f"there was no connection to it within {left:.3g} s") from error
            raise MemberError(UNREACHABLE, f"there was no connection to it within {_CONNECT_S:g} s") from error
        except asyncio.TimeoutError as error:
            raise MemberError(LATE, f"it did not answer within {left:.3g} s") from error
        except aiohttp.ClientConnectorError as error:
            raise MemberError(UNREACHABLE, f"it cannot be reached: {_named(error)}") from error
        except (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError, OSError) as error:
            kind = BAD if isinstance(error, aiohttp.ClientPayloadError) else LOST
            raise MemberError(kind, f"the connection to it was closed: {_named(error)}") from error
        except (aiohttp.ClientError, ValueError) as error:
            raise MemberError(BAD, f"its response is not valid HTTP: {_named(error)}") from error

    def _read(self, answer: aiohttp.ClientResponse, body: bytes, query: Query, rows: int) -> Arrays:
        if answer.status == 200:
            try:
                return read_response(self.member, query, answer.headers, body, rows)
            except BadResponseError as error:
                raise MemberError(BAD, f"its response cannot be used: {error}") from error
        if answer.status in _CLIENT_ERRORS:
            raise RequestError(f"member {self.member.name}: {_told(body)}", detail={"member": self.member.name})
        if answer.status == 503 and "Retry-After" in answer.headers:
            raise MemberError(
                OVERLOADED, f"it answered 503: {_told(body)}", _retry_after(answer.headers["Retry-After"])
            )
        if answer.status in (408, 504):
            raise MemberError(LATE, f"it answered {answer.status}: {_told(body)}")
        raise MemberError(BAD, f"it answered {answer.status}: {_told(body)}")

    async def _login(self, ends: float) -> Dict[str, str]:
        """The header with an identity token, if the member needs one; it may have to be fetched. Raises MemberError."""
        if self._token is None:
            return {}
        try:
            return await asyncio.wait_for(self._authorization(), max(0.001, ends - time.perf_counter()))
        except asyncio.TimeoutError as error:
            raise MemberError(LATE, "there was no identity token for it in time") from error
        except IdentityTokenError as error:
            raise MemberError(UNREACHABLE, f"it cannot be called: {error}") from error

    async def _authorization(self) -> Dict[str, str]:
        if self._token is None:
            return {}
        return {"Authorization": f"Bearer {await self._token()}"}


def _most_bytes(rows: int) -> int:
    """The bound of a response for so many rows: it is parsed in the event loop, beside other requests."""
    return min(_MOST_RESPONSE, _LEAST_RESPONSE + rows * _MOST_ROW)


async def _body(answer: aiohttp.ClientResponse, most: int) -> bytes:
    """The whole body, within its bound."""
    if (answer.content_length or 0) > most:
        raise MemberError(BAD, f"its response has more than {most} bytes")
    parts: List[bytes] = []
    size = 0
    async for part in answer.content.iter_any():
        size += len(part)
        if size > most:
            raise MemberError(BAD, f"its response has more than {most} bytes")
        parts.append(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _told(body: bytes) -> str:
    """The message in an error of any contract, or the beginning of its text."""
    try:
        document: Any = parse(body)
        error = document.get("error", document) if isinstance(document, dict) else document
        text = error.get("message", error) if isinstance(error, dict) else error
        return str(text)[:_SHOWN]
    except ServeError:
        return body[:_SHOWN].decode("utf-8", "replace").strip() or "no text"


def _retry_after(given: str) -> float:
    """The seconds of a Retry-After header; 0 for a date."""
    return float(given) if given.isascii() and given.isdigit() and len(given) < 6 else 0.0


def _named(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"[:_SHOWN]
