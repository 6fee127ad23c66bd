"""TensorFlow Serving's REST contract and KServe's V1: `:predict`, status and metadata under /v1/models."""

from __future__ import annotations

from typing import Any, Dict, List

from ..card import Signature, TensorSpec
from ..errors import BadInputError, UnsupportedError
from ..http.messages import Request, Response, Route
from ..models.registry import ModelRegistry
from ..settings import Settings
from .encoding.answers import predictions, tensors, with_base64
from .encoding.binary import as_text, from_base64
from .encoding.casting import shown
from .encoding.text import dump, dump_with_tokens, parse
from .openinference import TEXT_ERRORS
from .schemas import (
    FLAG,
    OBJECT,
    TEXT,
    Operation,
    any_of,
    array,
    bodies_schema,
    columns_schema,
    default_names,
    predictions_schema,
    record,
    rows_schema,
)
from .served_model import ServedModel, ServedModels

_DEFAULT = "serving_default"
_TYPES = {
    "BOOL": "DT_BOOL", "INT8": "DT_INT8", "INT16": "DT_INT16", "INT32": "DT_INT32", "INT64": "DT_INT64",
    "UINT8": "DT_UINT8", "UINT16": "DT_UINT16", "UINT32": "DT_UINT32", "UINT64": "DT_UINT64", "FP16": "DT_HALF",
    "FP32": "DT_FLOAT", "FP64": "DT_DOUBLE", "BYTES": "DT_STRING",
}  # fmt: skip


class TfServing:
    """`{"instances": [...]}` in, `{"predictions": [...]}` out; or `{"inputs": ...}` in, `{"outputs": ...}` out.

    `signature_name` selects a signature. As in TensorFlow Serving, NaN and infinity are written as tokens, `{"b64": ...}`
    stands for bytes, and Content-Type is ignored.
    """

    def __init__(self, registry: ModelRegistry, settings: Settings) -> None:
        self._registry = registry
        self._models = ServedModels(registry, settings)

    def routes(self) -> List[Route]:
        """Every path that the contract answers."""
        return [
            Route("GET", "/v1/models", self.list, TEXT_ERRORS, fast=True),
            Route("GET", "/v1/models/{model}", self.status, TEXT_ERRORS, fast=True, quiet=True),
            Route("GET", "/v1/models/{model}/versions/{version}", self.status, TEXT_ERRORS, fast=True, quiet=True),
            Route("GET", "/v1/models/{model}/labels/{label}", self.status, TEXT_ERRORS, fast=True, quiet=True),
            Route("GET", "/v1/models/{model}/metadata", self.metadata, TEXT_ERRORS, fast=True),
            Route("GET", "/v1/models/{model}/versions/{version}/metadata", self.metadata, TEXT_ERRORS, fast=True),
            Route("GET", "/v1/models/{model}/labels/{label}/metadata", self.metadata, TEXT_ERRORS, fast=True),
            Route("POST", "/v1/models/{model}:predict", self.predict, TEXT_ERRORS, fast=True),
            Route("POST", "/v1/models/{model}/versions/{version}:predict", self.predict, TEXT_ERRORS, fast=True),
            Route("POST", "/v1/models/{model}/labels/{label}:predict", self.predict, TEXT_ERRORS, fast=True),
            # ranked last: AIP_PREDICT_ROUTE may name such a path, and then it is Vertex's
            Route("POST", "/v1/models/{model}:{verb}", self.other, TEXT_ERRORS, fast=True, rank=2),
            Route("POST", "/v1/models/{model}/versions/{version}:{verb}", self.other, TEXT_ERRORS, fast=True, rank=2),
            Route("POST", "/v1/models/{model}/labels/{label}:{verb}", self.other, TEXT_ERRORS, fast=True, rank=2),
        ]

    def described(self, model: ServedModel) -> Dict[str, Operation]:
        """What the routes take and answer, by path."""
        signatures = model.card.signatures
        status = Operation.json(record(name=TEXT, ready=FLAG, model_version_status={"type": "array"}))
        metadata = Operation.json(record(model_spec=OBJECT, metadata=OBJECT))
        predict = Operation.json(
            {"anyOf": [predictions_schema(signatures), record(outputs={})]},
            bodies_schema(
                signatures,
                lambda one: {
                    "instances": rows_schema(one, model.max_rows),
                    "inputs": any_of([rows_schema(one, model.max_rows), columns_schema(one, model.max_rows)]),
                },
                known={"signature_name": {"enum": [None, "", _DEFAULT, *default_names(signatures)]}},
            ),
            model.example(signatures[0]),
        )._replace(versions=("0", _number(model.version)))  # 0: the newest
        status = status._replace(versions=predict.versions)
        metadata = metadata._replace(versions=predict.versions)
        found = {"/v1/models": Operation.json(record(models=array(TEXT)))}
        for version in ("", "/versions/{version}", "/labels/{label}"):
            prefix = "/v1/models/{model}" + version
            found.update({prefix: status, f"{prefix}/metadata": metadata, f"{prefix}:predict": predict})
            found[f"{prefix}:{{verb}}"] = Operation(offered=False)
        return found

    async def predict(self, request: Request) -> Response:
        """Predictions for rows, or outputs for columns."""
        model = self._named(request)
        body = await model.body(request)
        document = parse(body, tokens=True)
        infinite = b"Infinity" in body  # else 1e999 would be read as infinity
        if type(document) is not dict or ("instances" in document) == ("inputs" in document):
            raise BadInputError('the body must be an object with either "instances" or "inputs"')
        if b'"b64"' in body:
            document = _decoded(document)
        signature = _signature(model, document)
        if "instances" in document:
            rows = _unwrapped(signature, document["instances"])
            outputs = await model.instances(request, signature, rows, infinite=infinite)
            return Response(
                200, dump_with_tokens({"predictions": predictions(with_base64(outputs)), **request.details})
            )
        inputs = document["inputs"]
        if type(inputs) is dict:  # columns or tensors by name; of a single input it may be the tensor itself
            outputs = await model.columns(request, signature, inputs, infinite=infinite)
        else:
            outputs = await model.instances(request, signature, inputs, infinite=infinite)
        return Response(200, dump_with_tokens({"outputs": tensors(with_base64(outputs)), **request.details}))

    async def other(self, request: Request) -> Response:
        """Always a failure: `:classify`, `:regress` and KServe's `:explain` have no signature here."""
        model = self._named(request)
        raise UnsupportedError(
            f":{request.names['verb'][:40]} is not supported; use :predict, which has every signature",
            detail={"methods": [one.name for one in model.card.signatures]},
        )

    async def list(self, _request: Request) -> Response:
        """The names of the models, as KServe lists them."""
        return Response(200, dump({"models": self._registry.names()}))

    async def status(self, request: Request) -> Response:
        """Whether the model is ready, in the forms of TensorFlow Serving and of KServe at once."""
        entry = self._models.entry(self._numbered(request))
        reason = self._registry.why_not_ready(entry)
        error = (
            {"error_code": "UNAVAILABLE", "error_message": reason}
            if reason
            else {"error_code": "OK", "error_message": ""}
        )
        state = {"version": _number(entry.version), "state": "LOADING" if reason else "AVAILABLE", "status": error}
        document = {"name": entry.card.name, "ready": not reason, "model_version_status": [state]}
        return Response(503 if reason else 200, dump(document), headers={"Retry-After": "1"} if reason else {})

    async def metadata(self, request: Request) -> Response:
        """The signatures as TensorFlow Serving describes them; the first is also `serving_default`."""
        model = self._named(request)
        card = model.card
        signatures = {one.name: _signature_def(one) for one in card.signatures}
        document = {
            "model_spec": {"name": card.name, "signature_name": "", "version": _number(model.version)},
            "metadata": {
                "signature_def": {"signature_def": {_DEFAULT: _signature_def(card.signatures[0]), **signatures}}
            },
        }
        return Response(200, dump(document))

    def _named(self, request: Request) -> ServedModel:
        return self._models.named(self._numbered(request))

    def _numbered(self, request: Request) -> Request:
        """The request with the registry's name of the version that its path gives as a number.

        Version 0 is the newest one: OpenVINO's client sends it where its user names none.
        """
        number = request.names.get("version")
        if number is None:
            return request
        names = {name: value for name, value in request.names.items() if name != "version"}
        if number != "0":
            found = [one.version for one in self._registry.list() if one.card.name == names["model"]]
            names["version"] = next((one for one in reversed(found) if _number(one) == number), number)
        request.names = names
        return request


