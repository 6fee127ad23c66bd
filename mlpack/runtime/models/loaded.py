"""A model in memory: LoadedModel loads it, warms it up, and runs it with every failure translated."""

from __future__ import annotations

import gc
import threading
import time
from typing import Any, Callable, List, Optional, Tuple

import numpy as np

from ..card import Card, Signature
from ..errors import BadInputError, ModelFailedError, ServeError
from ..telemetry.logs import Log
from ..telemetry.metrics import Metrics
from .calls import call
from .guard import NotInspectedError
from .loading import Loader, load_model
from .predictor import Arrays

_GARBAGE = 10_000  # new objects until the collector looks at some: those of the requests under way are no garbage

# for each signature the inputs to try, in turn, until the model answers one
Warmups = List[Tuple[Signature, List[Arrays]]]


class LoadedModel:
    """A model and its state. One thread calls `load` and then `run`; other threads only read the attributes.

    `ready` turns true when the model has answered a warm-up; until then `reason` says why it is not. `failed` says that it
    never will be, because it could not be loaded.
    """

    def __init__(self, card: Card, loader: Loader, log: Log, metrics: Metrics) -> None:
        self.card = card
        self.ready = False
        self.failed = False
        self.reason = "the model is loading"
        self.decided = threading.Event()  # set once it is known whether the model will answer
        self._loader = loader
        self._model: Any = None
        self._log = log
        self._metrics = metrics

    def load(self, warmups: Warmups, on_failure: Callable[[], None]) -> bool:
        """Load the model and let it answer the warm-ups: whether it is ready. `on_failure`: it cannot be loaded."""
        gc.disable()  # imports and unpickling make what stays: to look for garbage in it costs a third of the start
        self._load(on_failure)
        answered = not self.failed and self._warm_up(warmups)
        gc.freeze()  # later collections need not walk the model
        gc.set_threshold(_GARBAGE, 10, 10)
        gc.enable()
        if answered:
            self.reason = ""
            self.ready = True
        self.decided.set()
        if answered:
            self._metrics.ready()
            self._log.write("info", "ready", model=self.card.name)
        return answered

    def run(self, signature: Signature, inputs: Arrays) -> Arrays:
        """The loader's outputs, as many rows as the inputs have; raises BadInputError, ModelFailedError."""
        try:
            outputs = call(self._loader, self._model, signature, inputs)
            rows = len(next(iter(inputs.values())))
            arrays = {name: np.asarray(array) for name, array in outputs.items()}
            if not arrays or any(array.ndim == 0 or len(array) != rows for array in arrays.values()):
                shapes = {name: list(array.shape) for name, array in arrays.items()}
                raise ModelFailedError(f"the model answered {rows} rows with shapes {shapes}")  # noqa: TRY301 - see below
        except ServeError:
            raise
        except BaseException as error:
            input_error = getattr(self._loader, "InputError", None)
            if input_error is not None and isinstance(error, input_error):
                raise BadInputError(f"the model cannot take these values: {error}") from error
            raise ModelFailedError("the model failed on this request; the log has the trace") from error
        return arrays

    def _load(self, on_failure: Callable[[], None]) -> None:
        started = time.perf_counter()
        try:
            self._model = load_model(self._loader, self.card, self._log)
        except BaseException as error:  # noqa: BLE001 - a model's code may even call sys.exit
            self.failed = True
            if isinstance(error, NotInspectedError):
                self.reason = f"the model is not loaded: {error}"
                self._log.write("critical", self.reason, model=self.card.name)
            else:
                self.reason = f"the model cannot be loaded: {type(error).__name__}: {error}"
                self._log.failure(self.reason, error, model=self.card.name)
            on_failure()
            return
        seconds = time.perf_counter() - started
        self._metrics.loaded(seconds)
        self._log.write("info", "model loaded", model=self.card.name, seconds=round(seconds, 3))

    def _warm_up(self, warmups: Warmups) -> bool:
        """Run every signature once; the first one must answer."""
        for position, (signature, candidates) in enumerate(warmups):
            error = self._try(signature, candidates)
            if error is not None:
                message = f"the warm-up of {signature.name} failed: {cause_of(error)}"
                self._log.failure(message, error.__cause__ or error, model=self.card.name)
                if position == 0:
                    self.reason = message
                    return False
        return True

    def _try(self, signature: Signature, candidates: List[Arrays]) -> Optional[ServeError]:
        """None when the model answers one of the candidates, else the failure of the first."""
        errors: List[ServeError] = []
        for inputs in candidates:
            try:
                self.run(signature, inputs)
            except ServeError as error:  # noqa: PERF203 - a few at most
                errors.append(error)
            else:
                return None
        return errors[0]


def cause_of(error: ServeError) -> str:
    """What is behind a failure, for the log: class and message of its cause, or its own message."""
    cause = error.__cause__
    return error.message if cause is None else f"{type(cause).__name__}: {cause}"
