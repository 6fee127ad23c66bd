"""Vertex AI's custom container contract: the routes that its AIP_* variables name, on our own /predict and readiness."""

from __future__ import annotations

import os
import re
from typing import Dict, List, Mapping, Optional

from ..errors import StartError
from ..http.messages import Request, Response, Route
from ..models.registry import ModelRegistry
from ..settings import Settings
from .own import OWN_ERRORS, READY, Own, prediction
from .schemas import OBJECT, Operation
from .served_model import ServedModel, ServedModels

_MODEL = re.compile(r"/(?:v1/models|v2/models|predictions)/([^/:]+)")


class Vertex:
    """AIP_HEALTH_ROUTE means ready, whatever else answers there; AIP_PREDICT_ROUTE is /predict, unless it is a route already.

    Where Vertex names an endpoint and a deployed model but no routes, they are those of its documentation.
    """

    def __init__(self, registry: ModelRegistry, settings: Settings) -> None:
        self._registry = registry
        self._models = ServedModels(registry, settings)
        self._own = Own(registry, settings)
        self._health = _route(os.environ, "AIP_HEALTH_ROUTE", "")
        self._predict = _route(os.environ, "AIP_PREDICT_ROUTE", ":predict")

    def routes(self) -> List[Route]:
        """Every path that the contract answers."""
        found = []
        if self._health:
            found.append(Route("GET", self._health, self.health, OWN_ERRORS, fast=True, quiet=True, rank=-1))
        if self._predict:
            # a path that names a model which is not served here would be "unknown model" at the contract that it belongs to
            rank = -1 if self._names_unknown_model(self._predict) else 1
            found.append(Route("POST", self._predict, self._own.predict, OWN_ERRORS, fast=True, rank=rank))
        return found

    def described(self, model: ServedModel) -> Dict[str, Operation]:
        """What the routes take and answer, by path."""
        health = Operation.json(OBJECT) if self._health == "/" else READY
        found = [(self._health, health), (self._predict, prediction(model))]
        return {path: operation for path, operation in found if path}

    async def health(self, request: Request) -> Response:
        """200 when the model has answered its warm-up, else 503 with the reason."""
        ready = self._models.readiness()
        return await self._own.card(request) if self._health == "/" else ready

    def _names_unknown_model(self, path: str) -> bool:
        named = _MODEL.match(path)
        return named is not None and named.group(1) not in [one.card.name for one in self._registry.list()]


def _route(environ: Mapping[str, str], name: str, ending: str) -> Optional[str]:
    """The path that the variable names, with a slash before it; None where it is not set.

    Raises:
        StartError: what it names is no path.
    """
    given = environ.get(name, "").strip()
    endpoint, model = environ.get("AIP_ENDPOINT_ID", "").strip(), environ.get("AIP_DEPLOYED_MODEL_ID", "").strip()
    if not given and endpoint and model:
        given = f"/v1/endpoints/{endpoint}/deployedModels/{model}{ending}"
    if not given:
        return None
    if any(sign in given for sign in "?#{}% ") or not given.isascii() or not given.isprintable():
        raise StartError(f"{name}: {given!r} is not a path, such as /predict", exit_code=2)
    return "/" + given.lstrip("/")
