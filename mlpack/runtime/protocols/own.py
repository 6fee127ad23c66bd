"""mlpack's own contract: /predict, the card at /, and the probes."""

from __future__ import annotations

from typing import Any, Dict, List, Tuple

from ..errors import BadInputError, RequestError
from ..http.messages import Request, Response, Route
from ..models.registry import ModelRegistry
from ..settings import Settings
from .encoding.answers import predictions
from .encoding.casting import shown
from .encoding.text import dump, parse
from .error_form import ErrorForm
from .schemas import OBJECT, TEXT, Operation, array, method_query, predictions_schema, record, request_schema
from .served_model import ServedModel, ServedModels

OWN_ERRORS = ErrorForm(
    "own_form",
    {"error": record(code=TEXT, message=TEXT, detail=OBJECT)},
    lambda error: {"error": {"code": error.code, "message": error.message, "detail": error.detail}},
)
READY = Operation.json(record(ready={"const": True}, model=TEXT, verified={"type": "boolean"}))
# What an ensemble's answer may have beside the predictions: who is missing, and with `explain` the part of each member.
_OF_ENSEMBLES: Dict[str, Any] = {
    "partial": {"const": True},
    "missing": array(TEXT),
    "members": array({
        "type": "object",
        "properties": {
            "member": TEXT,
            "seconds": {"type": "number"},
            "attempts": {"type": "integer"},
            "rows": array({"type": "integer"}),
            "outputs": OBJECT,
            "error": OBJECT,
        },
        "required": ["member", "seconds", "attempts"],
    }),
}  # fmt: skip
_FORMS = ("instances", "features", "columns")
_WANTED = '"instances" (rows), "features" (one row) or "columns" (a list of values for each)'


class Own:
    """`{"instances": [...]}`, `{"features": ...}` or `{"columns": {...}}` in, `{"predictions": [...]}` out.

    `?method=`, or `{"parameters": {"method": ...}}`, selects a signature; other parameters are ignored.
    """

    def __init__(self, registry: ModelRegistry, settings: Settings) -> None:
        self._models = ServedModels(registry, settings)

    def routes(self) -> List[Route]:
        """Every path that the contract answers."""
        return [
            Route("POST", "/predict", self.predict, OWN_ERRORS, fast=True),
            Route("GET", "/", self.card, OWN_ERRORS, fast=True),
            Route("GET", "/livez", self.live, OWN_ERRORS, fast=True, quiet=True),
            Route("GET", "/ready", self.ready, OWN_ERRORS, fast=True, quiet=True),
            Route("GET", "/readyz", self.ready, OWN_ERRORS, fast=True, quiet=True),
            Route("GET", "/healthz", self.ready, OWN_ERRORS, fast=True, quiet=True),
        ]

    def described(self, model: ServedModel) -> Dict[str, Operation]:
        """What the routes take and answer, by path."""
        return {
            "/": Operation.json(OBJECT),
            "/livez": Operation.json(record(alive={"const": True})),
            **dict.fromkeys(("/ready", "/readyz", "/healthz"), READY),
            "/predict": prediction(model),
        }

    async def predict(self, request: Request) -> Response:
        """Predictions for rows."""
        return await answer(request, self._models.default())

    async def card(self, _request: Request) -> Response:
        """The model's card: what this image is, and whether the model has answered a row at the start."""
        model = self._models.default()
        return Response(200, dump({**model.card.document, "verified": model.verified}))

    async def live(self, _request: Request) -> Response:
        """200 as long as the process answers, whatever the state of the model."""
        return Response(200, b'{"alive":true}')

    async def ready(self, _request: Request) -> Response:
        """200 when the model can be used, and whether it has answered a row at the start; else 503 with the reason."""
        return self._models.readiness()


def prediction(model: ServedModel) -> Operation:
    """What `/predict` takes and answers."""
    signatures = model.card.signatures
    example = model.example(signatures[0])
    taken = request_schema(signatures, model.max_rows)
    schema, query = predictions_schema(signatures), method_query(signatures)
    if "ensemble" in (model.card.document.get("details") or {}):
        schema = {**schema, "properties": {**schema["properties"], **_OF_ENSEMBLES}}
        query = {**query, "explain": {"enum": ["true", "false"]}}
    return Operation.json(schema, taken, example, query)


async def answer(request: Request, model: ServedModel) -> Response:
    """A model's predictions for a request with one of the bodies of this contract; a failure shows a valid body."""
    signature = model.card.signatures[0]
    try:
        request.require_json()
        body = await model.body(request)
        query = request.query()
        method = query.get("method")
        request.explain = query.get("explain") == "true"
        if method is not None:
            signature = model.signature(method)
        form, value, parameters = _read(parse(body))
        if parameters is not None:
            chosen = model.chosen(parameters)  # refuses what is no object
            request.explain = request.explain or parameters.get("explain") is True
            signature = chosen if method is None else signature
        if form == "columns":
            outputs = await model.columns(request, signature, value)
        else:
            outputs = await model.instances(request, signature, value if form == "instances" else [value])
    except RequestError as error:
        raise model.explained(error, signature) from error.__cause__
    return Response(200, dump({"predictions": predictions(outputs), **request.details}))


def _read(document: Any) -> Tuple[str, Any, Any]:
    """The form of the rows, the rows, and the parameters."""
    if type(document) is dict and len(document) == 1 and "instances" in document:  # nearly always
        return "instances", document["instances"], None
    if type(document) is not dict:
        raise BadInputError(f"the body must be an object with {_WANTED}, not {shown(document)}")
    found: Dict[str, Any] = {name: document[name] for name in _FORMS if name in document}
    unknown = [name for name in document if name not in found and name != "parameters"]
    if len(found) > 1:
        raise BadInputError(f"the body has both {' and '.join(map(shown, found))}; send one of them")
    if not found:
        found_keys = f"; it has {', '.join(map(shown, unknown[:5]))}" if unknown else ""
        raise BadInputError(f"the body needs {_WANTED}{found_keys}")
    if unknown:
        raise BadInputError(f"the body has the unknown key {shown(unknown[0])}")
    form = next(iter(found))
    return form, found[form], document.get("parameters")
