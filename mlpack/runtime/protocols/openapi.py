"""/openapi.json: every route of every contract as OpenAPI 3.1, with the schemas that the contracts give."""

from __future__ import annotations

import re
from typing import Any, Dict, List, Optional, cast

from ..card import Card
from ..http.messages import Request, Response, Route
from ..models.registry import ModelRegistry
from ..settings import Settings
from .encoding.text import dump
from .error_form import ErrorForm
from .own import OWN_ERRORS
from .schemas import OBJECT, TEXT, Operation, record
from .served_model import ServedModel, ServedModels


class OpenApi:
    """The document is made at the first request for it, and again for another default model.

    Schemas and examples are those of the default model.
    """

    def __init__(self, registry: ModelRegistry, settings: Settings) -> None:
        self._registry = registry
        self._settings = settings
        self._models = ServedModels(registry, settings)
        self._document = b""
        self._card: Optional[Card] = None  # of which the document is made

    def routes(self) -> List[Route]:
        """Every path that the contract answers."""
        return [Route("GET", "/openapi.json", self.openapi, OWN_ERRORS, fast=True)]

    def described(self, _model: ServedModel) -> Dict[str, Operation]:
        """What the routes answer, by path."""
        return {"/openapi.json": Operation.json(record(openapi=TEXT, info=OBJECT, paths=OBJECT))}

    async def openapi(self, _request: Request) -> Response:
        """This document."""
        model = self._models.default()
        if self._card is not model.card:
            self._card, self._document = model.card, dump(self._describe(model))
        return Response(200, self._document)

    def _describe(self, model: ServedModel) -> Dict[str, Any]:
        from . import contracts

        paths: Dict[str, Dict[str, Any]] = {}
        forms: Dict[str, ErrorForm] = {}
        for name, contract in contracts(self._registry, self._settings):
            operations = contract.described(model)
            for route in contract.routes():
                operation = operations.get(route.path, Operation())
                if not operation.offered:
                    continue
                form = cast("ErrorForm", route.write_error)
                forms.setdefault(form.name, form)
                described = _operation(name, route, operation, form, model)
                paths.setdefault(route.path, {}).setdefault(route.method.lower(), described)
        return {
            "openapi": "3.1.0",
            "info": {
                "title": model.card.name,
                "version": model.version,
                "description": f"The model {model.card.name}, by any of the contracts that the tags name.",
            },
            "servers": [{"url": "/"}],
            "paths": paths,
            "components": {"schemas": {name: record(**form.properties) for name, form in forms.items()}},
        }


def _operation(
    contract: str, route: Route, operation: Operation, form: ErrorForm, model: ServedModel
) -> Dict[str, Any]:
    versions = (model.version,) if operation.versions is None else operation.versions
    values = {"model": [model.card.name], "version": list(versions), "label": ["latest"]}
    names = re.findall(r"\{(\w+)\}", route.path)
    parameters: List[Dict[str, Any]] = [
        {"name": one, "in": "path", "required": True, "schema": {"enum": values[one]} if one in values else TEXT}
        for one in names
    ]
    parameters += [
        {"name": one, "in": "query", "required": False, "schema": schema} for one, schema in operation.query.items()
    ]
    error = {"application/json": {"schema": {"$ref": f"#/components/schemas/{form.name}"}}}
    success: Dict[str, Any] = {"description": "The answer."}
    if operation.answer:
        success["content"] = {media: {"schema": schema} for media, schema in operation.answer.items()}
    words = re.sub(r"\W+", " ", route.path).split()
    summary = (route.handler.__doc__ or "").strip().splitlines()
    return {
        "tags": [contract],
        "summary": summary[0] if summary else "",
        "operationId": "_".join([contract, route.method.lower(), *words]),
        **({"parameters": parameters} if parameters else {}),
        **({"requestBody": {"required": True, "content": operation.body}} if operation.body else {}),
        "responses": {"200": success, "default": {"description": "A failure.", "content": error}},
    }
