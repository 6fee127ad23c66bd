"""A request's line in the log, with the fields that Cloud Logging knows: Access."""

from __future__ import annotations

import json
import os
import re
from functools import lru_cache
from typing import Any, Dict, NamedTuple, Tuple

from ..http.messages import Request
from . import summaries
from .logs import rfc3339

_TRACEPARENT = re.compile(rb"[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?")
_CLOUD_TRACE = re.compile(rb"([0-9a-fA-F]{32})(?:/(\d{1,20}))?(?:;o=(\d))?.*")
_PROJECT = os.environ.get("GOOGLE_CLOUD_PROJECT", "")
_QUIET_ERRORS = (503, 504)  # expected under load


class Access(NamedTuple):
    """One answered request; the log's own thread formats it."""

    when: float  # epoch seconds
    request: Request
    status: int
    size: int  # of the answer's body, in bytes
    latency_s: float
    payloads: bool

    def line(self) -> str:
        """The line: method, path, status, latency and its parts, a summary of the values, the trace; JSON and a newline."""
        request, status = self.request, self.status
        severity = "ERROR" if status >= 500 and status not in _QUIET_ERRORS else "WARNING" if status >= 400 else "INFO"
        line, of_line, http_request, agent = _request_fields(
            request.method[:20],
            request.path[:256],
            request.headers.get(b"content-length", b"")[:20],
            request.headers.get(b"user-agent", b"")[:200],
        )
        rows = "" if request.rows is None else f',"rows":{request.rows}'
        error = f',"error":"{request.error}"' if request.error else ""
        return (
            f'{{"severity":"{severity}","time":"{rfc3339(self.when)}","message":"{line} {status}",'
            f'"httpRequest":{{{http_request}"status":{status},"responseSize":"{self.size}",'
            f'"latency":"{self.latency_s:.6f}s"{agent}}},"request_id":"{request.id}",{of_line}"status":{status},'
            f'"latency_ms":{self.latency_s * 1000:.3f}{rows}{error}{self._of_the_model()}{_trace(request.headers)}}}\n'
        )

    def _of_the_model(self) -> str:
        call, outputs = self.request.call, self.request.outputs
        if call is None:
            return ""
        signature, inputs, timings = call.signature, call.inputs, call.timings
        began = timings.began
        waited, took = (began - timings.arrived, timings.ended - began) if began else (0.0, 0.0)
        text = (
            f',"signature":{_quoted(signature.name)},"queue_ms":{waited * 1000:.3f},'
            f'"predict_ms":{took * 1000:.3f},"batch_rows":{timings.batch_rows},'
            f'"input":{summaries.of_inputs(signature, inputs)}'
        )
        if outputs is not None:
            text += f',"output":{summaries.of_outputs(signature, outputs)}'
        if self.payloads:
            values = {"inputs": summaries.payload(inputs), "outputs": summaries.payload(outputs)}
            text += f',"payload":{json.dumps(values)}'
        return text


@lru_cache(maxsize=64)
def _request_fields(method: str, path: str, size: bytes, agent: bytes) -> Tuple[str, str, str, str]:
    """A request's method and path as text, as our fields, as Cloud Logging's fields, and the field of the client."""
    verb, where = _quoted(method), _quoted(path)
    fields = f'"requestMethod":{verb},"requestUrl":{where},' + (
        f'"requestSize":"{size.decode()}",' if size.isdigit() else ""
    )
    client = f',"userAgent":{_quoted(agent.decode("latin-1"))}' if agent else ""
    return f"{verb[1:-1]} {where[1:-1]}", f'"method":{verb},"path":{where},', fields, client


def _trace(headers: Dict[bytes, bytes]) -> str:
    """The trace that a front end began, from `traceparent` (W3C) or `X-Cloud-Trace-Context`."""
    given = headers.get(b"traceparent")
    match = _TRACEPARENT.fullmatch(given) if given is not None else None
    if match is not None:
        return _trace_fields(
            match.group(1).decode(), match.group(2).decode(), sampled=bool(int(match.group(3), 16) & 1)
        )
    given = headers.get(b"x-cloud-trace-context")
    match = _CLOUD_TRACE.fullmatch(given) if given is not None else None
    if match is None:
        return ""
    span = f"{int(match.group(2)) & (2**64 - 1):016x}" if match.group(2) else ""
    return _trace_fields(match.group(1).decode(), span, sampled=match.group(3) == b"1")


def _trace_fields(trace: str, span: str, *, sampled: bool) -> str:
    name = f"projects/{_PROJECT}/traces/{trace}" if _PROJECT else trace
    fields: Dict[str, Any] = {"logging.googleapis.com/trace": name}
    if span:
        fields["logging.googleapis.com/spanId"] = span
    fields["logging.googleapis.com/trace_sampled"] = sampled
    return "," + json.dumps(fields)[1:-1]


_quoted = json.encoder.encode_basestring_ascii
