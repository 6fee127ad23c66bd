"""The Open Inference Protocol V2 over REST, with its binary tensor extension: what Triton's and KServe's clients speak."""

from __future__ import annotations

from typing import Any, Dict, List, Optional

import numpy as np

from ..card import Signature, TensorSpec
from ..errors import BadInputError, UnsupportedError
from ..http.messages import Request, Response, Route
from ..models.predictor import Array, Arrays
from ..models.registry import Entry, ModelRegistry
from ..settings import Settings
from .encoding.casting import shown
from .encoding.fitting import NUMPY
from .encoding.text import dump, parse
from .encoding.wire_tensors import Part, read_tensors, split_body, write_tensor
from .error_form import ErrorForm
from .schemas import (
    BINARY,
    FLAG,
    JSON,
    OBJECT,
    TEXT,
    Operation,
    Schema,
    array,
    bodies_schema,
    record,
    tensor_schema,
    value_schema,
)
from .served_model import ServedModel, ServedModels

TEXT_ERRORS = ErrorForm("text_form", {"error": TEXT}, lambda error: {"error": error.message})
_LENGTH = b"inference-header-content-length"
_EXTENSIONS = ["binary_tensor_data", "model_repository", "model_configuration"]


class OpenInference:
    """Tensors in, tensors out, as JSON or bytes. `parameters.method` selects a signature; other parameters are ignored."""

    def __init__(self, registry: ModelRegistry, settings: Settings) -> None:
        self._registry = registry
        self._models = ServedModels(registry, settings)

    def routes(self) -> List[Route]:
        """Every path that the contract answers."""
        return [
            Route("POST", "/v2/models/{model}/infer", self.infer, TEXT_ERRORS, fast=True),
            Route("POST", "/v2/models/{model}/versions/{version}/infer", self.infer, TEXT_ERRORS, fast=True),
            Route("GET", "/v2", self.server, TEXT_ERRORS, fast=True),
            Route("GET", "/v2/health/live", self.live, TEXT_ERRORS, fast=True, quiet=True),
            Route("GET", "/v2/health/ready", self.ready, TEXT_ERRORS, fast=True, quiet=True),
            Route("GET", "/v2/models", self.list, TEXT_ERRORS, fast=True),
            Route("GET", "/v2/models/{model}", self.model, TEXT_ERRORS, fast=True),
            Route("GET", "/v2/models/{model}/versions/{version}", self.model, TEXT_ERRORS, fast=True),
            Route("GET", "/v2/models/{model}/ready", self.model_ready, TEXT_ERRORS, fast=True, quiet=True),
            Route(
                "GET",
                "/v2/models/{model}/versions/{version}/ready",
                self.model_ready,
                TEXT_ERRORS,
                fast=True,
                quiet=True,
            ),
            Route("GET", "/v2/models/{model}/config", self.config, TEXT_ERRORS, fast=True),
            Route("GET", "/v2/models/{model}/versions/{version}/config", self.config, TEXT_ERRORS, fast=True),
            Route("POST", "/v2/repository/index", self.index, TEXT_ERRORS, fast=True),
            Route("POST", "/v2/repository/models/{model}/load", self.load, TEXT_ERRORS, fast=True),
            Route("POST", "/v2/repository/models/{model}/unload", self.unload, TEXT_ERRORS, fast=True),
        ]

    def described(self, served: ServedModel) -> Dict[str, Operation]:
        """What the routes take and answer, by path."""
        tensors = array(record(name=TEXT, datatype=TEXT, shape=array({"type": "integer"})))
        model = Operation.json(record(name=TEXT, platform=TEXT, inputs=tensors, outputs=tensors))
        ready = Operation.json(record(name=TEXT, ready=FLAG))
        config = Operation.json(record(name=TEXT, input={"type": "array"}, output={"type": "array"}))
        octets = "application/octet-stream"
        outputs = record(model_name=TEXT, model_version=TEXT, outputs=tensors)
        taken = bodies_schema(
            served.card.signatures, lambda one: {"inputs": _inputs_schema(one)}, known={"id": TEXT}, more=True
        )
        infer = Operation({JSON: outputs, octets: BINARY}, {JSON: {"schema": taken}, octets: {"schema": BINARY}})
        found = {
            "/v2": Operation.json(record(name=TEXT, version=TEXT, extensions=array(TEXT))),
            "/v2/health/live": Operation.json(record(live=FLAG)),
            "/v2/health/ready": Operation.json(record(live=FLAG, ready=FLAG)),
            "/v2/models": Operation.json(record(models=array(TEXT))),
            "/v2/repository/index": Operation.json(array(record(name=TEXT, state=TEXT))),
            "/v2/repository/models/{model}/load": Operation.json(OBJECT),
            "/v2/repository/models/{model}/unload": Operation(offered=False),
        }
        for prefix in ("/v2/models/{model}", "/v2/models/{model}/versions/{version}"):
            found[prefix] = model
            found.update({f"{prefix}/ready": ready, f"{prefix}/config": config, f"{prefix}/infer": infer})
        return found

    async def infer(self, request: Request) -> Response:
        """Output tensors for input tensors."""
        model = self._models.named(request)
        body, binary = split_body(await model.body(request), request.header(_LENGTH))
        document = parse(body, tokens=True)  # Triton's own client writes NaN so
        if type(document) is not dict:
            raise BadInputError(f'the body must be an object with "inputs", not {shown(document)}')
        if type(document.get("id", "")) is not str:
            raise BadInputError(f"the id must be a string, not {shown(document['id'])}")
        signature = model.chosen(document.get("parameters"))
        request.explain = (document.get("parameters") or {}).get("explain") is True
        arrays = read_tensors(document.get("inputs"), binary, model.max_rows, infinite=b"Infinity" in body)
        wanted = _wanted(document, signature)
        outputs = await model.tensors(request, signature, arrays)
        return _response(model, document, _declared(outputs, signature), wanted, request.details)

    async def server(self, _request: Request) -> Response:
        """Name, version and extensions of the server."""
        version = next((str(one.card.document.get("mlpack") or "") for one in self._registry.list()), "")
        return Response(200, dump({"name": "mlpack", "version": version, "extensions": _EXTENSIONS}))

    async def live(self, _request: Request) -> Response:
        """200 as long as the process answers."""
        return Response(200, b'{"live":true}')

    async def ready(self, _request: Request) -> Response:
        """200 when all models are ready, else 503."""
        self._models.require_ready()
        return Response(200, b'{"live":true,"ready":true}')

    async def list(self, _request: Request) -> Response:
        """The names of the models."""
        return Response(200, dump({"models": self._registry.names()}))

    async def model(self, request: Request) -> Response:
        """The model's tensors; a size that is free is -1."""
        card = self._models.entry(request).card
        signature = card.signatures[0]
        document = {
            "name": card.name,
            "versions": [one.version for one in self._registry.list() if one.card.name == card.name],
            "platform": _platform(card.document),
            "inputs": [_metadata(spec) for spec in signature.inputs],
            "outputs": [_metadata(spec) for spec in signature.outputs],
        }
        return Response(200, dump(document))

    async def model_ready(self, request: Request) -> Response:
        """200 when the model is ready, else 503."""
        entry = self._models.entry(request)
        self._models.require_ready(entry)
        return Response(200, dump({"name": entry.card.name, "ready": True}))

    async def config(self, request: Request) -> Response:
        """The model's configuration, as far as this server has one: no batch dimension of its own."""
        card = self._models.entry(request).card
        signature = card.signatures[0]
        document = {
            "name": card.name,
            "platform": _platform(card.document),
            "backend": "mlpack",
            "max_batch_size": 0,
            "input": [_configured(spec) for spec in signature.inputs],
            "output": [_configured(spec) for spec in signature.outputs],
        }
        return Response(200, dump(document))

    async def index(self, _request: Request) -> Response:
        """All models of this server, each with its state."""
        return Response(200, dump([self._state(one) for one in self._registry.list()]))

    async def load(self, request: Request) -> Response:
        """200 for a model that is ready: the models of an image are loaded when the server starts."""
        self._models.require_ready(self._models.entry(request))
        return Response(200, b"{}")

    async def unload(self, request: Request) -> Response:
        """Always a failure: the models of an image stay loaded as long as the server runs."""
        self._models.entry(request)
        raise UnsupportedError("a model of this server cannot be unloaded; stop the server instead")

    def _state(self, entry: Entry) -> Dict[str, str]:
        reason = self._registry.why_not_ready(entry)
        state = "UNAVAILABLE" if reason else "READY"
        return {"name": entry.card.name, "version": entry.version, "state": state, "reason": reason}


