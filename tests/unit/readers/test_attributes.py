"""Attributes that make an object run a text, open files or call functions with what a request brings: dangerous, by name."""

from __future__ import annotations

import collections
import functools
import operator
import pickle
import sys
import warnings
from pathlib import Path
from types import ModuleType
from typing import Any

import lightgbm
import numpy as np
import pandas as pd
import pytest
import sklearn
import statsmodels.formula.api
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer, TfidfVectorizer
from sklearn.linear_model import LinearRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils import Bunch

from mlpack.artifacts.model import Safety
from mlpack.readers.pickles.files import read_pickles

_EVIL = "y ~ os.system('id')"


def _judged(model: Any, path: Path) -> Safety:
    path.write_bytes(pickle.dumps(model))
    told = read_pickles(path)
    assert told is not None
    return told.safety


def _fitted() -> Any:
    table = pd.DataFrame({
        "y": [1.0, 2.0, 4.0, 3.0], "x": [1.0, 2.0, 3.0, 5.0], "g": ["a", "b", "a", "b"],
        "c": pd.Categorical(["u", "v", "v", "u"]), "t": pd.date_range("2020", periods=4), "o": np.array([1, None, "a", 2.5], object),
    })  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return statsmodels.formula.api.ols("y ~ bs(x, df=3, degree=1) + C(g)", table).fit()


def test_a_model_that_was_fitted_by_a_formula_is_safe(tmp_path: Path) -> None:
    """A table with columns of all common kinds makes no finding."""
    assert _judged(_fitted(), tmp_path / "model.pkl") == Safety(verdict="safe")


@pytest.mark.parametrize("version", [KNeighborsClassifier(), ("1.9.1",), 1.9, None])
def test_a_version_that_is_no_text_is_dangerous(version: Any, tmp_path: Path) -> None:
    """scikit-learn compares it with its own version, and prints it in a warning: methods of the object would run."""
    state = pickle.dumps(LinearRegression(), protocol=2)
    own = pickle.dumps(sklearn.__version__, protocol=2)[2:-3]  # without the header, the memo and the end
    assert state.count(own) == 1
    (tmp_path / "model.pkl").write_bytes(state.replace(own, pickle.dumps(version, protocol=2)[2:-1]))
    found = read_pickles(tmp_path / "model.pkl")
    assert found is not None
    assert found.safety.verdict == "dangerous"
    assert "_sklearn_version is no text" in found.safety.findings[0].why


@pytest.mark.parametrize("part", ["model", "model.data", "_results", "sklearn"])
def test_a_specification_that_is_a_text_is_dangerous(part: str, tmp_path: Path) -> None:
    """statsmodels computes a `model_spec` that is a text when it predicts, wherever it finds one."""
    model = _fitted()
    if part == "sklearn":  # another object in the place of the model
        other = LinearRegression()
        other.model_spec, other.formula = _EVIL, "y ~ x"
        model._results.model = other
    else:
        holder = functools.reduce(getattr, part.split("."), model)
        holder.__dict__["design_info" if part == "model.data" else "model_spec"] = _EVIL
        if part == "model.data":
            del holder.__dict__["model_spec"]
    found = _judged(model, tmp_path / "model.pkl")
    assert found.verdict == "dangerous"
    assert any("formula" in one.why or "part of a statsmodels model" in one.why for one in found.findings)


@pytest.mark.parametrize("place", ["model", "data"])
@pytest.mark.parametrize("other", [Bunch(model_spec=_EVIL), pd.Series([_EVIL], index=["model_spec"])])
def test_another_object_in_the_place_of_a_part_is_dangerous(other: Any, place: str, tmp_path: Path) -> None:
    """Objects whose items are attributes would bring a formula that nobody looks at."""
    model = _fitted()
    (model._results if place == "model" else model.model).__dict__[place] = other
    assert _judged(model, tmp_path / "model.pkl").verdict == "dangerous"


@pytest.mark.parametrize("frame", ["objects", "factory", "callable", "join"])
def test_a_table_that_holds_more_than_values_is_dangerous(frame: str, tmp_path: Path) -> None:
    """A formula calls methods of what it is computed with: of objects in arrays, of a mapping, of functions as columns."""
    data = _fitted().model.data
    state = data.__getstate__()
    if frame == "join":
        del state["frame"]
        state["orig_endog"] = LinearRegression()
    else:
        state["frame"] = {
            "objects": pd.DataFrame({"x": np.array([LinearRegression()], object)}),
            "factory": collections.defaultdict(lightgbm.Booster),
            "callable": {"C": np.mean},
        }[frame]  # fmt: skip
        if frame == "callable":
            state["frame"]["C"] = LinearRegression()
    data.__class__ = _Data
    data.state = state
    text = pickle.dumps(data, 2).replace(f"c{__name__}\n_Data".encode(), b"cstatsmodels.base.data\nPandasData")
    path = tmp_path / "model.pkl"
    path.write_bytes(text)
    told = read_pickles(path)
    assert told is not None
    assert told.safety.verdict == "dangerous"
    assert any("table" in one.why for one in told.safety.findings)


