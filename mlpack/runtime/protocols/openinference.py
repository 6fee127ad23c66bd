"""The Open Inference Protocol V2 over REST, with its binary tensor extension: what Triton's and KServe's clients speak."""

from __future__ import annotations

from typing import Any, Dict, List, Optional

import numpy as np

from ..card import Signature, TensorSpec
from ..errors import BadInputError, UnsupportedError
from ..http.messages import Request, Response, Route
from ..models.predictor import Array, Arrays
from ..models.registry import Models
from ..settings import Settings
from .answering import Answering
from .encoding.casting import shown
from .encoding.fitting import NUMPY
from .encoding.text import dump, parse
from .encoding.wire_tensors import Part, read_tensors, split_body, write_tensor
from .forms import text_form

_LENGTH = b"inference-header-content-length"
_EXTENSIONS = ["binary_tensor_data", "model_repository", "model_configuration"]


class OpenInference:
    """Tensors in, tensors out, as JSON or bytes. `parameters.method` picks a signature; other parameters are passed over."""

    def __init__(self, models: Models, settings: Settings) -> None:
        self._answering = Answering(models, settings)
        self._models = models

    def routes(self) -> List[Route]:
        """Every path that the contract answers."""
        return [
            Route("POST", "/v2/models/{model}/infer", self.infer, text_form),
            Route("POST", "/v2/models/{model}/versions/{version}/infer", self.infer, text_form),
            Route("GET", "/v2", self.server, text_form),
            Route("GET", "/v2/health/live", self.live, text_form, quiet=True),
            Route("GET", "/v2/health/ready", self.ready, text_form, quiet=True),
            Route("GET", "/v2/models", self.list, text_form),
            Route("GET", "/v2/models/{model}", self.model, text_form),
            Route("GET", "/v2/models/{model}/versions/{version}", self.model, text_form),
            Route("GET", "/v2/models/{model}/ready", self.model_ready, text_form, quiet=True),
            Route("GET", "/v2/models/{model}/versions/{version}/ready", self.model_ready, text_form, quiet=True),
            Route("GET", "/v2/models/{model}/config", self.config, text_form),
            Route("GET", "/v2/models/{model}/versions/{version}/config", self.config, text_form),
            Route("POST", "/v2/repository/index", self.index, text_form),
            Route("POST", "/v2/repository/models/{model}/load", self.load, text_form),
            Route("POST", "/v2/repository/models/{model}/unload", self.unload, text_form),
        ]

    async def infer(self, request: Request) -> Response:
        """Answers tensors."""
        answering = self._answering
        answering.require_named(request)
        body, binary = split_body(await answering.body(request), request.header(_LENGTH))
        document = parse(body, tokens=True)  # Triton's own client writes NaN so
        if type(document) is not dict:
            raise BadInputError(f'the body must be an object with "inputs", not {shown(document)}')
        signature = answering.chosen(document.get("parameters"))
        arrays = read_tensors(document.get("inputs"), binary, answering.max_rows, infinite=b"Infinity" in body)
        asked = _asked(document, signature)
        outputs = await answering.arrays(request, signature, arrays)
        return self._response(document, _declared(outputs, signature), asked)

    async def server(self, _request: Request) -> Response:
        """What the server is."""
        version = str(self._answering.card.document.get("mlpack") or "")
        return Response(200, dump({"name": "mlpack", "version": version, "extensions": _EXTENSIONS}))

    async def live(self, _request: Request) -> Response:
        """Whether the process answers."""
        return Response(200, b'{"live":true}')

    async def ready(self, _request: Request) -> Response:
        """200 when the model can be asked, else 503."""
        self._answering.require_ready()
        return Response(200, b'{"live":true,"ready":true}')

    async def list(self, _request: Request) -> Response:
        """The names of the models."""
        return Response(200, dump({"models": [self._answering.card.name]}))

    async def model(self, request: Request) -> Response:
        """The model's tensors; a size that is free is -1."""
        self._answering.require_named(request)
        card = self._answering.card
        signature = card.signatures[0]
        document = {
            "name": card.name,
            "versions": [self._answering.version],
            "platform": _platform(card.document),
            "inputs": [_told(spec) for spec in signature.inputs],
            "outputs": [_told(spec) for spec in signature.outputs],
        }
        return Response(200, dump(document))

    async def model_ready(self, request: Request) -> Response:
        """200 when the model can be asked, else 503."""
        self._answering.require_named(request)
        self._answering.require_ready()
        return Response(200, dump({"name": self._answering.card.name, "ready": True}))

    async def config(self, request: Request) -> Response:
        """The model's configuration, as far as this server has one: no batch dimension of its own."""
        self._answering.require_named(request)
        card = self._answering.card
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
        """The models of this server: its one."""
        reason = self._models.why_not_ready()
        state = {"state": "UNAVAILABLE" if reason else "READY", "reason": reason}
        return Response(200, dump([{"name": self._answering.card.name, "version": self._answering.version, **state}]))

    async def load(self, request: Request) -> Response:
        """200 where the model is there already: an image has one model, which is loaded at its start."""
        self._answering.require_named(request)
        self._answering.require_ready()
        return Response(200, b"{}")

    async def unload(self, request: Request) -> Response:
        """Always refused: an image without its model would be none."""
        self._answering.require_named(request)
        raise UnsupportedError("this server's one model cannot be unloaded; stop the server instead")

    def _response(self, document: Dict[str, Any], outputs: Arrays, asked: Optional[Dict[str, bool]]) -> Response:
        wanted = asked if asked is not None else dict.fromkeys(outputs, _binary_by_default(document))
        missing = [name for name in wanted if name not in outputs]
        if missing:
            raise BadInputError(f"the model has no output {shown(missing[0])}; it has {', '.join(outputs)}")
        written = [write_tensor(name, outputs[name], binary=binary) for name, binary in wanted.items()]
        answer: Dict[str, Any] = {"model_name": self._answering.card.name, "model_version": self._answering.version}
        if "id" in document:
            answer["id"] = document["id"]
        answer["outputs"] = [entry for entry, _ in written]
        head = dump(answer)
        if not any(wanted.values()):
            return Response(200, head)
        parts: List[Part] = [head, *(data for _, data in written)]
        headers = {"Inference-Header-Content-Length": str(len(head))}
        return Response(200, b"".join(parts), b"application/octet-stream", headers)