def _signature(model: ServedModel, document: Dict[str, Any]) -> Signature:
    unknown = [key for key in document if key not in ("instances", "inputs", "signature_name", "parameters")]
    if unknown:
        raise BadInputError(f"the body has the unknown key {shown(unknown[0])}")
    name = document.get("signature_name")
    if name is None or name == "":
        return model.chosen(document.get("parameters"))
    return model.signature(name, _DEFAULT)


def _number(version: str) -> str:
    """The version as that server's clients read it, a 64-bit integer: 1 for a name that is none."""
    is_number = version.isascii() and version.isdigit() and len(version) <= 18
    return str(int(version)) if is_number else "1"


def _unwrapped(signature: Signature, instances: Any) -> Any:
    """The rows; of a matrix also those that name its one tensor."""
    name = signature.inputs[0].name
    if signature.layout != "matrix" or name in signature.columns or type(instances) is not list:
        return instances
    if all(type(row) is dict and set(row) == {name} for row in instances):
        return [row[name] for row in instances]
    return instances


def _decoded(value: Any) -> Any:
    """The value with each `{"b64": ...}` replaced by what it stands for: text where it is UTF-8, else bytes."""
    if type(value) is list:
        return [_decoded(one) for one in value]
    if type(value) is not dict:
        return value
    if set(value) != {"b64"} or type(value["b64"]) is not str:
        return {name: _decoded(one) for name, one in value.items()}
    return as_text(from_base64(value["b64"], '{"b64": ...}'))


def _signature_def(signature: Signature) -> Dict[str, Any]:
    return {
        "inputs": {spec.name: _tensor_info(spec) for spec in signature.inputs},
        "outputs": {spec.name: _tensor_info(spec) for spec in signature.outputs},
        "method_name": "tensorflow/serving/predict",
        "defaults": {},
    }


def _tensor_info(spec: TensorSpec) -> Dict[str, Any]:
    unknown = "..." in spec.shape  # as many axes as there are
    sizes = [] if unknown else [size if isinstance(size, int) else -1 for size in spec.shape]
    dims = [{"size": str(size), "name": ""} for size in sizes]
    return {
        "dtype": _TYPES[spec.dtype],
        "tensor_shape": {"dim": dims, "unknown_rank": unknown},
        "name": spec.name,
    }