class _Data:
    """Stands for statsmodels' data, with a state of the test's own."""

    def __getstate__(self) -> Any:
        return self.state

    state: Any = None


@pytest.mark.parametrize(
    "opening",
    [
        b"cpandas.core.indexes.base\n_new_Index\ncstatsmodels.base.data\nPandasData\n}\x86R",
        b"ccopyreg\n_reconstructor\n(cstatsmodels.base.data\nPandasData\nc__builtin__\nobject\nNtR",
        b"csklearn.linear_model._base\nLinearRegression\n)\x81",
    ],
)
def test_a_class_that_is_hidden_is_judged_like_any(opening: bytes, tmp_path: Path) -> None:
    """Whatever makes the object, and whatever class it names: a state that has a formula computed is judged."""
    state = pickle.dumps({"restore_model_spec": True, "formula": _EVIL, "frame": {}}, 2)[2:-1]
    path = tmp_path / "model.pkl"
    path.write_bytes(b"\x80\x02" + opening + state + b"b.")
    told = read_pickles(path)
    assert told is not None
    assert told.safety.verdict == "dangerous"
    assert any("formula" in one.why for one in told.safety.findings)


@pytest.mark.parametrize("given", ["filename", "file", np.str_("filename"), None])
@pytest.mark.parametrize("kind", [CountVectorizer, TfidfVectorizer, HashingVectorizer])
def test_a_vectorizer_that_opens_files_is_dangerous(kind: Any, given: Any, tmp_path: Path) -> None:
    """Whoever sends a request would name a file of the machine; the finding says how to mend the model."""
    model = kind()
    assert _judged(model, tmp_path / "model.pkl").verdict == "safe"
    model.input = given
    found = _judged(model, tmp_path / "model.pkl")
    assert found.verdict == "dangerous"
    assert 'set_params(input="content")' in found.findings[0].why


_LOAD = lightgbm.Booster


@pytest.mark.parametrize(
    ("model", "verdict"),
    [
        (FunctionTransformer(np.log1p), "safe"),
        (FunctionTransformer(pd.DataFrame), "safe"),
        (FunctionTransformer(operator.itemgetter("text")), "safe"),
        (FunctionTransformer(np.sum, kw_args={"axis": 1}), "safe"),
        (FunctionTransformer(np.max), "unknown"),
        (FunctionTransformer(operator.itemgetter(0)), "unknown"),
        (FunctionTransformer(LinearRegression), "dangerous"),
        (FunctionTransformer(_LOAD), "dangerous"),
        (FunctionTransformer(functools.partial(functools.partial(_LOAD))), "dangerous"),
        (CountVectorizer(tokenizer=_LOAD), "dangerous"),
        (KNeighborsClassifier(metric=_LOAD), "dangerous"),
    ],
)
def test_functions_that_a_request_reaches(model: Any, verdict: str, tmp_path: Path) -> None:
    """What loading may call is not what a request may call: a booster would open the file that a client names."""
    assert _judged(model, tmp_path / "model.pkl").verdict == verdict


class OrdinalEncoder:
    """Stands for an encoder of a package that is not installed here: its state is that of the real one."""

    def __init__(self, **state: Any) -> None:
        vars(self).update(state)


@pytest.mark.parametrize(
    ("mapping", "verdict"),
    [
        ([{"col": "city", "mapping": pd.Series({"x": 1}), "data_type": np.dtype("O")}], "safe"),
        ({"city": {"x": 0.5}}, "safe"),
        (collections.OrderedDict(city=pd.Series({"x": 1.0})), "safe"),
        ([{"col": "city", "mapping": lightgbm.Booster, "data_type": object}], "dangerous"),
        ({"city": functools.partial(lightgbm.Booster)}, "dangerous"),
        (collections.OrderedDict(city=lightgbm.Booster), "dangerous"),
        (collections.defaultdict(lightgbm.Booster, city={}), "dangerous"),  # type: ignore[arg-type]  # as a hostile file has it
    ],
)
def test_an_encoder_maps_by_values_and_not_by_functions(
    mapping: Any, verdict: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """pandas calls a function that stands in place of a mapping, with the values of a request."""
    module = ModuleType("category_encoders.ordinal")
    module.OrdinalEncoder = OrdinalEncoder  # type: ignore[attr-defined]  # a module made here
    monkeypatch.setitem(sys.modules, "category_encoders", ModuleType("category_encoders"))
    monkeypatch.setitem(sys.modules, "category_encoders.ordinal", module)
    monkeypatch.setattr(OrdinalEncoder, "__module__", "category_encoders.ordinal")
    assert _judged(OrdinalEncoder(mapping=mapping), tmp_path / "model.pkl").verdict == verdict
