"""What MLflow's and TorchServe's clients read of each failure: the words of their own servers."""

from __future__ import annotations

from typing import Any

import pytest

from mlpack.runtime import errors
from mlpack.runtime.protocols.mlflow import error_code
from mlpack.runtime.protocols.torchserve import error_type

WORDS = {
    "internal": ("INTERNAL_ERROR", "InternalServerException"),
    "bad_request": ("BAD_REQUEST", "BadRequestException"),
    "bad_json": ("MALFORMED_REQUEST", "BadRequestException"),
    "bad_input": ("INVALID_PARAMETER_VALUE", "BadRequestException"),
    "unknown_method": ("INVALID_PARAMETER_VALUE", "BadRequestException"),
    "unsupported": ("NOT_IMPLEMENTED", "BadRequestException"),
    "unsupported_media_type": ("BAD_REQUEST", "BadRequestException"),
    "not_acceptable": ("BAD_REQUEST", "BadRequestException"),
    "body_too_large": ("BAD_REQUEST", "BadRequestException"),
    "too_many_rows": ("BAD_REQUEST", "BadRequestException"),
    "not_found": ("ENDPOINT_NOT_FOUND", "ResourceNotFoundException"),
    "unknown_model": ("RESOURCE_DOES_NOT_EXIST", "ModelNotFoundException"),
    "unknown_version": ("RESOURCE_DOES_NOT_EXIST", "ModelVersionNotFoundException"),
    "method_not_allowed": ("BAD_REQUEST", "MethodNotAllowedException"),
    "request_timeout": ("BAD_REQUEST", "BadRequestException"),
    "model_failed": ("INTERNAL_ERROR", "InternalServerException"),
    "not_ready": ("TEMPORARILY_UNAVAILABLE", "ServiceUnavailableException"),
    "queue_full": ("TEMPORARILY_UNAVAILABLE", "ServiceUnavailableException"),
    "bodies_full": ("TEMPORARILY_UNAVAILABLE", "ServiceUnavailableException"),
    "shutting_down": ("TEMPORARILY_UNAVAILABLE", "ServiceUnavailableException"),
    "no_member": ("TEMPORARILY_UNAVAILABLE", "ServiceUnavailableException"),
    "member_failed": ("INTERNAL_ERROR", "InternalServerException"),
    "member_late": ("TEMPORARILY_UNAVAILABLE", "RequestTimeoutException"),
    "deadline_exceeded": ("TEMPORARILY_UNAVAILABLE", "RequestTimeoutException"),
}


def failures(kind: type[errors.ServeError] = errors.ServeError) -> list[Any]:
    return [kind, *(one for below in kind.__subclasses__() for one in failures(below))]


@pytest.mark.parametrize("kind", failures(), ids=lambda kind: kind.code)
def test_each_failure_has_a_word(kind: type[errors.ServeError]) -> None:
    """One for every class of failure that a response can have."""
    if kind is not errors.ClientGoneError:  # nobody reads it
        assert (error_code(kind("x")), error_type(kind("x"))) == WORDS[kind.code]
