"""TorchServe's inference path for those who come from it: /predictions/{model}, with our own bodies and its errors."""

from __future__ import annotations

from typing import List

from ..http.messages import Request, Response, Route
from ..models.registry import Models
from ..settings import Settings
from .answering import Answering
from .forms import torchserve_form
from .own import Own


class TorchServe:
    """An alias of /predict that knows the model's name and version."""

    def __init__(self, models: Models, settings: Settings) -> None:
        self._answering = Answering(models, settings)
        self._own = Own(models, settings)

    def routes(self) -> List[Route]:
        """Every path that the contract answers."""
        return [
            Route("POST", "/predictions/{model}", self.predict, torchserve_form),
            Route("POST", "/predictions/{model}/{version}", self.predict, torchserve_form),
        ]

    async def predict(self, request: Request) -> Response:
        """Answers rows."""
        self._answering.require_named(request)
        return await self._own.predict(request)
