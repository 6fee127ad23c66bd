"""/openapi.json: every route of every contract as OpenAPI 3.1, with the schemas that the card tells."""

from __future__ import annotations

import re
from typing import Any, Callable, Dict, List, Optional

from ..card import Card
from ..http.messages import Request, Response, Route
from ..models.registry import ModelRegistry
from ..settings import Settings
from . import forms
from .encoding.text import dump
from .schemas import Schema, any_of, prediction_schema, request_schema, row_schema
from .served_model import ServedModel, ServedModels

_TEXT: Schema = {"type": "string"}
_FLAG: Schema = {"type": "boolean"}
_ANY: Schema = {"type": "object"}
_ERRORS: Dict[Callable[..., Any], Schema] = {
    forms.own_form: {
        "error": {
            "type": "object",
            "properties": {"code": _TEXT, "message": _TEXT, "detail": _ANY},
            "required": ["code", "message", "detail"],
        }
    },
    forms.text_form: {"error": _TEXT},
    forms.mlflow_form: {"error_code": _TEXT, "message": _TEXT},
    forms.torchserve_form: {"code": {"type": "integer"}, "type": _TEXT, "message": _TEXT},
}
_VERSIONS = re.compile(r"/(versions|labels)/\{\w+\}|(?<=/predictions/\{model\})/\{version\}")
_TENSOR = {"name": _TEXT, "datatype": _TEXT, "shape": {"type": "array", "items": {"type": "integer"}}}


class OpenApi:
    """The document is made at the first request for it, and again for another default model.

    Schemas and examples are those of the default model.
    """

    def __init__(self, registry: ModelRegistry, settings: Settings) -> None:
        self._registry = registry
        self._settings = settings
        self._models = ServedModels(registry, settings)
        self._document = b""
        self._card: Optional[Card] = None  # that the document is made of

    def routes(self) -> List[Route]:
        """Every path that the contract answers."""
        return [Route("GET", "/openapi.json", self.openapi, forms.own_form, fast=True)]

    async def openapi(self, _request: Request) -> Response:
        """This document."""
        model = self._models.default()
        if self._card is not model.card:
            self._card, self._document = model.card, dump(self._described(model))
        return Response(200, self._document)

    def _described(self, model: ServedModel) -> Dict[str, Any]:
        from . import contracts

        card = model.card
        bodies, answers = _bodies(card, model.example(card.signatures[0])), _answers(card)
        paths: Dict[str, Dict[str, Any]] = {}
        for name, contract in contracts(self._registry, self._settings):
            for route in contract.routes():
                told = "/predict" if name == "vertex" and route.method == "POST" else _VERSIONS.sub("", route.path)
                operation = _operation(name, route, answers.get(told, {}), bodies.get(told))
                paths.setdefault(route.path, {}).setdefault(route.method.lower(), operation)
        return {
            "openapi": "3.1.0",
            "info": {
                "title": card.name,
                "version": model.version,
                "description": f"The model {card.name}, asked through any of the contracts that the tags name.",
            },
            "servers": [{"url": "/"}],
            "paths": paths,
            "components": {
                "schemas": {form.__name__: _record(properties) for form, properties in _ERRORS.items()},
            },
        }


def _operation(name: str, route: Route, answer: Dict[str, Schema], body: Optional[Dict[str, Any]]) -> Dict[str, Any]:
    names = re.findall(r"\{(\w+)\}", route.path)
    parameters: List[Dict[str, Any]] = [{"name": one, "in": "path", "required": True, "schema": _TEXT} for one in names]
    if route.path in ("/predict", "/invocations"):
        parameters.append({"name": "method", "in": "query", "required": False, "schema": _TEXT})
    error = {"application/json": {"schema": {"$ref": f"#/components/schemas/{route.tell.__name__}"}}}
    success: Dict[str, Any] = {"description": "The answer."}
    if answer:
        success["content"] = {media: {"schema": schema} for media, schema in answer.items()}
    words = re.sub(r"\W+", " ", route.path).split()
    told = (route.handler.__doc__ or "").strip().splitlines()
    return {
        "tags": [name],
        "summary": told[0] if told else "",
        "operationId": "_".join([name, route.method.lower(), *words]),
        **({"parameters": parameters} if parameters else {}),
        **({"requestBody": {"required": True, "content": body}} if body else {}),
        "responses": {"200": success, "default": {"description": "A failure.", "content": error}},
    }


