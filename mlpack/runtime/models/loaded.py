"""A model in memory: LoadedModel loads it, warms it up, and runs it with every failure translated."""

from __future__ import annotations

import gc
import threading
import time
from itertools import chain
from typing import Any, Callable, Iterable, List, NamedTuple, Optional

import numpy as np

from ..card import Card, Signature
from ..errors import BadInputError, ModelFailedError, ServeError, WrongAnswerError
from ..telemetry.logs import Log
from ..telemetry.metrics import Metrics
from .calls import call
from .loading import Loader, load_model
from .predictor import Arrays
from .start_failure import StartFailure, log_load_failure, log_start_failure

_GARBAGE = 10_000  # new objects until the collector looks at some: those of the requests under way are no garbage


class Warmup(NamedTuple):
    """The inputs that warm a signature up: the card's sample rows, or several rows made from the signature.

    Of made-up rows the model has to answer one; they are tried in turn, and after them those that `more` makes.
    """

    signature: Signature
    candidates: List[Arrays]
    given: bool  # rows of the card's sample
    more: Callable[[], Iterable[Arrays]] = tuple


Warmups = List[Warmup]  # one for each signature, the default one first


class LoadedModel:
    """A model and its state. One thread calls `load` and then `run`; other threads only read the attributes.

    `ready` turns true when the model is loaded and has not failed on sample rows; until then `reason` says why it is not.
    `failed` says that it never will be. `unverified` says why a ready model has not answered any row: only made-up rows were
    tried, and it failed on each; "" when it has answered.
    """

    def __init__(self, card: Card, loader: Loader, log: Log, metrics: Metrics) -> None:
        self.card = card
        self.ready = False
        self.failed = False
        self.reason = "the model is loading"
        self.unverified = ""
        self.decided = threading.Event()  # set once it is known whether the model will answer
        self._loader = loader
        self._model: Any = None
        self._log = log
        self._metrics = metrics

    @property
    def accepts(self) -> bool:
        """Whether requests may be sent to it."""
        return self.ready

    def load(self, warmups: Warmups, on_failure: Callable[[], None]) -> bool:
        """Load the model and warm it up: whether it is ready. `on_failure` is called when it never will be."""
        gc.disable()  # imports and unpickling make what stays: to look for garbage in it costs a third of the start
        self._load()
        if not self.failed:
            self._warm_up(warmups)
        gc.freeze()  # later collections need not walk the model
        gc.set_threshold(_GARBAGE, 10, 10)
        gc.enable()
        if self.failed:
            on_failure()
        else:
            self.reason = ""
            self.ready = True
        self.decided.set()
        if self.ready:
            self._metrics.ready()
            self._log.write("info", "ready", model=self.card.name, verified=not self.unverified)
        return self.ready

    def run(self, signature: Signature, inputs: Arrays) -> Arrays:
        """The loader's outputs, as many rows as the inputs have; raises BadInputError, ModelFailedError."""
        try:
            outputs = call(self._loader, self._model, signature, inputs)
            rows = len(next(iter(inputs.values())))
            arrays = {name: np.asarray(array) for name, array in outputs.items()}
            if not arrays or any(array.ndim == 0 or len(array) != rows for array in arrays.values()):
                shapes = {name: list(array.shape) for name, array in arrays.items()}
                raise WrongAnswerError(f"the model answered {rows} rows with shapes {shapes}")  # noqa: TRY301 - see below
        except ServeError:
            raise
        except BaseException as error:
            input_error = getattr(self._loader, "InputError", None)
            if input_error is not None and isinstance(error, input_error):
                raise BadInputError(f"the model cannot take these values: {error}") from error
            if isinstance(error, getattr(self._loader, "AnswerError", ())):
                raise WrongAnswerError(f"the model's answer has no entry for each row: {error}") from error
            raise ModelFailedError("the model failed on this request; the log has the trace") from error
        return arrays

    def _load(self) -> None:
        started = time.perf_counter()
        try:
            self._model = load_model(self._loader, self.card, self._log)
        except BaseException as error:  # noqa: BLE001 - a model's code may even call sys.exit
            self.failed = True
            self.reason = log_load_failure(self._log, self.card, error)
        else:
            seconds = time.perf_counter() - started
            self._metrics.loaded(seconds)
            self._log.write("info", "model loaded", model=self.card.name, seconds=round(seconds, 3))

    def _warm_up(self, warmups: Warmups) -> None:
        """Run every signature once. Sample rows of the default signature must be answered, at the second try at the latest."""
        for position, warmup in enumerate(warmups):
            error = self._try(warmup)
            if error is None:
                continue
            cause = error.__cause__ or error
            rows = "the sample rows" if warmup.given else "rows made from its signature"
            message = f"{warmup.signature.name} failed on {rows}: {cause_of(error)}"
            wrong = isinstance(error, WrongAnswerError)
            if position:
                self._log.failure(message, cause, model=self.card.name)
            elif warmup.given:
                self.failed = True
                self.reason = message
                log_start_failure(self._log, self.card, message, StartFailure.SAMPLE, cause, answer=wrong)
                return
            else:
                self.unverified = message
                log_start_failure(self._log, self.card, message, StartFailure.MADE_UP_ROWS, cause, answer=wrong)

    def _try(self, warmup: Warmup) -> Optional[ServeError]:
        """None when the model answers one of the candidates, else the failure of the first."""
        errors: List[ServeError] = []
        for inputs in chain(warmup.candidates * 2 if warmup.given else warmup.candidates, warmup.more()):
            try:
                self.run(warmup.signature, inputs)
            except ServeError as error:  # noqa: PERF203 - a few at most
                errors.append(error)
            else:
                return None
        return errors[0]


def cause_of(error: ServeError) -> str:
    """What is behind a failure, for the log: class and message of its cause, or its own message."""
    cause = error.__cause__
    return error.message if cause is None else f"{type(cause).__name__}: {cause}"
