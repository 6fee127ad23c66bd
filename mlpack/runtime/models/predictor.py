"""The one interface that every serving contract calls: Predictor, and Call, which is what it is called with."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Dict, Optional, Protocol

from ..card import Signature

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, np.dtype[Any]]
else:
    Array = Any  # numpy before 1.22 has no ndarray[...]

Arrays = Dict[str, Array]


class Timings:
    """What became of a call, for logs and metrics; times are those of `time.perf_counter`, 0.0 for what has not happened.

    `arrived` is when the call began to wait for the model; `began` and `ended` are when the model's first and last run for it
    did; `batch_rows` is how many rows the last run had, those of other calls included.
    """

    arrived = 0.0
    began = 0.0
    ended = 0.0
    batch_rows = 0


class Call:
    """One request for a prediction.

    `inputs` are cast and checked against the signature: BYTES are object arrays of str, a missing one is None. After the
    `deadline`, by `time.perf_counter`, the outputs are of no use. `trace` is the W3C `traceparent` of the request, ""
    where it has none, and `request_id` its id, for requests to other services. The predictor that runs the model fills in the
    `timings`, and in `details` what the answer should say beside the outputs; `explain` asks for more of it.
    """

    __slots__ = ("deadline", "details", "explain", "inputs", "request_id", "signature", "timings", "trace")

    def __init__(
        self,
        signature: Signature,
        inputs: Arrays,
        deadline: float = math.inf,
        trace: str = "",
        timings: Optional[Timings] = None,
        *,
        request_id: str = "",
        explain: bool = False,
    ) -> None:
        self.signature = signature
        self.inputs = inputs
        self.deadline = deadline
        self.trace = trace
        self.request_id = request_id
        self.explain = explain
        self.details: Optional[Dict[str, Any]] = None
        self.timings = Timings() if timings is None else timings


class Predictor(Protocol):
    """Predicts. Batching, retries, caches, shadow traffic, ensembles are predictors that call other predictors.

    `predict` runs in a task, so that it may use `asyncio.timeout`, task groups and clients that need them. A predictor whose
    attribute `needs_task` is False runs without one, which is faster: it may only await futures of the event loop.
    """

    async def predict(self, call: Call) -> Arrays:
        """The signature's outputs for the call's inputs, row by row in the same order.

        A task that awaits it may be cancelled: the call is then dropped. Raises the ServeError family.
        """
