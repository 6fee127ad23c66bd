"""A request's rows on their way through the model's thread: Job."""

from __future__ import annotations

import asyncio
import time
from typing import Any, Hashable, List, Optional, Sequence, Tuple

import numpy as np

from ..card import Signature
from ..errors import ServeError
from .predictor import Array, Arrays

_DEEPEST = 40  # JSON is bounded below that


class Job:
    """Rows that wait for the model, and the future that waits for their answer.

    `key` is what jobs that share a call have in common; None for one that is called alone. `size` is in bytes, texts
    included. `taken` rows were handed to the model, `alone` is set once a call in company has failed. `began` and `ended` are
    when the model's (first and last) call for it did, by the performance counter; `called_rows` how many rows that call had.
    """

    taken = 0
    alone = False
    spoilt = False
    began = 0.0
    ended = 0.0
    called_rows = 0

    def __init__(self, signature: Signature, inputs: Arrays, loop: asyncio.AbstractEventLoop, *, join: bool) -> None:
        arrays = inputs.values()
        self.signature = signature
        self.inputs = inputs
        if len(inputs) == 1:
            (array,) = arrays
            self.rows = len(array)
            self.size = size_of(array)
            self.key: Optional[Hashable] = (signature, array.dtype, array.shape[1:]) if join else None
        else:
            self.rows = len(next(iter(arrays)))
            self.size = sum([size_of(array) for array in arrays])
            self.key = (signature, *[(one.dtype, one.shape[1:]) for one in arrays]) if join else None
        self.loop = loop
        self.future: asyncio.Future[Arrays] = loop.create_future()
        self.pieces: List[Arrays] = []
        self.arrived = time.perf_counter()

    @property
    def gone(self) -> bool:
        """Whether nobody waits any more: cancelled, overdue, or a part of it has failed."""
        return self.spoilt or self.future.done()

    def called(self, began: float, rows: int) -> None:
        """The model was called for (a part of) this job: since when, and with how many rows of everybody's."""
        self.ended = time.perf_counter()
        self.called_rows = rows
        self.began = self.began or began  # the last: the log's thread looks whether it is set

    def whole(self, piece: Arrays, stop: int) -> Optional[Arrays]:
        """The job's outputs once the piece that ends at row `stop` was the last; None while more are to come."""
        if stop < self.rows:
            self.pieces.append(piece)
            return None
        if not self.pieces:
            return piece
        self.pieces.append(piece)
        return {name: np.concatenate([one[name] for one in self.pieces]) for name in piece}


def settle(outcomes: Sequence[Tuple[Job, Optional[Arrays], Optional[ServeError]]]) -> None:
    """Give each job its outputs or its failure, where somebody still waits; called in the event loop."""
    for job, outputs, error in outcomes:
        if job.future.done():
            continue
        if error is not None:
            job.future.set_exception(error)
        elif outputs is not None:
            job.future.set_result(outputs)


def size_of(array: Array) -> int:
    """Bytes that an array holds; of texts and other objects what they themselves hold, roughly."""
    if not array.dtype.hasobject:
        return int(array.nbytes)
    return sum([_weight(value, 0) for value in array.ravel()])


def _weight(value: Any, depth: int) -> int:
    if isinstance(value, (str, bytes)):
        return 64 + len(value)
    if isinstance(value, (list, tuple)) and depth < _DEEPEST:
        return 64 + sum([8 + _weight(one, depth + 1) for one in value])
    if isinstance(value, dict) and depth < _DEEPEST:
        return 64 + sum([_weight(name, depth) + _weight(one, depth + 1) for name, one in value.items()])
    return int(getattr(value, "nbytes", 0)) + 32
