"""TorchServe's inference route: /predictions/{model}, with the bodies of /predict and TorchServe's form of errors."""

from __future__ import annotations

from typing import List

from ..http.messages import Request, Response, Route
from ..models.registry import ModelRegistry
from ..settings import Settings
from . import own
from .forms import torchserve_form
from .served_model import ServedModels


class TorchServe:
    """An alias of /predict that knows the model's name and version."""

    def __init__(self, registry: ModelRegistry, settings: Settings) -> None:
        self._models = ServedModels(registry, settings)

    def routes(self) -> List[Route]:
        """Every path that the contract answers."""
        return [
            Route("POST", "/predictions/{model}", self.predict, torchserve_form, fast=True),
            Route("POST", "/predictions/{model}/{version}", self.predict, torchserve_form, fast=True),
        ]

    async def predict(self, request: Request) -> Response:
        """Predictions for rows."""
        return await own.answer(request, self._models.named(request))
