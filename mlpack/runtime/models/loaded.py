"""A model in memory with its one thread: it loads, warms up, and then answers what waits, as much as goes together at once."""

from __future__ import annotations

import asyncio
import gc
import queue
import threading
import time
from contextlib import suppress
from typing import Any, Callable, List, Mapping, Optional, Protocol, Tuple

import numpy as np

from ..card import Card, Signature
from ..errors import BadInputError, ModelFailedError, QueueFullError, ServeError
from ..settings import Settings
from ..telemetry.logs import Log
from ..telemetry.measured import CURRENT
from ..telemetry.metrics import Metrics
from ..telemetry.stderr import chatter_logged
from .batching import Part, Waiting, joined, shared_out
from .calls import call
from .guard import Guard, NotInspectedError
from .pending import Job, settle
from .predictor import Arrays
from .quick import know_arrays
from .user_code import bring

_GARBAGE = 10_000  # objects more than before, until some are looked at: those of the requests under way are no garbage
_QUEUE_BYTES = 256 * 2**20  # of values that wait


class Loader(Protocol):
    """The format's half in the image. It may have `InputError`: an exception for values that the model cannot take."""

    def load(self, path: str, options: Mapping[str, Any], guard: Guard) -> Any:
        """The model; raises NotInspectedError where the file asks for what the guard does not list."""

    def predict(self, model: Any, signature: Signature, inputs: Arrays) -> Arrays:
        """The signature's outputs, in its order, as arrays of as many rows as the inputs have."""


# for each signature the inputs to try, in turn, until the model answers one
Warmups = List[Tuple[Signature, List[Arrays]]]


