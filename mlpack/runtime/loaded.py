"""A model in memory with its one thread: it loads, warms up, and then answers what waits in its queue."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
from collections import deque
from typing import Any, Callable, Deque, List, Mapping, Optional, Protocol, Tuple

import numpy as np

from .calls import call
from .card import Card, Signature
from .chatter import chatter_logged
from .errors import BadInputError, ModelFailedError, QueueFullError, ServeError
from .logs import Log
from .owncode import bring
from .predictor import Arrays

_QUEUE_BYTES = 256 * 2**20  # of arrays that wait; texts count as pointers


class Loader(Protocol):
    """The format's half in the image. It may have `InputError`: an exception for values that the model cannot take."""

    def load(self, path: str, options: Mapping[str, Any]) -> Any:
        """The model."""

    def predict(self, model: Any, signature: Signature, inputs: Arrays) -> Arrays:
        """The signature's outputs, in its order, as arrays of as many rows as the inputs have."""


# for each signature the inputs to try, in turn, until the model answers one
Warmups = List[Tuple[Signature, List[Arrays]]]


class LoadedModel:
    """A predictor whose model lives in a thread of its own, so that the event loop never predicts.

    `ready` turns true when the model has answered a warm-up; until then `reason` says why it is not. `failed` says that it
    never will be, because it could not be loaded. The queue is bounded in rows and bytes; a cancelled call leaves it.
    """

    def __init__(self, card: Card, loader: Loader, log: Log, queue_rows: int) -> None:
        self.card = card
        self.ready = False
        self.failed = False
        self.reason = "the model is loading"
        self._loader = loader
        self._log = log
        self._queue_rows = queue_rows
        self._rows = 0
        self._bytes = 0
        self._jobs: Deque[_Job] = deque()
        self._wake = threading.Semaphore(0)
        self._stopping = False
        self._thread: Optional[threading.Thread] = None

    def start(self, warmups: Warmups, on_failure: Callable[[], None]) -> None:
        """Begin to load; `on_failure` is called, in the model's thread, when the model cannot be loaded."""
        self._thread = threading.Thread(target=self._live, args=(warmups, on_failure), name="mlpack-model", daemon=True)
        self._thread.start()

    def stop(self, timeout_s: float) -> bool:
        """Let the thread end; False when it is still busy after `timeout_s`."""
        self._stopping = True
        self._wake.release()
        if self._thread is not None:
            self._thread.join(timeout_s)
        return self._thread is None or not self._thread.is_alive()

    async def predict(self, signature: Signature, inputs: Arrays) -> Arrays:
        """The model's answer; raises QueueFullError, BadInputError, ModelFailedError."""
        rows = len(next(iter(inputs.values())))
        size = sum(array.nbytes for array in inputs.values())
        if self._rows and (self._rows + rows > self._queue_rows or self._bytes + size > _QUEUE_BYTES):
            raise QueueFullError(f"{self._rows} rows are waiting; try again in a moment")
        loop = asyncio.get_running_loop()
        job = _Job(signature, inputs, rows, loop)
        self._rows += rows
        self._bytes += size
        self._jobs.append(job)
        self._wake.release()
        try:
            return await job.future
        finally:
            self._rows -= rows
            self._bytes -= size

    def _live(self, warmups: Warmups, on_failure: Callable[[], None]) -> None:
        gc.disable()  # imports and unpickling make what stays: to look for garbage in it costs a third of the start
        model = self._load(on_failure)
        answered = not self.failed and self._warm_up(model, warmups)
        gc.freeze()  # later collections need not walk the model
        gc.enable()
        if not answered:
            return
        self.reason = ""
        self.ready = True
        self._log.write("info", "ready", model=self.card.name)
        while True:
            self._wake.acquire()
            if self._stopping:
                return
            self._answer(model, self._jobs.popleft())

    def _load(self, on_failure: Callable[[], None]) -> Any:
        started = time.perf_counter()
        try:
            with chatter_logged(self._log):
                prepare = getattr(self._loader, "prepare", None)
                if prepare is not None:  # what must be set before anybody imports the framework
                    prepare(self.card.options)
                bring(self.card.folder, self.card.document.get("code") or {})
                model = self._loader.load(str(self.card.model), self.card.options)
        except BaseException as error:  # noqa: BLE001 - a model's code may even call sys.exit
            self.reason = f"the model cannot be loaded: {type(error).__name__}: {error}"
            self.failed = True
            self._log.failure(self.reason, error, model=self.card.name)
            on_failure()
            return None
        self._log.write("info", "model loaded", model=self.card.name, seconds=round(time.perf_counter() - started, 3))
        return model

    def _warm_up(self, model: Any, warmups: Warmups) -> bool:
        """Ask every signature once; the first one must answer."""
        for position, (signature, candidates) in enumerate(warmups):
            error = self._tried(model, signature, candidates)
            if error is not None:
                told = f"the warm-up of {signature.name} failed: {_cause(error)}"
                self._log.failure(told, error.__cause__ or error, model=self.card.name)
                if position == 0:
                    self.reason = told
                    return False
        return True

    def _tried(self, model: Any, signature: Signature, candidates: List[Arrays]) -> Optional[ServeError]:
        """None when one of the candidates was answered, else the first one's failure."""
        errors: List[ServeError] = []
        for inputs in candidates:
            try:
                self._predict(model, signature, inputs)
            except ServeError as error:  # noqa: PERF203 - a few at most
                errors.append(error)
            else:
                return None
        return errors[0]

    def _answer(self, model: Any, job: _Job) -> None:
        if job.future.done():  # cancelled: the client has gone, or its time is up
            return
        outputs: Optional[Arrays] = None
        error: Optional[ServeError] = None
        try:
            outputs = self._predict(model, job.signature, job.inputs)
        except ServeError as failure:
            error = failure
        try:
            job.loop.call_soon_threadsafe(job.settle, outputs, error)
        except RuntimeError:  # the loop has ended: nobody waits any more
            self._stopping = True

    def _predict(self, model: Any, signature: Signature, inputs: Arrays) -> Arrays:
        try:
            outputs = call(self._loader, model, signature, inputs)
            rows = len(next(iter(inputs.values())))
            arrays = {name: np.asarray(array) for name, array in outputs.items()}
            if not arrays or any(array.ndim == 0 or len(array) != rows for array in arrays.values()):
                shapes = {name: list(array.shape) for name, array in arrays.items()}
                raise ModelFailedError(f"the model answered {rows} rows with shapes {shapes}")  # noqa: TRY301 - told below
        except ServeError:
            raise
        except BaseException as error:
            input_error = getattr(self._loader, "InputError", None)
            if input_error is not None and isinstance(error, input_error):
                raise BadInputError(f"the model cannot take these values: {error}") from error
            raise ModelFailedError("the model failed on this request; the log has the trace") from error
        return arrays


class _Job:
    """Rows that wait for the model, and the future that waits for their answer."""

    __slots__ = ("future", "inputs", "loop", "rows", "signature")

    def __init__(self, signature: Signature, inputs: Arrays, rows: int, loop: asyncio.AbstractEventLoop) -> None:
        self.signature = signature
        self.inputs = inputs
        self.rows = rows
        self.loop = loop
        self.future: asyncio.Future[Arrays] = loop.create_future()

    def settle(self, outputs: Optional[Arrays], error: Optional[ServeError]) -> None:
        """Give the answer to whoever still waits; called in the event loop."""
        if self.future.done():
            return
        if error is not None:
            self.future.set_exception(error)
        elif outputs is not None:
            self.future.set_result(outputs)


def _cause(error: ServeError) -> str:
    cause = error.__cause__
    return error.message if cause is None else f"{type(cause).__name__}: {cause}"
