"""SageMaker's container contract, whose /invocations is MLflow's too: JSON, CSV, JSON Lines and .npy, both ways."""

from __future__ import annotations

from typing import Dict, List

from ..card import Signature
from ..errors import MediaTypeError, NotAcceptableError
from ..http.messages import Request, Response, Route
from ..http.negotiation import accepted
from ..models.predictor import Arrays
from ..models.registry import ModelRegistry
from ..settings import Settings
from .encoding.answers import predictions
from .encoding.csv_rows import read_csv, read_lines, write_csv, write_lines
from .encoding.npy import read_npy, write_npy
from .encoding.text import dump, parse
from .mlflow import MLFLOW_ERRORS, Body
from .schemas import (
    BINARY,
    TEXT,
    Operation,
    Schema,
    any_of,
    bodies_schema,
    columns_schema,
    method_query,
    predictions_schema,
    rows_schema,
    split_schema,
)
from .served_model import ServedModel, ServedModels

_JSON, _CSV, _LINES, _NPY = "application/json", "text/csv", "application/jsonlines", "application/x-npy"
_ALIASES = {"application/x-jsonlines": _LINES, "application/jsonl": _LINES, "application/x-ndjson": _LINES}
_TYPES = (_JSON, _CSV, _LINES, _NPY)


class SageMaker:
    """The body's Content-Type says how the rows are read (JSON where it says nothing), Accept how the answer is written."""

    def __init__(self, registry: ModelRegistry, settings: Settings) -> None:
        self._models = ServedModels(registry, settings)

    def routes(self) -> List[Route]:
        """Every path that the contract answers."""
        return [
            Route("POST", "/invocations", self.invoke, MLFLOW_ERRORS, fast=True),
            Route("GET", "/ping", self.ping, MLFLOW_ERRORS, fast=True, quiet=True),
        ]

    def described(self, model: ServedModel) -> Dict[str, Operation]:
        """What the routes take and answer, by path."""
        signatures = model.card.signatures
        rows = rows_schema(signatures[0], model.max_rows)
        taken = any_of([rows, bodies_schema(signatures, lambda one: _forms(one, model.max_rows), ("params",))])
        body = {
            _JSON: {"schema": taken, "example": model.example(signatures[0])},
            **{media: {"schema": TEXT} for media in (_CSV, _LINES)},
            _NPY: {"schema": BINARY},
        }
        answer = {_JSON: predictions_schema(signatures), _CSV: TEXT, _LINES: TEXT, _NPY: BINARY}
        return {"/invocations": Operation(answer, body, method_query(signatures))}

    async def ping(self, _request: Request) -> Response:
        """200 and nothing else when the model has answered its warm-up, else 503 with the reason."""
        self._models.require_ready()
        return Response(200, b"")

    async def invoke(self, request: Request) -> Response:
        """Predictions for rows."""
        given = _given(request)
        wanted = _wanted(request.header(b"accept"))
        model = self._models.default()
        outputs = await _outputs(model, request, given, await model.body(request))
        if wanted == _JSON:
            return Response(200, dump({"predictions": predictions(outputs)}))
        if wanted == _NPY:
            return Response(200, write_npy(outputs), _NPY.encode())
        write = write_csv if wanted == _CSV else write_lines
        return Response(200, write(predictions(outputs)), wanted.encode())


async def _outputs(model: ServedModel, request: Request, given: str, body: bytes) -> Arrays:
    # the CSV reader distinguishes infinity from 1e999, the JSON reader does not
    infinite = given == _CSV or b"Infinity" in body
    signature: Signature = model.signature(request.query().get("method"))
    if given == _CSV:
        rows = read_csv(body, model.rows(signature, infinite=infinite))
        return await model.instances(request, signature, rows, infinite=infinite)
    if given == _LINES:
        return await model.instances(request, signature, read_lines(body, model.max_rows), infinite=infinite)
    if given == _NPY:
        return await model.tensors(request, signature, {signature.inputs[0].name: read_npy(body)})
    parsed = Body.read(parse(body, tokens=True))
    if parsed.params is not None:
        signature = model.chosen(parsed.params, request.query().get("method"))
    return await parsed.outputs(model, request, signature, infinite=infinite)


def _given(request: Request) -> str:
    """The type of the body, one of ours; raises MediaTypeError."""
    given = request.media_type()
    given = _ALIASES.get(given, given) or _JSON
    if given not in _TYPES:
        raise MediaTypeError(f"the body is {given[:100]}; it must be one of {', '.join(_TYPES)}")
    return given


def _wanted(accept: str) -> str:
    """The type of ours that the client prefers; JSON where it accepts any, or has no Accept header."""
    for name in accepted(accept):
        name = _ALIASES.get(name, name)  # noqa: PLW2901 - the same type
        if name in ("", "*/*", "application/*", *_TYPES):
            return name if name in _TYPES else _JSON
    raise NotAcceptableError(f"the answer can be {', '.join(_TYPES)}, not {accept[:100]}")


def _forms(signature: Signature, max_rows: int) -> Dict[str, Schema]:
    rows = rows_schema(signature, max_rows)
    return {
        "dataframe_split": split_schema(signature, max_rows),
        "dataframe_records": rows,
        "instances": rows,
        "inputs": any_of([rows, columns_schema(signature, max_rows)]),
    }
