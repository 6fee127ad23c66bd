"""Every failure that a request can meet, each with its HTTP status, its stable code and its headers."""

from __future__ import annotations

from typing import Any, Dict, Optional


class ServeError(Exception):
    """A failure that the client sees: an HTTP status, a code that is stable for programs, a message, JSON detail.

    `headers` go on the response (`Retry-After`, `Allow`). Each serving contract writes the same failure in its own form.
    """

    status: int = 500
    code: str = "internal"

    def __init__(
        self, message: str, *, detail: Optional[Dict[str, Any]] = None, headers: Optional[Dict[str, str]] = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.detail: Dict[str, Any] = dict(detail or {})
        self.headers: Dict[str, str] = dict(headers or {})


class RequestError(ServeError):
    """The request itself is wrong; the response shows a valid one."""

    status = 400
    code = "bad_request"


class BadJsonError(RequestError):
    """The body is not JSON, not UTF-8, nested too deep, or has a key twice."""

    code = "bad_json"


class BadInputError(RequestError):
    """The rows do not fit the model's signature."""

    code = "bad_input"


class UnknownMethodError(RequestError):
    """The model has no such signature (`?method=`, `signature_name`)."""

    code = "unknown_method"


class UnsupportedError(RequestError):
    """A part of the contract that this server does not support."""

    code = "unsupported"


class MediaTypeError(RequestError):
    """The body is not of a type that the route reads."""

    status = 415
    code = "unsupported_media_type"


class NotAcceptableError(ServeError):
    """The client accepts none of the media types that the response can have."""

    status = 406
    code = "not_acceptable"


class BodyTooLargeError(ServeError):
    """More bytes than `max_body`."""

    status = 413
    code = "body_too_large"


class TooManyRowsError(ServeError):
    """More rows than `max_rows`."""

    status = 413
    code = "too_many_rows"


class NoRouteError(ServeError):
    """No such path."""

    status = 404
    code = "not_found"


class UnknownModelError(ServeError):
    """The path names a model that is not served here."""

    status = 404
    code = "unknown_model"


class UnknownVersionError(UnknownModelError):
    """The path names a version, or a label, that the model does not have."""

    code = "unknown_version"


class WrongVerbError(ServeError):
    """The path exists, for another HTTP method."""

    status = 405
    code = "method_not_allowed"


class SlowBodyError(ServeError):
    """The body did not arrive within the deadline."""

    status = 408
    code = "request_timeout"


class ModelFailedError(ServeError):
    """The model raised, or its outputs are not valid; the trace is in the log only."""

    status = 500
    code = "model_failed"


class WrongAnswerError(ModelFailedError):
    """The model answered, but not with one entry for each row."""


class NotReadyError(ServeError):
    """The model is loading, or its warm-up failed."""

    status = 503
    code = "not_ready"

    def __init__(self, message: str) -> None:
        super().__init__(message, headers={"Retry-After": "1"})


class QueueFullError(NotReadyError):
    """More than `queue_rows` rows are waiting."""

    code = "queue_full"


class BodiesFullError(NotReadyError):
    """The bodies of all requests together are larger than `max_bodies`."""

    code = "bodies_full"


class ShuttingDownError(NotReadyError):
    """The server is stopping, and the response was not ready in time."""

    code = "shutting_down"


class MemberFailedError(ServeError):
    """A required member of an ensemble gave no answer, or one that cannot be used."""

    status = 502
    code = "member_failed"


class MemberLateError(ServeError):
    """A required member of an ensemble did not answer in time."""

    status = 504
    code = "member_late"


class NoMemberError(NotReadyError):
    """No member of an ensemble answered, or a required one is overloaded."""

    code = "no_member"


class DeadlineError(ServeError):
    """The answer took longer than `deadline_s`."""

    status = 504
    code = "deadline_exceeded"


class ClientGoneError(ServeError):
    """The client closed the connection before its response; only the log shows it."""

    status = 499
    code = "client_gone"


class StartError(Exception):
    """The server cannot start: what is wrong, and what to do. `exit_code` is that of the process."""

    def __init__(self, message: str, *, exit_code: int = 1) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class CardError(StartError):
    """The card cannot be read, or its sample rows do not fit its signature."""
