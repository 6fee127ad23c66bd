"""mlpack's own contract: /predict, the card at /, and the probes."""

from __future__ import annotations

from typing import Any, Dict, List, Tuple

from ..card import Signature
from ..errors import BadInputError, RequestError
from ..http.messages import Request, Response, Route
from ..models.predictor import Arrays
from ..models.registry import Models
from ..settings import Settings
from .answering import Answering
from .encoding.answers import predictions
from .encoding.casting import shown
from .encoding.text import dump, parse
from .forms import own_form

_FORMS = ("instances", "features", "columns")
_WANTED = '"instances" (rows), "features" (one row) or "columns" (a list of values for each)'


class Own:
    """`{"instances": [...]}`, `{"features": ...}` or `{"columns": {...}}` in, `{"predictions": [...]}` out.

    `?method=`, or `{"parameters": {"method": ...}}`, picks a signature; other parameters are passed over.
    """

    def __init__(self, models: Models, settings: Settings) -> None:
        self._answering = Answering(models, settings)
        self._page = dump(models.card.document)

    def routes(self) -> List[Route]:
        """Every path that the contract answers."""
        return [
            Route("POST", "/predict", self.predict, own_form),
            Route("GET", "/", self.card, own_form),
            Route("GET", "/livez", self.live, own_form, quiet=True),
            Route("GET", "/ready", self.ready, own_form, quiet=True),
            Route("GET", "/readyz", self.ready, own_form, quiet=True),
            Route("GET", "/healthz", self.ready, own_form, quiet=True),
        ]

    async def predict(self, request: Request) -> Response:
        """Answers rows."""
        signature = self._answering.card.signatures[0]
        try:
            request.require_json()
            body = await self._answering.body(request)
            method = request.query().get("method")
            if method is not None:
                signature = self._answering.signature(method)
            form, value, parameters = _read(parse(body))
            if method is None and parameters is not None:
                signature = self._answering.chosen(parameters)
            outputs = await self._asked(request, signature, form, value)
        except RequestError as error:
            raise self._answering.helped(error, signature) from error.__cause__
        return Response(200, dump({"predictions": predictions(outputs)}))

    async def card(self, _request: Request) -> Response:
        """What this image is: its card."""
        return Response(200, self._page)

    async def live(self, _request: Request) -> Response:
        """Whether the process answers; nothing is said of the model."""
        return Response(200, b'{"alive":true}')

    async def ready(self, _request: Request) -> Response:
        """200 when the model has answered its warm-up, else 503 with the reason."""
        return self._answering.ready()

    async def _asked(self, request: Request, signature: Signature, form: str, value: Any) -> Arrays:
        if form == "columns":
            return await self._answering.columns(request, signature, value)
        return await self._answering.instances(request, signature, value if form == "instances" else [value])


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
        told = f"; it has {', '.join(map(shown, unknown[:5]))}" if unknown else ""
        raise BadInputError(f"the body needs {_WANTED}{told}")
    if unknown:
        raise BadInputError(f"the body has the unknown key {shown(unknown[0])}")
    form = next(iter(found))
    return form, found[form], document.get("parameters")
