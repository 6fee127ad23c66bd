"""What the user's own class may answer: one entry a row, or columns by name; anything else is refused, and the remedy named."""

from __future__ import annotations

from collections import namedtuple
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mlpack.artifacts.diagnosis import diagnose
from mlpack.runtime.card import Signature, TensorSpec
from mlpack.runtime.models.loaded import LoadedModel, Warmup
from mlpack.runtime.protocols.encoding.answers import predictions
from mlpack.runtime.telemetry.logs import Log
from mlpack.runtime.telemetry.metrics import Metrics
from tests.contract.served import SKLEARN_LOADER
from tests.loading import module_at

ROWS = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
ASKED = Signature(
    "predict",
    "predict",
    "matrix",
    (TensorSpec("input", "FP64", (-1, 2)),),
    (TensorSpec("predict", "BYTES", (-1,)),),
    None,
    (),
    {},
    False,
    raw=("predict",),
)
Pair = namedtuple("Pair", "a b")  # noqa: PYI024 - as users write them


@dataclass
class Columns:
    """Columns of an answer."""

    a: Any
    b: Any


class Own:
    """A class of the user's own."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    def predict(self, _rows: Any) -> Any:
        """What it was made with."""
        return self.answer() if callable(self.answer) else self.answer


@pytest.fixture(scope="module")
def loader() -> ModuleType:
    return module_at(SKLEARN_LOADER, "loader_under_test")


OBJECTS = [{"a": 1.0, "b": "x"}, {"a": 2.0, "b": "y"}, {"a": 3.0, "b": "z"}]
FORMS: dict[str, tuple[Any, list[Any]]] = {
    "generator": (lambda: (value for value in [1.0, 2.0, 3.0]), [1.0, 2.0, 3.0]),
    "map": (lambda: map(str, [1, 2, 3]), ["1", "2", "3"]),
    "frame of one column": (pd.DataFrame({"a": [1.0, 2.0, 3.0]}), [{"a": 1.0}, {"a": 2.0}, {"a": 3.0}]),
    "dict of one column": ({"predict": [1, 2, 3]}, [{"predict": 1}, {"predict": 2}, {"predict": 3}]),
    "dict": ({"a": [1.0, 2.0, 3.0], "b": ["x", "y", "z"]}, OBJECTS),
    "dict of iterators": (lambda: {"a": iter([1.0, 2.0, 3.0]), "b": map(str, "xyz")}, OBJECTS),
    "named tuple": (Pair(np.array([1.0, 2.0, 3.0]), ["x", "y", "z"]), OBJECTS),
    "dataclass": (Columns([1.0, 2.0, 3.0], ["x", "y", "z"]), OBJECTS),
    "dataclasses": ([Columns(**one) for one in OBJECTS], OBJECTS),
    "arrays": ((np.array([1.0, 2.0, 3.0]), np.array([4.0, 5.0, 6.0])), [[1.0, 4.0], [2.0, 5.0], [3.0, 6.0]]),
}


@pytest.mark.parametrize("form", FORMS)
def test_an_answer_of_rows_or_columns(loader: ModuleType, form: str) -> None:
    """Columns are answered as an object a row, also if there is only one."""
    held, wanted = FORMS[form]
    assert predictions(loader.predict(loader.wrap(Own(held)), ASKED, {"input": ROWS})) == wanted


@pytest.mark.parametrize(
    "held",
    [
        4.5,
        "good",
        {"a": 4.5},
        {"a": "xyz"},
        {0: 1.0, 1: 2.0, 2: 3.0},
        {0: [1, 2, 3], 1: [4, 5, 6], 2: [7, 8, 9]},
        ([1, 2, 3], [4, 5, 6], [7, 8, 9]),
        (np.zeros(3), 1.0, 2.0),
        (1, 2, 3),
    ],
    ids=str,
)
def test_an_answer_that_is_not_understood_is_refused(loader: ModuleType, held: Any) -> None:
    """Also where its length happens to be the number of rows."""
    with pytest.raises(loader.AnswerError):
        loader.predict(loader.wrap(Own(held)), ASKED, {"input": ROWS})


def test_a_declared_output_may_come_from_an_iterator(loader: ModuleType) -> None:
    """Of a class whose labels or numbers the file tells; a tuple of lists is refused as of any other."""
    declared = replace(ASKED, outputs=(TensorSpec("predict", "FP64", (-1,)),), raw=())
    assert predictions(loader.predict(loader.wrap(Own(lambda: map(float, "123"))), declared, {"input": ROWS})) == [
        1,
        2,
        3,
    ]
    with pytest.raises(loader.AnswerError):
        loader.predict(loader.wrap(Own(([1, 2, 3], [4, 5, 6], [7, 8, 9]))), declared, {"input": ROWS})


@pytest.mark.parametrize("held", [4.5, [1, 2]], ids=["one number", "two entries"])
def test_the_start_names_the_remedy(loader: ModuleType, tmp_path: Path, held: Any) -> None:
    """The sample rows are not at fault: a predictor is the remedy."""
    card: Any = SimpleNamespace(name="model", folder=tmp_path, document={"framework": "scikit-learn"})
    with (tmp_path / "log").open("wb") as file:
        log = Log(file.fileno())
        model = LoadedModel(card, loader, log, Metrics())
        model._model = loader.wrap(Own(held))
        model._warm_up([Warmup(ASKED, [{"input": ROWS}], given=True)])
        log.flush()
    assert model.failed
    found = diagnose((tmp_path / "log").read_text())
    assert found is not None
    assert "`predictor: predict.py`" in found.hint
    assert "--sample" not in found.hint
