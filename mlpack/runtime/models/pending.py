"""A call that waits for the model: PendingCall."""

from __future__ import annotations

import asyncio
import time
from typing import Any, Hashable, List, Optional, Sequence, Tuple

import numpy as np

from ..errors import ServeError
from .predictor import Array, Arrays, Call

_MAX_DEPTH = 40  # of values that are weighed; JSON is bounded below that


class PendingCall:
    """A call in the queue of a model, and the future that its caller awaits.

    Calls of the same `key` may share a run of the model; None is for one that runs alone. `size` is in bytes, texts included.
    `taken` rows have been given to the model, `alone` is set after a run with other calls has failed, `failed` after a run of
    a part of it has.
    """

    taken = 0
    alone = False
    failed = False

    def __init__(self, call: Call, loop: asyncio.AbstractEventLoop, *, join: bool) -> None:
        inputs, signature = call.inputs, call.signature
        arrays = inputs.values()
        self.call = call
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
        timings = call.timings
        timings.arrived = time.perf_counter()
        if timings.began:  # it is a second try
            timings.began = 0.0

    @property
    def dropped(self) -> bool:
        """Whether its outputs are not needed any more: it was cancelled, is overdue, or a part of it has failed."""
        return self.failed or self.future.done()

    def ran(self, began: float, rows: int) -> None:
        """Note a run of the model for (a part of) this call: when it began, and how many rows of all calls it had."""
        timings = self.call.timings
        timings.ended = time.perf_counter()
        timings.batch_rows = rows
        timings.began = timings.began or began  # set last: the log's thread looks whether it is set

    def whole(self, piece: Arrays, stop: int) -> Optional[Arrays]:
        """The call's outputs once the piece that ends at row `stop` was the last; None while more are to come."""
        if stop < self.rows:
            self.pieces.append(piece)
            return None
        if not self.pieces:
            return piece
        self.pieces.append(piece)
        return {name: np.concatenate([one[name] for one in self.pieces]) for name in piece}


Outcome = Tuple[PendingCall, Optional[Arrays], Optional[ServeError]]  # its outputs, or its failure


def resolve(outcomes: Sequence[Outcome]) -> None:
    """Give each call its outputs or its failure, unless it was cancelled; runs in the event loop."""
    for pending, outputs, error in outcomes:
        if pending.future.done():
            continue
        if error is not None:
            pending.future.set_exception(error)
        elif outputs is not None:
            pending.future.set_result(outputs)


def size_of(array: Array) -> int:
    """Bytes that an array holds; of texts and other objects roughly what they hold themselves."""
    if not array.dtype.hasobject:
        return int(array.nbytes)
    return sum([_weight(value, 0) for value in array.ravel()])


def _weight(value: Any, depth: int) -> int:
    if isinstance(value, (str, bytes)):
        return 64 + len(value)
    if isinstance(value, (list, tuple)) and depth < _MAX_DEPTH:
        return 64 + sum([8 + _weight(one, depth + 1) for one in value])
    if isinstance(value, dict) and depth < _MAX_DEPTH:
        return 64 + sum([_weight(name, depth) + _weight(one, depth + 1) for name, one in value.items()])
    return int(getattr(value, "nbytes", 0)) + 32