def _asked(document: Dict[str, Any], signature: Signature) -> Optional[Dict[str, bool]]:
    """The outputs that the request names, each with whether it is wanted as bytes; None for all of them."""
    outputs = document.get("outputs")
    if outputs is None or outputs == []:
        return None
    if type(outputs) is not list:
        raise BadInputError(f'"outputs" must be a list, not {shown(outputs)}')
    known = [spec.name for spec in signature.outputs]
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
    """The outputs in the dtypes that the metadata tell, where nothing is lost by it."""
    specs = {spec.name: spec for spec in signature.outputs}
    return {name: _in_dtype(array, specs[name]) if name in specs else array for name, array in outputs.items()}


def _in_dtype(array: Array, spec: TensorSpec) -> Array:
    if spec.dtype not in NUMPY:
        return array
    kind = np.dtype(NUMPY[spec.dtype])
    return (
        array if array.dtype == object or not np.can_cast(array.dtype, kind, "safe") else array.astype(kind, copy=False)
    )


def _told(spec: TensorSpec) -> Dict[str, Any]:
    shape = [size if isinstance(size, int) else -1 for size in spec.shape]
    return {"name": spec.name, "datatype": spec.dtype, "shape": [-1, *shape[1:]] if shape else [-1]}


def _configured(spec: TensorSpec) -> Dict[str, Any]:
    told = _told(spec)
    kind = "TYPE_STRING" if spec.dtype == "BYTES" else f"TYPE_{spec.dtype}"
    return {"name": spec.name, "data_type": kind, "dims": told["shape"]}


def _platform(document: Dict[str, Any]) -> str:
    framework = document.get("framework")
    return f"{framework}_{document.get('format') or 'model'}" if framework else "mlpack"
