"""MLflow's scoring server: its JSON bodies, /version and /health. Its /invocations is shared with SageMaker."""

from __future__ import annotations

from typing import Any, Dict, List, NamedTuple

from ..card import Signature
from ..errors import BadInputError, ServeError
from ..http.messages import Request, Response, Route
from ..models.predictor import Arrays
from ..models.registry import ModelRegistry
from ..settings import Settings
from .encoding.casting import shown
from .error_form import ErrorForm
from .own import READY
from .schemas import TEXT, Operation
from .served_model import ServedModel, ServedModels

# MLflow's ErrorCode for the codes of errors.py; any other code has one by its status
_WORDS = {
    "bad_json": "MALFORMED_REQUEST",
    "bad_input": "INVALID_PARAMETER_VALUE",
    "unknown_method": "INVALID_PARAMETER_VALUE",
    "unsupported": "NOT_IMPLEMENTED",
    "not_found": "ENDPOINT_NOT_FOUND",
    "unknown_model": "RESOURCE_DOES_NOT_EXIST",
    "unknown_version": "RESOURCE_DOES_NOT_EXIST",
}
FORMS = ("dataframe_split", "dataframe_records", "instances", "inputs")


def error_code(error: ServeError) -> str:
    """MLflow's word for a failure."""
    if error.status in (503, 504):
        return "TEMPORARILY_UNAVAILABLE"
    return _WORDS.get(error.code, "BAD_REQUEST" if error.status < 500 else "INTERNAL_ERROR")


MLFLOW_ERRORS = ErrorForm(
    "mlflow_form",
    {"error_code": TEXT, "message": TEXT},
    lambda error: {"error_code": error_code(error), "message": error.message},
)


class Body(NamedTuple):
    """What a JSON body holds: one of the forms, its value, and the parameters."""

    form: str
    value: Any
    params: Any

    @classmethod
    def read(cls, document: Any) -> Body:
        """The body of exactly one form; a bare list is rows, as SageMaker's own containers take it.

        Raises:
            BadInputError: no form, several, or a key that is none.
        """
        if type(document) is list:
            return cls("instances", document, None)
        if type(document) is not dict:
            raise BadInputError(f"the body must be an object with one of {', '.join(FORMS)}, not {shown(document)}")
        forms = [name for name in FORMS if name in document]
        unknown = [name for name in document if name not in (*FORMS, "params", "parameters")]
        if len(forms) != 1 or unknown:
            found = ", ".join(map(shown, [*forms, *unknown][:5])) or "none of them"
            raise BadInputError(f"the body must hold exactly one of {', '.join(FORMS)}, and params; it has {found}")
        return cls(forms[0], document[forms[0]], document.get("params", document.get("parameters")))

    async def outputs(self, model: ServedModel, request: Request, signature: Signature, *, infinite: bool) -> Arrays:
        """The model's outputs for these rows."""
        if self.form == "dataframe_split":
            return await model.split(request, signature, self.value, infinite=infinite)
        if self.form == "inputs" and type(self.value) is dict:
            return await model.columns(request, signature, self.value, infinite=infinite)
        return await model.instances(request, signature, self.value, infinite=infinite)


class Mlflow:
    """The routes of MLflow's scoring server beside /invocations."""

    def __init__(self, registry: ModelRegistry, settings: Settings) -> None:
        self._models = ServedModels(registry, settings)

    def routes(self) -> List[Route]:
        """Every path that the contract answers."""
        return [
            Route("GET", "/health", self.health, MLFLOW_ERRORS, fast=True, quiet=True),
            Route("GET", "/version", self.version, MLFLOW_ERRORS, fast=True),
        ]

    def described(self, _model: ServedModel) -> Dict[str, Operation]:
        """What the routes answer, by path."""
        return {"/health": READY, "/version": Operation({"text/plain": TEXT})}

    async def health(self, _request: Request) -> Response:
        """200 when the model has answered its warm-up, else 503 with the reason."""
        return self._models.readiness()

    async def version(self, _request: Request) -> Response:
        """The server's version as plain text."""
        version = str(self._models.default().card.document.get("mlpack") or "")
        return Response(200, version.encode("ascii", "replace"), b"text/plain; charset=utf-8")
