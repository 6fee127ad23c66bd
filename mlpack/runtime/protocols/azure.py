"""Azure ML's online endpoints: /score, with the envelopes of its scoring scripts and of its MLflow models."""

from __future__ import annotations

from typing import Any, List

from ..errors import BadInputError
from ..http.messages import Request, Response, Route
from ..models.predictor import Arrays
from ..models.registry import Models
from ..settings import Settings
from .answering import Answering
from .encoding.answers import predictions
from .encoding.casting import shown
from .encoding.text import dump, parse
from .forms import own_form

_FORMS = ("data", "input_data")


class Azure:
    """`{"data": rows}` or `{"input_data": rows or a split table}` in, the bare list of predictions out."""

    def __init__(self, models: Models, settings: Settings) -> None:
        self._answering = Answering(models, settings)
        self._infinite = Answering(models, settings, infinite=True)

    def routes(self) -> List[Route]:
        """Every path that the contract answers."""
        return [Route("POST", "/score", self.score, own_form)]

    async def score(self, request: Request) -> Response:
        """Answers rows."""
        request.require_json()
        body = await self._answering.body(request)
        document = parse(body, tokens=True)
        answering = self._infinite if b"Infinity" in body else self._answering
        forms = [name for name in _FORMS if type(document) is dict and name in document]
        if len(forms) != 1 or set(document) - {*_FORMS, "params", "parameters"}:
            raise BadInputError(f'the body must be an object with either "data" or "input_data", not {shown(document)}')
        value = document[forms[0]]
        parameters = document.get("params", document.get("parameters"))
        outputs = await _asked(answering, request, value, parameters)
        return Response(200, dump(predictions(outputs)))


async def _asked(answering: Answering, request: Request, value: Any, parameters: Any) -> Arrays:
    signature = answering.chosen(parameters)
    if type(value) is dict and "data" in value:
        return await answering.split(request, signature, value)
    if type(value) is dict:
        return await answering.columns(request, signature, value)
    return await answering.instances(request, signature, value)
