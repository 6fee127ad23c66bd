"""Every failure that a request can meet, each with its HTTP status, its stable code and its headers."""

from __future__ import annotations

from typing import Any, Dict, Optional


class ServeError(Exception):
    """A failure that the client is told of: a status, a code that is stable for programs, a message, JSON detail.

    `headers` go on the answer (`Retry-After`, `Allow`). Each serving contract writes the same failure in its own form:
    `mlflow` is MLflow's word for it (its ErrorCode), `torchserve` TorchServe's.
    """

    status: int = 500
    code: str = "internal"
    mlflow: str = "INTERNAL_ERROR"
    torchserve: str = "InternalServerException"

    def __init__(
        self, message: str, *, detail: Optional[Dict[str, Any]] = None, headers: Optional[Dict[str, str]] = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.detail: Dict[str, Any] = dict(detail or {})
        self.headers: Dict[str, str] = dict(headers or {})


class RequestError(ServeError):
    """The request itself is wrong: the answer shows a valid one."""

    status = 400
    code = "bad_request"
    mlflow = "BAD_REQUEST"
    torchserve = "BadRequestException"


class BadJsonError(RequestError):
    """The body is not JSON, not UTF-8, too deep, or says one key twice."""

    code = "bad_json"
    mlflow = "MALFORMED_REQUEST"


class BadInputError(RequestError):
    """The rows do not fit the model's signature."""

    code = "bad_input"
    mlflow = "INVALID_PARAMETER_VALUE"


class UnknownMethodError(RequestError):
    """The model has no such signature (`?method=`, `signature_name`)."""

    code = "unknown_method"
    mlflow = "INVALID_PARAMETER_VALUE"


class UnsupportedError(RequestError):
    """The contract has it, this server does not."""

    code = "unsupported"
    mlflow = "NOT_IMPLEMENTED"


class MediaTypeError(RequestError):
    """The body is not of a type that the route reads."""

    status = 415
    code = "unsupported_media_type"


class NotAcceptableError(ServeError):
    """The client accepts no type that the answer can be written as."""

    status = 406
    code = "not_acceptable"
    mlflow = "BAD_REQUEST"
    torchserve = "BadRequestException"


class BodyTooLargeError(ServeError):
    """More bytes than `max_body`."""

    status = 413
    code = "body_too_large"
    mlflow = "BAD_REQUEST"
    torchserve = "BadRequestException"


class TooManyRowsError(ServeError):
    """More rows than `max_rows`."""

    status = 413
    code = "too_many_rows"
    mlflow = "BAD_REQUEST"
    torchserve = "BadRequestException"


class NoRouteError(ServeError):
    """No such path."""

    status = 404
    code = "not_found"
    mlflow = "ENDPOINT_NOT_FOUND"
    torchserve = "ResourceNotFoundException"


class UnknownModelError(ServeError):
    """The path names a model that is not served here."""

    status = 404
    code = "unknown_model"
    mlflow = "RESOURCE_DOES_NOT_EXIST"
    torchserve = "ModelNotFoundException"


class UnknownVersionError(UnknownModelError):
    """The path names a version, or a label, that the model does not have."""

    code = "unknown_version"
    torchserve = "ModelVersionNotFoundException"


class WrongVerbError(ServeError):
    """The path exists, for another HTTP method."""

    status = 405
    code = "method_not_allowed"
    mlflow = "BAD_REQUEST"
    torchserve = "MethodNotAllowedException"


class SlowBodyError(ServeError):
    """The body did not arrive within the deadline."""

    status = 408
    code = "request_timeout"
    mlflow = "BAD_REQUEST"
    torchserve = "BadRequestException"


class ModelFailedError(ServeError):
    """The model raised, or answered with something that is no answer; the trace is in the log only."""

    status = 500
    code = "model_failed"


class NotReadyError(ServeError):
    """The model is loading, or its warm-up failed."""

    status = 503
    code = "not_ready"
    mlflow = "TEMPORARILY_UNAVAILABLE"
    torchserve = "ServiceUnavailableException"

    def __init__(self, message: str) -> None:
        super().__init__(message, headers={"Retry-After": "1"})


class QueueFullError(NotReadyError):
    """More rows wait than `queue_rows`."""

    code = "queue_full"


class BodiesFullError(NotReadyError):
    """The bodies of all requests that are inside are larger than `max_bodies`."""

    code = "bodies_full"


class ShuttingDownError(NotReadyError):
    """The server was told to stop, and the answer did not come in time."""

    code = "shutting_down"


class DeadlineError(ServeError):
    """The answer took longer than `deadline_s`."""

    status = 504
    code = "deadline_exceeded"
    mlflow = "TEMPORARILY_UNAVAILABLE"
    torchserve = "RequestTimeoutException"


class ClientGoneError(ServeError):
    """The client closed the connection before its answer; nobody is told, the log is."""

    status = 499
    code = "client_gone"


class StartError(Exception):
    """The server cannot start: what is wrong, and what to do now. `exit` is the process's exit code."""

    def __init__(self, message: str, *, exit_code: int = 1) -> None:
        super().__init__(message)
        self.exit_code = exit_code
