"""Load a model with its format's loader: load_model, and what must be prepared in the process before that."""

from __future__ import annotations

import functools
import importlib
import os
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Callable, Iterator, Mapping, Protocol

import numpy as np

from ..card import Card, Signature
from ..telemetry.logs import Log
from .guard import Guard
from .predictor import Arrays

_MOST_STDERR = 64 * 1024


class Loader(Protocol):
    """The image half of a format. It may have `InputError`, an exception for values that the model cannot take."""

    def load(self, path: str, options: Mapping[str, Any], guard: Guard) -> Any:
        """The model; raises NotInspectedError where the file refers to what the guard does not list."""

    def predict(self, model: Any, signature: Signature, inputs: Arrays) -> Arrays:
        """The signature's outputs, in its order, as arrays of as many rows as the inputs have."""


def load_model(loader: Any, card: Card, log: Log) -> Any:
    """The card's model in memory, with the user's own code that it needs; raises whatever its code does."""
    with logged_stderr(log):
        prepare = getattr(loader, "prepare", None)
        if prepare is not None:  # what must be set before the framework is imported
            prepare(card.options)
        add_user_code(card.folder, card.document.get("code") or {})
        model = loader.load(str(card.model), card.options, Guard.of_card(card.document, card.folder))
        speed_up_narwhals()
        return model


def add_user_code(folder: Path, code: Mapping[str, Any]) -> None:
    """Make the code in the card's `code` importable, and put what a notebook defined into `__main__`, where the file refers.

    `folder` is where the card lies; `code` has `paths` (below it) and `main` (name -> module). Raises what importing the
    user's modules raises, and AttributeError for a name that its module does not have.
    """
    for path in reversed(code.get("paths") or ()):
        place = str(folder / path)
        if place not in sys.path:
            # before the server's own files, as a script's folder came first where the model was trained
            sys.path.insert(0, place)
        for ours in ("loader", "serve"):
            if (folder / path / (ours + ".py")).is_file() or (folder / path / ours).is_dir():
                # From now on the name means the user's module; the server has its own already.
                for name in [one for one in sys.modules if one == ours or one.startswith(ours + ".")]:
                    del sys.modules[name]
    main = sys.modules["__main__"]
    sys.modules.setdefault("__mp_main__", main)  # the module of a class that a worker process pickled
    for name, module in (code.get("main") or {}).items():
        setattr(main, name, getattr(importlib.import_module(module), name))


@contextmanager
def logged_stderr(log: Log) -> Iterator[None]:
    """Write to the log what comes out on file descriptor 2 during the `with`.

    The C code of a library, such as TensorFlow, prints there when it is loaded, and no setting stops it. The lines are logged
    when the `with` ends; they are lost when the process is killed before that.
    """
    try:
        captured = os.memfd_create("stderr")
        original = os.dup(2)
    except (AttributeError, OSError):  # no Linux, or no stderr
        yield
        return
    os.dup2(captured, 2)
    try:
        yield
    finally:
        os.dup2(original, 2)
        os.close(original)
        os.lseek(captured, 0, os.SEEK_SET)
        for line in os.read(captured, _MOST_STDERR).decode("utf-8", "replace").splitlines():
            if line.strip():
                log.write("info", line.rstrip(), logger="stderr")
        os.close(captured)


def speed_up_narwhals() -> None:
    """Let narwhals see at once that an array is no data frame.

    scikit-learn 1.9 checks that four times a prediction, and narwhals' own check takes nearly half of a small prediction.
    """
    dependencies = sys.modules.get("narwhals.stable.v2.dependencies")
    for name in ("is_into_dataframe", "is_into_series"):
        check = getattr(dependencies, name, None)
        if check is not None and not hasattr(check, "__wrapped__"):
            setattr(dependencies, name, _false_for_arrays(check))


def _false_for_arrays(check: Callable[[Any], bool]) -> Callable[[Any], bool]:
    @functools.wraps(check)
    def quick(*arguments: Any, **named: Any) -> bool:
        return not (arguments and type(arguments[0]) is np.ndarray) and check(*arguments, **named)

    return quick
