"""GET /metrics, for Prometheus and whatever reads its text format."""

from __future__ import annotations

from typing import Dict, List

from ..http.messages import Request, Response, Route
from ..models.registry import ModelRegistry
from ..settings import Settings
from ..telemetry.memory import Memory
from .own import OWN_ERRORS
from .schemas import TEXT, Operation
from .served_model import ServedModel


class Prometheus:
    """What the server counts: requests, latencies, batches, the queue, memory."""

    def __init__(self, registry: ModelRegistry, _settings: Settings) -> None:
        self._registry = registry
        self._memory = Memory(registry.metrics.pids)

    def routes(self) -> List[Route]:
        """Every path that the contract answers."""
        return [Route("GET", "/metrics", self.metrics, OWN_ERRORS, quiet=True)]

    def described(self, _model: ServedModel) -> Dict[str, Operation]:
        """What the routes answer, by path."""
        return {"/metrics": Operation({"text/plain": TEXT})}

    async def metrics(self, _request: Request) -> Response:
        """All counters, of all workers."""
        memory = await self._memory.measured()
        body = self._registry.metrics.text(self._registry.names(), memory)
        return Response(200, body, b"text/plain; version=0.0.4; charset=utf-8")
