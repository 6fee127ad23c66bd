"""Vertex AI's custom container contract: the routes that its AIP_* variables name, on our own /predict and readiness."""

from __future__ import annotations

import os
import re
from typing import List, Mapping, Optional

from ..errors import StartError
from ..http.messages import Request, Response, Route
from ..models.registry import Models
from ..settings import Settings
from .answering import Answering
from .forms import own_form
from .own import Own

_MODEL = re.compile(r"/(?:v1/models|v2/models|predictions)/([^/:]+)")


class Vertex:
    """AIP_HEALTH_ROUTE means ready, whatever else answers there; AIP_PREDICT_ROUTE is /predict, unless it is a route already.

    Where Vertex names an endpoint and a deployed model but no routes, they are those of its documentation.
    """

    def __init__(self, models: Models, settings: Settings) -> None:
        self._answering = Answering(models, settings)
        self._own = Own(models, settings)
        self._health = _route(os.environ, "AIP_HEALTH_ROUTE", "")
        self._predict = _route(os.environ, "AIP_PREDICT_ROUTE", ":predict")

    def routes(self) -> List[Route]:
        """Every path that the contract answers."""
        found = []
        if self._health:
            found.append(Route("GET", self._health, self.health, own_form, quiet=True, rank=-1))
        if self._predict:
            # what names another model is answered nowhere else
            rank = -1 if _names_another(self._predict, self._answering.card.name) else 1
            found.append(Route("POST", self._predict, self._own.predict, own_form, rank=rank))
        return found

    async def health(self, request: Request) -> Response:
        """200 when the model has answered its warm-up, else 503 with the reason."""
        ready = self._answering.ready()
        return await self._own.card(request) if self._health == "/" else ready


def _names_another(path: str, model: str) -> bool:
    named = _MODEL.match(path)
    return named is not None and named.group(1) != model


def _route(environ: Mapping[str, str], name: str, ending: str) -> Optional[str]:
    """The path that the variable names, with a slash before it; None where nothing asks for one.

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
