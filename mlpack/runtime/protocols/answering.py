"""What all contracts do between the wire and the predictor: Answering."""

from __future__ import annotations

from typing import Any, Dict, List, Optional

from ..card import Card, Signature
from ..errors import (
    BadInputError,
    NotReadyError,
    RequestError,
    UnknownMethodError,
    UnknownModelError,
    UnknownVersionError,
)
from ..http.messages import Request, Response
from ..models.predictor import Arrays
from ..models.registry import Models
from ..settings import Settings
from .encoding.casting import shown
from .encoding.fitting import fit
from .encoding.rows import Rows
from .encoding.tables import from_columns, from_split
from .encoding.text import dump
from .examples import example_document


class Answering:
    """The served model as the contracts see it: its names, its signatures, and rows or tensors answered.

    With `infinite` the contract has a word for infinity, so that it is a value of floats.
    """

    def __init__(self, models: Models, settings: Settings, *, infinite: bool = False) -> None:
        self.card: Card = models.card
        self.version: str = models.card.version or "1"
        self.max_rows = settings.max_rows
        self._models = models
        self.rows = {one: Rows(one, settings.max_rows, infinite=infinite) for one in models.card.signatures}

    def require_ready(self) -> None:
        """Raises NotReadyError where no traffic should come: before the warm-up, and once the process was told to stop."""
        reason = self._models.why_not_ready()
        if reason:
            raise NotReadyError(reason)

    def ready(self) -> Response:
        """200 when traffic may come; raises NotReadyError."""
        self.require_ready()
        return Response(200, dump({"ready": True, "model": self.card.name}))

    def require_named(self, request: Request) -> None:
        """Raises UnknownModelError, UnknownVersionError where the path names another model than this one."""
        names = request.names
        if names["model"] != self.card.name:
            raise UnknownModelError(f"there is no model {shown(names['model'])}; this server has {self.card.name}")
        version = names.get("version", self.version)
        if version != self.version:
            raise UnknownVersionError(f"{self.card.name} has no version {shown(version)}; it has {self.version}")
        if names.get("label", "latest") != "latest":
            raise UnknownVersionError(f"{self.card.name} has no label {shown(names['label'])}; it has latest")

    async def body(self, request: Request) -> bytes:
        """The request's body, once the model is ready and the body is known to be plain."""
        self._models.predictor()
        request.refuse_compressed()
        return await request.body()

    def signature(self, name: Any, *aliases: str) -> Signature:
        """The signature of that name or method, the first for None or one of the aliases; raises UnknownMethodError."""
        found = self.card.signature(name) if name is None or type(name) is str else None
        if found is None and name in aliases:
            return self.card.signatures[0]
        if found is None:
            offered = [one.name for one in self.card.signatures]
            raise UnknownMethodError(
                f"the model has no method {shown(name)}; it has {', '.join(offered)}", detail={"methods": offered}
            )
        return found

    def chosen(self, parameters: Any, default: Optional[str] = None) -> Signature:
        """The signature that `parameters` names as `method`; what else they hold is not ours."""
        if parameters is not None and type(parameters) is not dict:
            raise BadInputError(f"the parameters must be an object, not {shown(parameters)}")
        return self.signature((parameters or {}).get("method", default))

    async def instances(self, request: Request, signature: Signature, instances: Any) -> Arrays:
        """The outputs for rows of JSON."""
        inputs, request.rows = self.rows[signature].decode(instances)
        return await self._models.predictor().predict(signature, inputs)

    async def columns(self, request: Request, signature: Signature, columns: Any) -> Arrays:
        """The outputs for lists of values by column."""
        return await self.instances(request, signature, from_columns(self.rows[signature], columns))

    async def split(self, request: Request, signature: Signature, table: Any) -> Arrays:
        """The outputs for a table of column names and rows."""
        return await self.instances(request, signature, from_split(self.rows[signature], table))

    async def arrays(self, request: Request, signature: Signature, tensors: Arrays) -> Arrays:
        """The outputs for arrays by name."""
        inputs, request.rows = fit(signature, tensors, self.max_rows)
        return await self._models.predictor().predict(signature, inputs)

    def helped(self, error: RequestError, signature: Signature) -> RequestError:
        """The failure with what would have been right."""
        error.detail.setdefault("expected", self.rows[signature].expected())
        error.detail["example"] = self.example(signature)
        return error

    def example(self, signature: Signature) -> Dict[str, List[Any]]:
        """A body for `/predict` that is answered."""
        return example_document(signature, self._models.sample_for(signature))
