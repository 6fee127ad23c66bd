"""What the model's call was for the request at hand: Measured, filled below, told by the log and the metrics."""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING, Optional

from .card import Signature
from .predictor import Arrays

if TYPE_CHECKING:
    from .jobs import Job


class Measured:
    """Seconds in the queue and in the model, the rows of the call (others' included), and what went in and came out."""

    __slots__ = ("called_rows", "inputs", "outputs", "predict_s", "queue_s", "signature")

    def __init__(self) -> None:
        self.queue_s = 0.0
        self.predict_s = 0.0
        self.called_rows = 0
        self.signature: Optional[Signature] = None
        self.inputs: Optional[Arrays] = None
        self.outputs: Optional[Arrays] = None

    def tell(self, job: Job, outputs: Optional[Arrays]) -> None:
        """What is known of the job, once it is over, however it ended."""
        if job.began:
            self.queue_s = job.began - job.arrived
            self.predict_s = job.ended - job.began
        self.called_rows = job.called_rows
        self.signature = job.signature
        self.inputs = job.inputs
        self.outputs = outputs


CURRENT: ContextVar[Optional[Measured]] = ContextVar("measured", default=None)
