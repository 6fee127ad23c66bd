"""A call's refusal: Google's canonical code, and what it is over HTTP."""

from __future__ import annotations

HTTP = {
    "INVALID_ARGUMENT": 400,
    "FAILED_PRECONDITION": 400,
    "UNAUTHENTICATED": 401,
    "PERMISSION_DENIED": 403,
    "NOT_FOUND": 404,
    "ALREADY_EXISTS": 409,
    "ABORTED": 409,
    "RESOURCE_EXHAUSTED": 429,
    "INTERNAL": 500,
    "UNIMPLEMENTED": 501,
    "UNAVAILABLE": 503,
}
NUMBERS = {"NOT_FOUND": 5, "FAILED_PRECONDITION": 9, "INTERNAL": 13}


class ApiError(Exception):
    """A call is refused with this code and message."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message

    @property
    def status(self) -> int:
        """The HTTP status."""
        return HTTP[self.code]

    def body(self) -> dict[str, object]:
        """The JSON that Google's HTTP APIs answer."""
        return {"error": {"code": self.status, "message": self.message, "status": self.code}}
