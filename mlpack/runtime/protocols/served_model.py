"""What all contracts do between the wire and a predictor: ServedModel, and ServedModels, which finds one at each request."""

from __future__ import annotations

import asyncio
from functools import lru_cache
from typing import Any, Awaitable, Dict, List, Optional

import numpy as np

from ..card import Card, Signature
from ..errors import BadInputError, NotReadyError, QueueFullError, RequestError, UnknownMethodError, UnknownVersionError
from ..http.messages import Request, Response
from ..models.predictor import Arrays, Call
from ..models.registry import Entry, ModelRegistry
from ..settings import Settings
from .encoding.casting import shown
from .encoding.fitting import fit
from .encoding.rows import Rows
from .encoding.tables import from_columns, from_split
from .encoding.text import dump
from .examples import example_document

_LATEST = "latest"
_MOST_DECODERS = 1024  # signatures whose decoders are kept; of a removed model they stay until others need the room


class ServedModel:
    """A model of the registry for the time of one request: its signatures, its version, and answers to rows or tensors.

    Where a method has `infinite`, the request's body has a word for infinity, so that it is a value of floats.
    """

    __slots__ = ("_entry", "card", "max_rows")

    def __init__(self, entry: Entry, max_rows: int) -> None:
        self._entry = entry
        self.card: Card = entry.card
        self.max_rows = max_rows

    @property
    def version(self) -> str:
        """The version by which clients name it."""
        return self._entry.version

    @property
    def verified(self) -> bool:
        """Whether the model is ready and has answered a row at its start."""
        return self._entry.state.ready and not self._entry.state.unverified

    async def body(self, request: Request) -> bytes:
        """The request's body; raises NotReadyError before the model is loaded, MediaTypeError for a compressed body."""
        state = self._entry.state
        if not state.accepts:
            raise NotReadyError(state.reason)
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
        """The signature that the body's `parameters` name as `method`; other parameters are ignored."""
        if parameters is not None and type(parameters) is not dict:
            raise BadInputError(f"the parameters must be an object, not {shown(parameters)}")
        return self.signature((parameters or {}).get("method", default))

    def rows(self, signature: Signature, *, infinite: bool = False) -> Rows:
        """The decoder of the signature's rows."""
        return _decoder(signature, self.max_rows, infinite)

    async def instances(self, request: Request, signature: Signature, rows: Any, *, infinite: bool = False) -> Arrays:
        """The outputs for rows of JSON; for no rows there are no predictions, and the model is not called."""
        if type(rows) is list and not rows:
            request.rows = 0
            return _no_predictions(signature)
        inputs, request.rows = _decoder(signature, self.max_rows, infinite).decode(rows)
        return await self._predict(request, _call(request, signature, inputs))

    async def columns(self, request: Request, signature: Signature, columns: Any, *, infinite: bool = False) -> Arrays:
        """The outputs for lists of values by column."""
        rows = from_columns(self.rows(signature, infinite=infinite), columns)
        return await self.instances(request, signature, rows, infinite=infinite)

    async def split(self, request: Request, signature: Signature, table: Any, *, infinite: bool = False) -> Arrays:
        """The outputs for a table of column names and rows."""
        rows = from_split(self.rows(signature, infinite=infinite), table)
        return await self.instances(request, signature, rows, infinite=infinite)

    async def tensors(self, request: Request, signature: Signature, tensors: Arrays) -> Arrays:
        """The outputs for arrays by name."""
        inputs, request.rows = fit(signature, tensors, self.max_rows)
        return await self._predict(request, _call(request, signature, inputs))

    async def _predict(self, request: Request, call: Call) -> Arrays:
        predictor = self._entry.predictor
        request.call = call
        outcome: Awaitable[Arrays] = predictor.predict(call)
        if getattr(predictor, "needs_task", True):
            outcome = asyncio.ensure_future(outcome)
        try:
            request.outputs = outputs = await outcome
        except QueueFullError:  # the log keeps no inputs of calls that never waited for the model
            request.call = None
            raise
        return outputs

    def explained(self, error: RequestError, signature: Signature) -> RequestError:
        """The failure with the expected form of a row and an example of a valid body in its detail."""
        error.detail.setdefault("expected", self.rows(signature).expected())
        error.detail["example"] = self.example(signature)
        return error

    def example(self, signature: Signature) -> Dict[str, List[Any]]:
        """A valid body for `/predict`."""
        return example_document(signature, self.card.sample_for(signature))


class ServedModels:
    """Finds the model that a request is for, in the registry as it is at this moment."""

    def __init__(self, registry: ModelRegistry, settings: Settings) -> None:
        self._registry = registry
        self._max_rows = settings.max_rows

    def default(self) -> ServedModel:
        """The model of the routes that name none."""
        return ServedModel(self._registry.get(), self._max_rows)

    def named(self, request: Request) -> ServedModel:
        """The model that the path names; raises UnknownModelError, UnknownVersionError."""
        return ServedModel(self.entry(request), self._max_rows)

    def entry(self, request: Request) -> Entry:
        """The registry's entry for the names in the path: `model`, perhaps `version` or `label`."""
        names = request.names
        if len(names) == 1:
            return self._registry.get(names["model"])
        entry = self._registry.get(names["model"], names.get("version"))
        if names.get("label", _LATEST) != _LATEST:
            raise UnknownVersionError(f"{entry.card.name} has no label {shown(names['label'])}; it has {_LATEST}")
        return entry

    def require_ready(self, entry: Optional[Entry] = None) -> None:
        """Raise NotReadyError where no traffic should come to this model, or to the server for None."""
        reason = self._registry.why_not_ready(entry)
        if reason:
            raise NotReadyError(reason)

    def readiness(self) -> Response:
        """200 when traffic may come; raises NotReadyError."""
        self.require_ready()
        entry = self._registry.get()
        found = {"ready": True, "model": entry.card.name, "verified": not entry.state.unverified}
        if entry.state.unverified:
            found["reason"] = entry.state.unverified
        return Response(200, dump(found))


def _call(request: Request, signature: Signature, inputs: Arrays) -> Call:
    return Call(signature, inputs, request.deadline, request.trace(), request_id=request.id, explain=request.explain)


def _no_predictions(signature: Signature) -> Arrays:
    names = [spec.name for spec in signature.outputs] or ["predictions"]
    return {name: np.empty(0, dtype=object) for name in names}


@lru_cache(maxsize=_MOST_DECODERS)
def _decoder(signature: Signature, max_rows: int, infinite: bool) -> Rows:
    return Rows(signature, max_rows, infinite=infinite)