def _bodies(card: Card, example: Dict[str, Any]) -> Dict[str, Dict[str, Any]]:
    """What each POST takes, by media type."""
    asked = {"application/json": {"schema": request_schema(card.signatures), "example": example}}
    rows = {"type": "array", "items": any_of([row_schema(one) for one in card.signatures])}
    anything = [{"schema": schema} for schema in (_TEXT, {"type": "string", "format": "binary"})]
    v2 = _record({"inputs": {"type": "array", "items": _record(_TENSOR)}})
    v1 = {"anyOf": [_record({"instances": rows}), _record({"inputs": {}})]}
    scored = {"anyOf": [_record({"data": {}}), _record({"input_data": {}})]}
    invoked = {"anyOf": [rows, *(_record({form: {}}) for form in ("dataframe_split", "dataframe_records", "inputs"))]}
    invoked["anyOf"].append(_record({"instances": rows}))
    return {
        "/predict": asked,
        "/predictions/{model}": asked,
        "/v1/models/{model}:predict": {"application/json": {"schema": v1, "example": example}},
        "/v2/models/{model}/infer": {"application/json": {"schema": v2}, "application/octet-stream": anything[1]},
        "/score": {"application/json": {"schema": scored, "example": {"data": example["instances"]}}},
        "/invocations": {
            "application/json": {"schema": invoked, "example": example},
            "text/csv": anything[0],
            "application/jsonlines": anything[0],
            "application/x-npy": anything[1],
        },
    }


def _answers(card: Card) -> Dict[str, Dict[str, Schema]]:
    """What each route answers with 200, by media type; nothing where the body is empty."""
    rows: Schema = {"type": "array", "items": any_of([prediction_schema(one) for one in card.signatures])}
    predictions = _record({"predictions": rows})
    ready = _record({"ready": {"const": True}, "model": _TEXT})
    outputs = {"type": "array", "items": _record(_TENSOR)}
    names = _record({"models": {"type": "array", "items": _TEXT}})
    tensors = {"type": "array", "items": _record(_TENSOR)}
    json: Dict[str, Schema] = {
        "/": _ANY,
        "/openapi.json": _record({"openapi": _TEXT, "info": _ANY, "paths": _ANY}),
        "/livez": _record({"alive": {"const": True}}),
        **dict.fromkeys(("/ready", "/readyz", "/healthz", "/health"), ready),
        **dict.fromkeys(("/predict", "/predictions/{model}"), predictions),
        "/invocations": predictions,
        "/score": rows,
        "/v1/models": names,
        "/v1/models/{model}": _record({"name": _TEXT, "ready": _FLAG, "model_version_status": {"type": "array"}}),
        "/v1/models/{model}/metadata": _record({"model_spec": _ANY, "metadata": _ANY}),
        "/v1/models/{model}:predict": {"anyOf": [predictions, _record({"outputs": {}})]},
        "/v2": _record({"name": _TEXT, "version": _TEXT, "extensions": {"type": "array", "items": _TEXT}}),
        "/v2/health/live": _record({"live": _FLAG}),
        "/v2/health/ready": _record({"live": _FLAG, "ready": _FLAG}),
        "/v2/models": names,
        "/v2/models/{model}": _record({"name": _TEXT, "platform": _TEXT, "inputs": tensors, "outputs": tensors}),
        "/v2/models/{model}/ready": _record({"name": _TEXT, "ready": _FLAG}),
        "/v2/models/{model}/config": _record({"name": _TEXT, "input": {"type": "array"}, "output": {"type": "array"}}),
        "/v2/models/{model}/infer": _record({"model_name": _TEXT, "model_version": _TEXT, "outputs": outputs}),
        "/v2/repository/index": {"type": "array", "items": _record({"name": _TEXT, "state": _TEXT})},
        "/v2/repository/models/{model}/load": _ANY,
    }
    found = {path: {"application/json": schema} for path, schema in json.items()}
    binary: Schema = {"type": "string", "format": "binary"}
    found["/invocations"].update({"text/csv": _TEXT, "application/jsonlines": _TEXT, "application/x-npy": binary})
    found["/v2/models/{model}/infer"]["application/octet-stream"] = binary
    return {**found, "/version": {"text/plain": _TEXT}, "/metrics": {"text/plain": _TEXT}}


def _record(properties: Dict[str, Schema]) -> Schema:
    return {"type": "object", "properties": properties, "required": list(properties)}
