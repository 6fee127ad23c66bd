"""What libraries write beside a model: told to be that, with the call that saves the model itself."""

from __future__ import annotations

import json
from pathlib import Path

import catboost
import lightgbm
import numpy as np
import pytest
import xgboost
from sklearn.tree import DecisionTreeClassifier, export_graphviz, export_text

from mlpack.pipeline.gate import unservable
from mlpack.pipeline.inspect import inspect
from mlpack.plugins import BUILT_IN, load

ROWS = np.random.RandomState(0).rand(60, 4)
TARGET = (ROWS[:, 0] > 0.5).astype(int)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of each library, written in every way but the one that can be loaded."""
    folder = tmp_path_factory.mktemp("exports")
    for kind in ("gbtree", "gblinear"):
        booster = xgboost.train({"objective": "binary:logistic", "booster": kind}, xgboost.DMatrix(ROWS, TARGET), 2)
        (folder / f"{kind}.config.json").write_text(booster.save_config())
        (folder / f"{kind}.indented.json").write_text(json.dumps(json.loads(booster.save_config()), indent=2))
        (folder / f"{kind}.listed.json").write_text(json.dumps(booster.get_dump(dump_format="json")))
        for way in ("json", "text"):
            booster.dump_model(folder / f"{kind}.dump.{way}", with_stats=kind == "gbtree", dump_format=way)
    told = lightgbm.train({"verbose": -1}, lightgbm.Dataset(ROWS, TARGET), 2).dump_model()
    (folder / "lightgbm.json").write_text(json.dumps(told))
    (folder / "lightgbm.indented.json").write_text(json.dumps(told, indent=4))
    boosted = catboost.CatBoostClassifier(iterations=2, verbose=0, allow_writing_files=False).fit(ROWS, TARGET)
    for way in ("cpp", "python"):
        boosted.save_model(str(folder / f"catboost.{way}"), format=way)
    tree = DecisionTreeClassifier(max_depth=3).fit(ROWS, TARGET)
    (folder / "tree.txt").write_text(export_text(tree))
    export_graphviz(tree, out_file=str(folder / "tree.dot"))
    return folder


@pytest.mark.parametrize(
    ("names", "kind", "advised"),
    [
        ("gb*.config.json", "xgboost_config", "save_model('model.ubj')"),
        ("gb*.indented.json", "xgboost_config", "save_model('model.ubj')"),
        ("gb*.listed.json", "xgboost_dump", "save_model('model.ubj')"),
        ("gb*.dump.*", "xgboost_dump", "save_model('model.ubj')"),
        ("lightgbm.*", "lightgbm_dump", "save_model('model.txt')"),
        ("catboost.*", "catboost_code", "save_model('model.cbm')"),
        ("tree.txt", "sklearn_text", "joblib.dump"),
        ("tree.dot", "sklearn_drawing", "joblib.dump"),
    ],
)
def test_it_is_no_model(folder: Path, names: str, kind: str, advised: str) -> None:
    """Told by its content; a build repeats what to do."""
    files = sorted(folder.glob(names))
    assert files
    for file in files:
        info = inspect(file, formats=[load("formats", name)() for name in BUILT_IN["formats"]])
        assert (info.format, info.signatures, info.safety.verdict) == (kind, (), "unknown"), file.name
        need = unservable(info, cwd=folder)
        assert need is not None
        assert advised in need.error.hint
