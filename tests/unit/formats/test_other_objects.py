"""Fitted objects that no format serves as they are: each is named for what it is, with what to do next."""

from __future__ import annotations

import ast
import io
import pickle
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.cluster import DBSCAN
from sklearn.manifold import TSNE
from sklearn.neighbors import LocalOutlierFactor, NearestNeighbors
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from statsmodels.tsa.arima.model import ARIMA
from typer.testing import CliRunner

from mlpack.artifacts.model import ModelInfo
from mlpack.cli.app import app
from mlpack.errors import ModelError, UnknownFormatError
from mlpack.pipeline.inspect import inspect
from mlpack.pipeline.prepare import PrepareOptions, prepare
from mlpack.plugins import load
from mlpack.runtime.card import Signature
from mlpack.templating import render
from tests.loading import module_at
from tests.unit.formats.fitted import LABELS, X, inspected, refuse_unservable

LOADER = module_at(Path(__file__).parents[3] / "mlpack" / "formats" / "sklearn" / "loader", "sklearn_loader_others")


@pytest.fixture
def class_of(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A function that makes a class which pickles write as one of a package that is not installed here."""

    def make(module: str, name: str, **members: Any) -> Any:
        parts = module.split(".")
        for name_of in (".".join(parts[:end]) for end in range(1, len(parts) + 1)):
            if not getattr(sys.modules.get(name_of), "made_here", False):
                monkeypatch.setitem(sys.modules, name_of, types.ModuleType(name_of))
                setattr(sys.modules[name_of], "made_here", True)  # noqa: B010 - a module has no such attribute
        made = type(name, (), {"__module__": module, "__qualname__": name, **members})
        setattr(sys.modules[module], name, made)
        return made

    return make


def written(value: Any, path: Path) -> Path:
    path.write_bytes(pickle.dumps(value))
    return path


def described(path: Path) -> ModelInfo:
    return inspect(path, formats=[load("formats", name)() for name in ("sklearn", "pytorch", "keras", "named")])


def test_an_object_of_a_known_package_is_named_with_a_predictor(class_of: Any, tmp_path: Path) -> None:
    """Its package is among the needs; init writes the call that is usual for it."""
    fitter = class_of("lifelines.fitters.coxph_fitter", "CoxPHFitter")()
    fitter.params_ = np.ones(2)
    path = written(fitter, tmp_path / "cox.pkl")
    info = described(path)
    assert info.root_class == "lifelines.fitters.coxph_fitter.CoxPHFitter"
    assert "lifelines" in [one.distribution for one in info.requirements]
    with pytest.raises(ModelError, match="CoxPHFitter") as caught:
        refuse_unservable(info)
    assert "mlpack init cox.pkl" in caught.value.hint
    ended = CliRunner().invoke(app, ["init", str(path)])
    assert ended.exit_code == 0, ended.output
    text = (tmp_path / "predict.py").read_text()
    ast.parse(text)
    assert "model.predict_partial_hazard(pd.DataFrame(instances)).tolist()" in text


def test_an_object_in_a_container_is_found_by_its_key(class_of: Any, tmp_path: Path) -> None:
    """The call goes to the value of that key."""
    model = class_of("river.linear_model", "Other")
    info = described(written({"columns": ["a"], "gam": model()}, tmp_path / "gam.pkl"))
    assert info.details["call"]["expression"].startswith("model['gam'].predict(")
    assert info.safety.verdict == "unknown"


def test_data_is_no_model(tmp_path: Path) -> None:
    """A table or an array alone is refused as before."""
    for value in (pd.DataFrame({"a": [1]}), {"a": np.zeros(3)}, [1, 2]):
        with pytest.raises(UnknownFormatError, match="no estimator"):
            described(written(value, tmp_path / "data.pkl"))


def test_an_object_of_an_unknown_class_gets_a_way_on(class_of: Any, tmp_path: Path) -> None:
    """A predictor, its code or its package."""
    model = class_of("my_models", "Rules")()
    with pytest.raises(UnknownFormatError, match=r"the class my_models\.Rules") as caught:
        described(written(model, tmp_path / "rules.pkl"))
    assert "--predictor" in caught.value.hint
    assert "--include" in caught.value.hint


def _unpickle_model(cls: Any, _file: Any) -> Any:
    return cls()


def _reduced(self: Any) -> Any:
    return type(self)._unpickle_model, (io.BytesIO(b"PK..."),)


@pytest.mark.parametrize("module", ["keras.src.models.sequential", "my_models"])
def test_a_pickled_keras_model_is_called_that(module: str, class_of: Any, tmp_path: Path) -> None:
    """Keras pickles a model as a call with a .keras file: no accusation, but the way to save it."""
    model = class_of(module, "Sequential", _unpickle_model=classmethod(_unpickle_model), __reduce__=_reduced)()
    with pytest.raises(UnknownFormatError, match="holds a Keras model") as caught:
        described(written(model, tmp_path / "model.pkl"))
    assert caught.value.info["safety"]["verdict"] == "dangerous"
    assert "model.save('model.keras')" in caught.value.hint


def test_keras_2_too(class_of: Any, tmp_path: Path) -> None:
    """It calls a function with the bytes of the file."""
    module = "keras.saving.pickle_utils"
    function = types.FunctionType((lambda _: None).__code__, {}, "deserialize_model_from_bytecode")
    function.__module__, function.__qualname__ = module, "deserialize_model_from_bytecode"
    model = class_of(module, "Model", __reduce__=lambda _: (function, (b"PK...",)))()
    sys.modules[module].deserialize_model_from_bytecode = function  # type: ignore[attr-defined]  # a module made here
    with pytest.raises(UnknownFormatError, match="holds a Keras model"):
        described(written(model, tmp_path / "model.pkl"))


class _Other:
    def __reduce__(self) -> Any:
        return _Called(), ("id",)


class _Called:
    def __reduce__(self) -> Any:
        return getattr, (io.BytesIO, "getvalue")

    def __call__(self, *_: Any) -> Any:
        return None


def test_other_computed_calls_stay_what_they_are(tmp_path: Path) -> None:
    """Only the name of Keras's method is known."""
    with pytest.raises(UnknownFormatError, match="would call"):
        described(written(_Other(), tmp_path / "model.pkl"))


@pytest.mark.parametrize(
    ("model", "why", "remedy"),
    [
        (DBSCAN(), "DBSCAN only labels the rows that it was fitted on", "labels_"),
        (make_pipeline(StandardScaler(), DBSCAN()), "DBSCAN only labels", "labels_"),
        (TSNE(perplexity=5, max_iter=250), "TSNE only embeds", "PCA"),
        (LocalOutlierFactor(), "novelty=False", "novelty=True"),
    ],
    ids=["DBSCAN", "Pipeline", "TSNE", "LocalOutlierFactor"],
)
def test_a_model_without_a_method_for_new_rows(model: Any, why: str, remedy: str, tmp_path: Path) -> None:
    """One clear line, and what to do instead."""
    info = inspected(model.fit(X), tmp_path)
    with pytest.raises(ModelError, match=why) as caught:
        refuse_unservable(info)
    assert remedy in caught.value.hint
    assert len(info.notices) == 1


def test_a_time_series_is_refused_before_trust_is_asked_for(tmp_path: Path) -> None:
    """--trust would not help; init writes a predictor that forecasts."""
    result = ARIMA(np.sin(np.arange(30.0)), order=(1, 0, 0)).fit()
    info = inspected(result, tmp_path)
    assert info.safety.verdict == "unknown"
    with pytest.raises(ModelError, match="forecasts a time series"):
        prepare(info, PrepareOptions(folder=tmp_path))
    text = load("formats", "sklearn")().predictor_stub(info)
    scope: dict[str, Any] = {}
    exec(text, scope)
    (answer,) = scope["predict"](result, [{"steps": 3}])
    assert answer == pytest.approx(np.asarray(result.forecast(3)).tolist())


@pytest.mark.filterwarnings("ignore:X does not have valid feature names")
def test_nearest_neighbours_answer(tmp_path: Path) -> None:
    """The places of the nearest rows, and their distances under a name of their own; not in a Pipeline, which has no such method."""
    table = pd.DataFrame(X, columns=list("abcd"))
    model = NearestNeighbors(n_neighbors=3).fit(table)
    info = inspected(model, tmp_path)
    assert [one.name for one in info.signatures] == ["kneighbors", "kneighbors_distances"]
    distances, indices = model.kneighbors(table[:2])
    for signature, wanted in zip(info.signatures, (indices, distances), strict=True):
        card = Signature.from_json(signature.to_json())
        (answer,) = LOADER.predict(LOADER.wrap(model), card, {"input": X[:2]}).values()
        assert answer.shape[1] == signature.outputs[0].shape[1]
        np.testing.assert_allclose(answer, wanted)
    assert inspected(make_pipeline(StandardScaler(), model).fit(X, LABELS), tmp_path).methods == ()


def test_the_reasons_of_one_package_are_one_line(class_of: Any, tmp_path: Path) -> None:
    """The first few names, and their number."""
    parts = [class_of("lifelines.parts", f"Part{number}")() for number in range(9)]
    fitter = class_of("lifelines.fitters.other", "Fitter")()
    fitter.parts = parts
    path = written(fitter, tmp_path / "model.pkl")
    ended = CliRunner().invoke(app, ["inspect", str(path)])
    lines = [line for line in ended.output.splitlines() if "allowlist" in line]
    assert len(lines) == 1
    assert "and 4 more" in lines[0]
    assert "the package lifelines" in lines[0]
    assert "--include" not in lines[0]


class _Forecaster:
    """Stands for a forecaster of sktime's."""

    def predict(self, fh: list[int]) -> np.ndarray[Any, Any]:
        """A table of one column."""
        return np.array(fh, dtype=float).reshape(-1, 1)


def test_forecasters_declare_their_rows(tmp_path: Path) -> None:
    """Those of sktime take a number of steps, and need no sample."""
    written = pickle.dumps(_Forecaster(), 0).replace(
        f"c{__name__}\n_Forecaster".encode(), b"csktime.forecasting.naive._naive\nNaiveForecaster"
    )
    (tmp_path / "model.pkl").write_bytes(written)
    info = inspect(tmp_path / "model.pkl", formats=[load("formats", "sklearn")()])
    assert "--sample" not in info.advice
    assert info.safety.verdict == "safe"
    text = render("predict_object.py.j2", {"file": "model.pkl", **info.details["call"]})
    scope: dict[str, Any] = {}
    exec(text, scope)
    assert scope["INPUTS"] == {"steps": "INT64"}
    assert scope["predict"](_Forecaster(), [{"steps": 3}]) == [[1.0, 2.0, 3.0]]