def _inputs_schema(signature: Signature) -> Schema:
    """The list of input tensors; a single one may have any name. JSON Schema cannot tie the length of `data` to `shape`."""
    tensors = []
    single = len(signature.inputs) == 1
    for spec in signature.inputs:
        sizes: List[Schema] = [{"type": "integer", "minimum": 1}]
        sizes += [{"const": size} if isinstance(size, int) and size >= 0 else sizes[0] for size in spec.shape[1:]]
        tensors.append(
            record(
                name={**TEXT, "examples": [spec.name]} if single else {"const": spec.name},
                datatype={"const": spec.dtype},
                shape={"type": "array", "prefixItems": sizes, "items": False, "minItems": len(sizes)},
                data={
                    "anyOf": [{"type": "array", "items": one, "minItems": 1} for one in _flat_or_nested(spec)],
                    "description": "As many values as `shape` says.",
                },
            )
        )
    return {"type": "array", "prefixItems": tensors, "items": False, "minItems": len(tensors)}


def _flat_or_nested(spec: TensorSpec) -> List[Schema]:
    flat = value_schema(spec.dtype)
    return [flat] if len(spec.shape) == 1 else [flat, tensor_schema(spec)]


def _response(
    model: ServedModel,
    document: Dict[str, Any],
    outputs: Arrays,
    named: Optional[Dict[str, bool]],
    details: Dict[str, Any],
) -> Response:
    """The answer to the request `document`; `named` are the outputs that it names, as from `_wanted`."""
    wanted = named if named is not None else dict.fromkeys(outputs, _binary_by_default(document))
    missing = [name for name in wanted if name not in outputs]
    if missing:
        raise BadInputError(f"the model has no output {shown(missing[0])}; it has {', '.join(outputs)}")
    written = [write_tensor(name, outputs[name], binary=binary) for name, binary in wanted.items()]
    answer: Dict[str, Any] = {"model_name": model.card.name, "model_version": model.version}
    if "id" in document:
        answer["id"] = document["id"]
    if details:
        answer["parameters"] = details
    answer["outputs"] = [entry for entry, _ in written]
    head = dump(answer)
    if not any(wanted.values()):
        return Response(200, head)
    parts: List[Part] = [head, *(data for _, data in written)]
    headers = {"Inference-Header-Content-Length": str(len(head))}
    return Response(200, b"".join(parts), b"application/octet-stream", headers)


