"""The serving contracts: thin adapters between HTTP and a predictor, one file each, and the table that lists them.

A new one is a file here and a line in the table; the `Contract` protocol below says what its class has.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Dict, Iterator, List, Protocol, Tuple

from ..http.messages import Route
from ..models.registry import ModelRegistry
from ..settings import Settings

if TYPE_CHECKING:
    from .schemas import Operation
    from .served_model import ServedModel

# module in this folder: class in it. Where two contracts claim a path, the earlier line has it.
PROTOCOLS = {
    "own": "Own",
    "openinference": "OpenInference",
    "tfserving": "TfServing",
    "sagemaker": "SageMaker",
    "mlflow": "Mlflow",
    "azure": "Azure",
    "torchserve": "TorchServe",
    "vertex": "Vertex",
    "prometheus": "Prometheus",
    "openapi": "OpenApi",
}


class Contract(Protocol):
    """What clients of one platform send and expect, over the models of this process."""

    def __init__(self, registry: ModelRegistry, settings: Settings) -> None: ...

    def routes(self) -> List[Route]:
        """Every path that the contract answers; failures are written by an ErrorForm."""

    def described(self, model: ServedModel) -> Dict[str, Operation]:
        """What the routes take and answer, by path, for OpenAPI; nothing for a path with an empty body."""


def contracts(registry: ModelRegistry, settings: Settings) -> Iterator[Tuple[str, Contract]]:
    """Every contract by its name, in the table's order."""
    for module, name in PROTOCOLS.items():
        yield module, getattr(import_module("." + module, __name__), name)(registry, settings)


def all_routes(registry: ModelRegistry, settings: Settings) -> List[Route]:
    """The routes of every contract, in the table's order."""
    return [route for _, contract in contracts(registry, settings) for route in contract.routes()]
