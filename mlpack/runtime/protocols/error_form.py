"""How a contract writes failures: ErrorForm."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable, Dict

from ..errors import ServeError
from ..http.messages import Response
from .encoding.text import dump


@dataclass(frozen=True)
class ErrorForm:
    """Writes a failure as the JSON document that the contract's clients expect.

    `name` is that of its schema in OpenAPI, `properties` are the document's with their schemas.
    """

    name: str
    properties: Dict[str, Any]
    document: Callable[[ServeError], Dict[str, Any]]

    def __call__(self, error: ServeError) -> Response:
        """The response to a request that failed."""
        return Response(error.status, dump(self.document(error)), headers=error.headers)
