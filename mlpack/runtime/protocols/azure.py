"""Azure ML's online endpoints: /score, with the envelopes of its scoring scripts and of its MLflow models."""

from __future__ import annotations

from typing import Dict, List

from ..card import Signature
from ..errors import BadInputError
from ..http.messages import Request, Response, Route
from ..models.registry import ModelRegistry
from ..settings import Settings
from .encoding.answers import predictions
from .encoding.casting import shown
from .encoding.text import dump, parse
from .own import OWN_ERRORS
from .schemas import (
    Operation,
    Schema,
    any_of,
    array,
    bodies_schema,
    columns_schema,
    prediction_schema,
    rows_schema,
    split_schema,
)
from .served_model import ServedModel, ServedModels

_FORMS = ("data", "input_data")


class Azure:
    """`{"data": rows}` or `{"input_data": rows or a split table}` in, the bare list of predictions out."""

    def __init__(self, registry: ModelRegistry, settings: Settings) -> None:
        self._models = ServedModels(registry, settings)

    def routes(self) -> List[Route]:
        """Every path that the contract answers."""
        return [Route("POST", "/score", self.score, OWN_ERRORS, fast=True)]

    def described(self, model: ServedModel) -> Dict[str, Operation]:
        """What the routes take and answer, by path."""
        signatures = model.card.signatures
        answer = array(any_of([prediction_schema(one) for one in signatures]))
        taken = bodies_schema(
            signatures, lambda one: dict.fromkeys(_FORMS, _rows_or_table(one, model.max_rows)), ("params",)
        )
        return {"/score": Operation.json(answer, taken, {"data": model.example(signatures[0])["instances"]})}

    async def score(self, request: Request) -> Response:
        """Predictions for rows."""
        request.require_json()
        model = self._models.default()
        body = await model.body(request)
        document = parse(body, tokens=True)
        forms = [name for name in _FORMS if type(document) is dict and name in document]
        if len(forms) != 1 or set(document) - {*_FORMS, "params", "parameters"}:
            raise BadInputError(f'the body must be an object with either "data" or "input_data", not {shown(document)}')
        value = document[forms[0]]
        signature = model.chosen(document.get("params", document.get("parameters")))
        infinite = b"Infinity" in body
        if type(value) is dict and "data" in value:
            outputs = await model.split(request, signature, value, infinite=infinite)
        elif type(value) is dict:
            outputs = await model.columns(request, signature, value, infinite=infinite)
        else:
            outputs = await model.instances(request, signature, value, infinite=infinite)
        return Response(200, dump(predictions(outputs)))


def _rows_or_table(signature: Signature, max_rows: int) -> Schema:
    made = (rows_schema, columns_schema, split_schema)
    return any_of([schema(signature, max_rows) for schema in made])
