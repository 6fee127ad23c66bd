"""TorchServe's inference route: /predictions/{model}, with the bodies of /predict and TorchServe's form of errors."""

from __future__ import annotations

from typing import Dict, List

from ..errors import ServeError
from ..http.messages import Request, Response, Route
from ..models.registry import ModelRegistry
from ..settings import Settings
from . import own
from .error_form import ErrorForm
from .schemas import TEXT, Operation
from .served_model import ServedModel, ServedModels

# TorchServe's types for the codes of errors.py; any other code has one by its status
_TYPES = {
    "not_found": "ResourceNotFoundException",
    "unknown_model": "ModelNotFoundException",
    "unknown_version": "ModelVersionNotFoundException",
    "method_not_allowed": "MethodNotAllowedException",
}
_TYPES_BY_STATUS = {503: "ServiceUnavailableException", 504: "RequestTimeoutException"}


def error_type(error: ServeError) -> str:
    """TorchServe's word for a failure."""
    by_status = "BadRequestException" if error.status < 500 else "InternalServerException"
    return _TYPES.get(error.code) or _TYPES_BY_STATUS.get(error.status, by_status)


TORCHSERVE_ERRORS = ErrorForm(
    "torchserve_form",
    {"code": {"type": "integer"}, "type": TEXT, "message": TEXT},
    lambda error: {"code": error.status, "type": error_type(error), "message": error.message},
)


class TorchServe:
    """An alias of /predict that knows the model's name and version."""

    def __init__(self, registry: ModelRegistry, settings: Settings) -> None:
        self._models = ServedModels(registry, settings)

    def routes(self) -> List[Route]:
        """Every path that the contract answers."""
        return [
            Route("POST", "/predictions/{model}", self.predict, TORCHSERVE_ERRORS, fast=True),
            Route("POST", "/predictions/{model}/{version}", self.predict, TORCHSERVE_ERRORS, fast=True),
        ]

    def described(self, model: ServedModel) -> Dict[str, Operation]:
        """What the routes take and answer, by path."""
        return dict.fromkeys(("/predictions/{model}", "/predictions/{model}/{version}"), own.prediction(model))

    async def predict(self, request: Request) -> Response:
        """Predictions for rows."""
        return await own.answer(request, self._models.named(request))
