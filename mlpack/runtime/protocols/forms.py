"""How each contract writes a failure; what it says comes from the one table in errors.py."""

from __future__ import annotations

from typing import Any, Dict

from ..errors import ServeError
from ..http.messages import Response
from .encoding.text import dump


def own_form(error: ServeError) -> Response:
    """`{"error": {"code", "message", "detail"}}`."""
    return _response(error, {"error": {"code": error.code, "message": error.message, "detail": error.detail}})


def text_form(error: ServeError) -> Response:
    """`{"error": "text"}`: Open Inference, TensorFlow Serving and KServe."""
    return _response(error, {"error": error.message})


def mlflow_form(error: ServeError) -> Response:
    """`{"error_code", "message"}`, as MLflow's scoring server does."""
    return _response(error, {"error_code": error.mlflow, "message": error.message})


def torchserve_form(error: ServeError) -> Response:
    """`{"code", "type", "message"}`, as TorchServe does."""
    return _response(error, {"code": error.status, "type": error.torchserve, "message": error.message})


def _response(error: ServeError, document: Dict[str, Any]) -> Response:
    return Response(error.status, dump(document), headers=error.headers)