def _wanted(document: Dict[str, Any], signature: Signature) -> Optional[Dict[str, bool]]:
    """The outputs that the request names, each with whether it is wanted as bytes; None for all of them."""
    outputs = document.get("outputs")
    if outputs is None or outputs == []:
        return None
    if type(outputs) is not list:
        raise BadInputError(f'"outputs" must be a list, not {shown(outputs)}')
    known = [spec.name for spec in signature.outputs]
    if len(known) == 1 and "..." in signature.outputs[0].shape:
        known = []  # the user's own code may answer several outputs, by names that no file records
    by_default = _binary_by_default(document)
    found: Dict[str, bool] = {}
    for entry in outputs:
        if type(entry) is not dict or type(entry.get("name")) is not str:
            raise BadInputError(f"an output must be an object with a name, not {shown(entry)}")
        if known and entry["name"] not in known:
            raise BadInputError(f"the model has no output {shown(entry['name'])}; it has {', '.join(known)}")
        parameters = entry.get("parameters") or {}
        if type(parameters) is not dict or "shared_memory_region" in parameters or parameters.get("classification"):
            raise BadInputError(f"output {shown(entry['name'])}: of its parameters only binary_data is known here")
        found[entry["name"]] = _flag(parameters, "binary_data", default=by_default)
    return found


def _binary_by_default(document: Dict[str, Any]) -> bool:
    return _flag(document.get("parameters") or {}, "binary_data_output", default=False)


def _flag(parameters: Dict[str, Any], name: str, *, default: bool) -> bool:
    value = parameters.get(name, default)
    if type(value) is not bool:
        raise BadInputError(f"{name} must be true or false, not {shown(value)}")
    return value


def _declared(outputs: Arrays, signature: Signature) -> Arrays:
    """The outputs in the dtypes of the metadata, where the conversion loses nothing."""
    specs = {spec.name: spec for spec in signature.outputs}
    return {name: _in_dtype(array, specs[name]) if name in specs else array for name, array in outputs.items()}


def _in_dtype(array: Array, spec: TensorSpec) -> Array:
    if spec.dtype not in NUMPY:
        return array
    kind = np.dtype(NUMPY[spec.dtype])
    return (
        array if array.dtype == object or not np.can_cast(array.dtype, kind, "safe") else array.astype(kind, copy=False)
    )


def _metadata(spec: TensorSpec) -> Dict[str, Any]:
    shape = [size if isinstance(size, int) else -1 for size in spec.shape]
    return {"name": spec.name, "datatype": spec.dtype, "shape": [-1, *shape[1:]] if shape else [-1]}


def _configured(spec: TensorSpec) -> Dict[str, Any]:
    found = _metadata(spec)
    kind = "TYPE_STRING" if spec.dtype == "BYTES" else f"TYPE_{spec.dtype}"
    return {"name": spec.name, "data_type": kind, "dims": found["shape"]}


def _platform(document: Dict[str, Any]) -> str:
    framework = document.get("framework")
    return f"{framework}_{document.get('format') or 'model'}" if framework else "mlpack"
