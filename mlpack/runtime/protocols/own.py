"""mlpack's own contract: /predict, the card at /, and the probes."""

from __future__ import annotations

from typing import Any, Dict, List, Tuple

from ..card import Signature
from ..errors import BadInputError, NotReadyError, RequestError, ServeError, UnknownMethodError
from ..models import Models
from ..predictor import Arrays
from ..settings import Settings
from ..wire import Request, Response, Route
from .casting import shown
from .examples import example_document
from .rows import Rows
from .text import dump, parse


class Own:
    """`{"instances": [...]}` or `{"features": [...]}` in, `{"predictions": [...]}` out; `?method=` picks a signature."""

    def __init__(self, models: Models, settings: Settings) -> None:
        self._models = models
        self._card = models.card
        self._page = dump(models.card.document)
        self._rows = {signature: Rows(signature, settings.max_rows) for signature in models.card.signatures}

    def routes(self) -> List[Route]:
        """Every path that the contract answers."""
        return [
            Route("POST", "/predict", self.predict, self.tell),
            Route("GET", "/", self.card, self.tell),
            Route("GET", "/livez", self.live, self.tell, quiet=True),
            Route("GET", "/readyz", self.ready, self.tell, quiet=True),
            Route("GET", "/ready", self.ready, self.tell, quiet=True),
        ]

    async def predict(self, request: Request) -> Response:
        """Answers rows."""
        predictor = self._models.predictor()
        signature = self._card.signatures[0]
        try:
            request.require_json()
            body = await request.body()
            signature = self._choose(request.query())
            instances = _instances(parse(body))
            inputs, request.rows = self._rows[signature].decode(instances)
            outputs = await predictor.predict(signature, inputs)
        except RequestError as error:
            raise self._helped(error, signature) from error.__cause__
        return Response(200, dump({"predictions": _predictions(outputs)}))

    async def card(self, _request: Request) -> Response:
        """What this image is: its card."""
        return Response(200, self._page)

    async def live(self, _request: Request) -> Response:
        """The process answers; nothing is said of the model."""
        return Response(200, b'{"alive":true}')

    async def ready(self, _request: Request) -> Response:
        """200 when the model has answered its warm-up, else 503 with the reason."""
        reason = self._models.why_not_ready()
        if reason:
            raise NotReadyError(reason)
        return Response(200, dump({"ready": True, "model": self._card.name}))

    @staticmethod
    def tell(error: ServeError) -> Response:
        """A failure in this contract's form."""
        document = {"error": {"code": error.code, "message": error.message, "detail": error.detail}}
        return Response(error.status, dump(document), headers=error.headers)

    def _choose(self, query: Dict[str, str]) -> Signature:
        method = query.get("method")
        signature = self._card.signature(method)
        if signature is None:
            offered = [one.name for one in self._card.signatures]
            raise UnknownMethodError(
                f"the model has no method {shown(method)}; it has {', '.join(offered)}", detail={"methods": offered}
            )
        return signature

    def _helped(self, error: RequestError, signature: Signature) -> RequestError:
        error.detail.setdefault("expected", self._rows[signature].expected())
        error.detail["example"] = example_document(signature, self._models.sample_for(signature))
        return error


def _instances(document: Any) -> Any:
    if type(document) is not dict:
        raise BadInputError(
            f'the body must be an object with "instances" (rows) or "features" (one row), not {shown(document)}'
        )
    if len(document) == 1:
        if "instances" in document:
            return document["instances"]
        if "features" in document:
            return [document["features"]]
    if "instances" in document and "features" in document:
        raise BadInputError('the body has both "instances" and "features"; send one of them')
    unknown = [name for name in document if name not in ("instances", "features")]
    if len(unknown) == len(document):
        found = f"; it has {', '.join(map(shown, unknown[:5]))}" if unknown else ""
        raise BadInputError('the body needs "instances" (rows) or "features" (one row)' + found)
    raise BadInputError(f"the body has the unknown key {shown(unknown[0])}")


def _predictions(outputs: Arrays) -> List[Any]:
    """The first output's rows; with several outputs, each row an object of them all."""
    columns: List[Tuple[str, List[Any]]] = [(name, array.tolist()) for name, array in outputs.items()]
    if len(columns) == 1:
        return columns[0][1]
    names = [name for name, _ in columns]
    return [dict(zip(names, row)) for row in zip(*(values for _, values in columns))]