class LoadedModel:
    """A predictor whose model lives in a thread of its own, so that the event loop never predicts.

    `ready` turns true when the model has answered a warm-up; until then `reason` says why it is not. `failed` says that it
    never will be, because it could not be loaded. The queue is bounded in rows and bytes; a cancelled call leaves it.
    """

    def __init__(self, card: Card, loader: Loader, log: Log, settings: Settings, metrics: Metrics) -> None:
        self.card = card
        self.ready = False
        self.failed = False
        self.reason = "the model is loading"
        self.decided = threading.Event()  # set once it is known whether the model will answer
        self._loader = loader
        self._log = log
        self._metrics = metrics
        self._queue_rows = settings.queue_rows
        self._joins = {one: _may_join(one, str(settings.batch.mode)) for one in card.signatures}
        self._rows = 0
        self._bytes = 0
        self._arriving: queue.SimpleQueue[List[Job]] = queue.SimpleQueue()
        self._gathered: List[Job] = []
        self._waiting = Waiting(settings.batch.max_rows, settings.batch.max_size)
        self._stopping = False
        self._thread: Optional[threading.Thread] = None

    def start(self, warmups: Warmups, on_failure: Callable[[], None]) -> None:
        """Begin to load; `on_failure` is called, in the model's thread, when the model cannot be loaded."""
        self._thread = threading.Thread(target=self._live, args=(warmups, on_failure), name="mlpack-model", daemon=True)
        self._thread.start()

    def stop(self, timeout_s: float) -> bool:
        """Let the thread end; False when it is still busy after `timeout_s`."""
        self._stopping = True
        self._arriving.put([])
        if self._thread is not None:
            self._thread.join(timeout_s)
        return self._thread is None or not self._thread.is_alive()

    async def predict(self, signature: Signature, inputs: Arrays) -> Arrays:
        """The model's answer; raises QueueFullError, BadInputError, ModelFailedError."""
        request = CURRENT.request  # while we wait it will be others'
        loop = asyncio.get_running_loop()
        job = Job(signature, inputs, loop, join=self._joins[signature])
        if self._rows and (self._rows + job.rows > self._queue_rows or self._bytes + job.size > _QUEUE_BYTES):
            raise QueueFullError(f"{self._rows} rows are waiting; try again in a moment")
        self._rows += job.rows
        self._metrics.waiting(job.rows)
        self._bytes += job.size
        if not self._gathered:
            loop.call_soon(self._hand_in)
        self._gathered.append(job)
        outputs: Optional[Arrays] = None
        try:
            outputs = await job.future
        finally:
            self._rows -= job.rows
            self._metrics.waiting(-job.rows)
            self._bytes -= job.size
            if request is not None:
                request.job, request.outputs = job, outputs
            if job.began:
                self._metrics.waited(job.began - job.arrived)
        return outputs

    def _hand_in(self) -> None:
        """All that the loop has read in one go, together: else the model's thread would begin with the first of them."""
        jobs, self._gathered = self._gathered, []
        self._arriving.put(jobs)

    def _live(self, warmups: Warmups, on_failure: Callable[[], None]) -> None:
        gc.disable()  # imports and unpickling make what stays: to look for garbage in it costs a third of the start
        model = self._load(on_failure)
        answered = not self.failed and self._warm_up(model, warmups)
        gc.freeze()  # later collections need not walk the model
        gc.set_threshold(_GARBAGE, 10, 10)
        gc.enable()
        if not answered:
            self.decided.set()
            return
        self.reason = ""
        self.ready = True
        self.decided.set()
        self._metrics.ready()
        self._log.write("info", "ready", model=self.card.name)
        while not self._stopping:
            self._admit()
            parts = self._waiting.take()
            if parts:
                self._answer(model, parts)
            else:
                self._waits_for(self._arriving.get())

    def _admit(self) -> None:
        """All that has arrived, without waiting for more."""
        with suppress(queue.Empty):
            while True:
                self._waits_for(self._arriving.get_nowait())

    def _waits_for(self, jobs: List[Job]) -> None:
        for job in jobs:
            self._waiting.add(job)

    def _answer(self, model: Any, parts: List[Part]) -> None:
        """Call the model for the parts, and give each its rows of the answer."""
        signature = parts[0].job.signature
        began = time.perf_counter()
        outcomes: List[Tuple[Job, Optional[Arrays], Optional[ServeError]]] = []
        rows = sum([part.stop - part.start for part in parts])
        try:
            outputs = self._called(model, signature, joined(parts))
            self._metrics.called(rows, time.perf_counter() - began)
            for part, piece in shared_out(outputs, parts):
                part.job.called(began, rows)
                whole = part.job.whole(piece, part.stop)
                if whole is not None:
                    outcomes.append((part.job, whole, None))
        except ServeError as error:
            self._failed(parts, error, began)
        except BaseException as error:  # noqa: BLE001 - too little memory to put arrays together; the thread must live on
            failure = ModelFailedError("the model failed on this request; the log has the trace")
            failure.__cause__ = error
            self._failed(parts, failure, began)
        else:
            self._hand_over(outcomes)

    def _failed(self, parts: List[Part], error: ServeError, began: float) -> None:
        """The one that asked alone is told; those that asked together are asked once more, each alone."""
        if len(parts) == 1:
            job = parts[0].job
            job.called(began, job.rows)
            job.spoilt = True
            self._hand_over([(job, None, error)])
            return
        for part in parts:
            part.job.alone = True
            self._waiting.add(part.job)
        # values that the model cannot take are their sender's fault, and no reason to make all others slower
        if not isinstance(error, BadInputError) and self._waiting.failed():
            told = "calls for joined requests keep failing: for a minute each request is a call of its own"
            self._log.write("warning", told, model=self.card.name, cause=_cause(error))

    def _hand_over(self, outcomes: List[Tuple[Job, Optional[Arrays], Optional[ServeError]]]) -> None:
        if not outcomes:
            return
        try:
            outcomes[0][0].loop.call_soon_threadsafe(settle, outcomes)
        except RuntimeError:  # the loop has ended: nobody waits any more
            self._stopping = True

    def _load(self, on_failure: Callable[[], None]) -> Any:
        started = time.perf_counter()
        try:
            model = load_model(self._loader, self.card, self._log)
        except BaseException as error:  # noqa: BLE001 - a model's code may even call sys.exit
            self.failed = True
            if isinstance(error, NotInspectedError):
                self.reason = f"the model is not loaded: {error}"
                self._log.write("critical", self.reason, model=self.card.name)
            else:
                self.reason = f"the model cannot be loaded: {type(error).__name__}: {error}"
                self._log.failure(self.reason, error, model=self.card.name)
            on_failure()
            return None
        seconds = time.perf_counter() - started
        self._metrics.loaded(seconds)
        self._log.write("info", "model loaded", model=self.card.name, seconds=round(seconds, 3))
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
                self._called(model, signature, inputs)
            except ServeError as error:  # noqa: PERF203 - a few at most
                errors.append(error)
            else:
                return None
        return errors[0]

    def _called(self, model: Any, signature: Signature, inputs: Arrays) -> Arrays:
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


def load_model(loader: Any, card: Card, log: Log) -> Any:
    """The card's model in memory, with the user's own code that it needs; raises whatever its code does."""
    with chatter_logged(log):
        prepare = getattr(loader, "prepare", None)
        if prepare is not None:  # what must be set before anybody imports the framework
            prepare(card.options)
        bring(card.folder, card.document.get("code") or {})
        model = loader.load(str(card.model), card.options, Guard.of_card(card.document, card.folder))
        know_arrays()
        return model


def _may_join(signature: Signature, mode: str) -> bool:
    """Whether requests may share a call: where the card says that rows do not depend on each other, or the user insists."""
    return signature.batch == "any" and (mode == "on" or (mode == "auto" and signature.batchable))


def _cause(error: ServeError) -> str:
    cause = error.__cause__
    return error.message if cause is None else f"{type(cause).__name__}: {cause}"
