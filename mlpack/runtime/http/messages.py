"""What a serving contract sees of HTTP: Request, Response, Route."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, AsyncIterator, Awaitable, Callable, Dict, NamedTuple, Optional, Protocol, Union
from urllib.parse import parse_qsl

from ..errors import BodyTooLargeError, MediaTypeError, ServeError

if TYPE_CHECKING:
    from ..models.predictor import Arrays, Call


class Response(NamedTuple):
    """A response: `body` is sent as `media_type`; pieces of an iterator are sent as they come.

    The deadline of a request is for the beginning of its response. An iterator is cancelled when the client is gone.
    """

    status: int
    body: Union[bytes, AsyncIterator[bytes]]
    media_type: bytes = b"application/json"
    headers: Dict[str, str] = {}  # noqa: RUF012 - a NamedTuple's default, never changed


class Head(NamedTuple):
    """A request's line and headers. Several requests may share one: nothing in it is ever changed."""

    method: str
    path: str  # decoded
    query: bytes
    headers: Dict[bytes, bytes]  # by names in lower case, the last of each
    version: str  # of HTTP
    expects: bool  # 100 Continue, before it sends its body


class Incoming(Protocol):
    """Where a request's body comes from."""

    async def body(self, limit: int) -> bytes:
        """The whole body; of one longer than `limit` as much as is there once that is known."""


class Request:
    """A request that is being answered, and what became of it, for the log and the metrics.

    `rows`, `call`, `outputs` and `explain` are set by the handler: the rows of the body, the call of the model, its outputs;
    `route` and `error` by the application, `deadline` (by `time.perf_counter`) by the connection.
    """

    max_body = 0
    deadline = math.inf
    id = ""
    rows: Optional[int] = None
    call: Optional[Call] = None
    outputs: Optional[Arrays] = None
    route: Optional[Route] = None
    error = ""  # the code of its failure
    explain = False  # whether the answer shows how it came to be
    names: Dict[str, str]  # what stood in the places of the route's {names}
    incoming: Incoming

    def __init__(self, head: Head) -> None:
        self.method = head.method
        self.path = head.path
        self.headers = head.headers
        self.version = head.version
        self.expects = head.expects
        self._query = head.query

    @property
    def details(self) -> Dict[str, Any]:
        """What the predictor says of its answer beside the outputs, such as the members of an ensemble that are missing."""
        return {} if self.call is None else self.call.details or {}

    def query(self) -> Dict[str, str]:
        """The query's parameters, the last of each name."""
        if not self._query:
            return {}
        try:
            return dict(parse_qsl(self._query.decode("utf-8", "replace"), keep_blank_values=True))
        except ValueError:  # more fields than the parser's bound
            return {}

    def require_json(self) -> None:
        """Raises MediaTypeError unless the body's Content-Type is JSON in UTF-8, or missing."""
        given = self.headers.get(b"content-type")
        if given is not None and given != b"application/json" and not _is_json(given.decode("latin-1")):
            raise MediaTypeError(
                f"the body is {_printable(given)}, not application/json (curl: -H 'Content-Type: application/json')"
            )
        self.refuse_compressed()

    def refuse_compressed(self) -> None:
        """Raises MediaTypeError for a body with a Content-Encoding."""
        if self.headers.get(b"content-encoding", b"identity").lower() != b"identity":
            raise MediaTypeError("the body is compressed; send it without Content-Encoding")

    def media_type(self) -> str:
        """The body's Content-Type in lower case without parameters, "" where it has none.

        Raises:
            MediaTypeError: its charset is not UTF-8.
        """
        media_type, *parameters = self.header(b"content-type").lower().split(";")
        if not all(_is_utf8(one) for one in map(str.strip, parameters) if one.startswith("charset")):
            raise MediaTypeError(f"the body is {_printable(self.headers[b'content-type'])}; it must be UTF-8")
        return media_type.strip()

    def header(self, name: bytes) -> str:
        """A header's value, by its name in lower case; "" where there is none."""
        return self.headers.get(name, b"").decode("latin-1")

    def trace(self) -> str:
        """The request's W3C trace context, "" where it has none."""
        given = self.headers.get(b"traceparent")
        return "" if given is None else given.decode("latin-1")

    async def body(self) -> bytes:
        """The whole body; raises BodyTooLargeError as soon as it is known to be larger than `max_body`."""
        length = self.headers.get(b"content-length")
        if length is not None and int(length) > self.max_body:
            raise self._too_large()
        data = await self.incoming.body(self.max_body)
        if len(data) > self.max_body:
            raise self._too_large()
        return data

    def _too_large(self) -> BodyTooLargeError:
        return BodyTooLargeError(
            f"the body is larger than {self.max_body} bytes; send fewer rows at a time",
            detail={"max_body": self.max_body},
        )


Handler = Callable[[Request], Awaitable[Response]]
WriteError = Callable[[ServeError], Response]


class Route(NamedTuple):
    """A path of a serving contract, perhaps with `{names}`. `write_error` writes a failure in the contract's own form.

    A handler that awaits nothing but the request's body and a predictor is `fast`: the connection drives it. Any other runs in
    a Task, so that it may use timeouts, HTTP clients and database drivers.
    """

    method: str
    path: str
    handler: Handler
    write_error: WriteError
    fast: bool = False
    quiet: bool = False  # probes: logged at debug only; what changes readiness has lines of its own
    media: str = ""  # what it answers with, where several routes share a path and Accept selects one
    rank: int = 0  # lower ones win a path; one above 0 takes only what no other route answers


def _is_json(content_type: str) -> bool:
    media_type, *parameters = (part.strip().lower() for part in content_type.split(";"))
    if media_type != "application/json" and not (
        media_type.startswith("application/") and media_type.endswith("+json")
    ):
        return False
    return all(_is_utf8(parameter) for parameter in parameters if parameter.startswith("charset"))


def _is_utf8(parameter: str) -> bool:
    return parameter.partition("=")[2].strip().strip('"') in ("utf-8", "utf8", "us-ascii", "ascii")


def _printable(header: bytes) -> str:
    return header.decode("latin-1")[:100] or "of no type"
