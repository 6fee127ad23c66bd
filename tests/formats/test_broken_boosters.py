"""Model files of boosters whose parts are anything else: what can be told is told, or an error of the reader's own is raised."""

from __future__ import annotations

import copy
import json
import random
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import catboost
import lightgbm
import numpy as np
import pytest
import xgboost

from mlpack.errors import MlpackError, UnreadableModelError
from tests.formats.answering import inspected

_SEED, _ROUNDS = 3, 150
_X = np.random.default_rng(0).normal(size=(40, 2))
_Y = np.arange(40) % 3
_ODD: list[Any] = [
    None,
    "",
    "x",
    "1\u00b9",
    [],
    {},
    [[]],
    [None],
    {"a": 1},
    0,
    -1,
    10**9,
    10**400,
    1.5,
    float("nan"),
    True,
    ["a"],
]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A model of each library, in its text form."""
    folder = tmp_path_factory.mktemp("broken")
    xgboost.XGBClassifier(n_estimators=2, max_depth=2).fit(_X, _Y).save_model(folder / "xgboost.json")
    lightgbm.LGBMClassifier(n_estimators=2, verbose=-1).fit(_X, _Y).booster_.save_model(folder / "lightgbm.txt")
    model = catboost.CatBoostClassifier(iterations=2, depth=2, verbose=0, allow_writing_files=False).fit(_X, _Y)
    model.save_model(folder / "catboost.json", format="json")
    return {path.stem: path for path in folder.iterdir()}


def _places(value: Any, found: list[tuple[Any, Any]]) -> list[tuple[Any, Any]]:
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, below in list(inside)[:40]:
        found.append((value, key))
        _places(below, found)
    return found


@pytest.mark.parametrize("kind", ["xgboost", "catboost"])
def test_documents_with_anything_in_any_place(files: dict[str, Path], kind: str, tmp_path: Path) -> None:
    """Whatever a part of the JSON is replaced by: an error of ours at most."""
    chance = random.Random(_SEED)
    whole = json.loads(files[kind].read_bytes())
    path = tmp_path / "model.json"
    for _ in range(_ROUNDS):
        document = copy.deepcopy(whole)
        holder, key = chance.choice(_places(document, []))
        holder[key] = chance.choice(_ODD)
        path.write_text(json.dumps(document))
        try:
            inspected(path).to_json()
        except MlpackError:
            continue
        except Exception as error:  # noqa: BLE001 - whatever it is, what was changed is told
            pytest.fail(f"{key} = {holder[key]!r}: {error!r}")


def _param(name: str, value: str) -> Callable[[bytes], bytes]:
    def change(content: bytes) -> bytes:
        document = json.loads(content)
        document["learner"]["learner_model_param"][name] = value
        return json.dumps(document).encode()

    return change


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        ("xgboost", _param("num_feature", "300000000")),
        ("xgboost", _param("num_class", "300000000")),
        ("xgboost", _param("num_target", "-4")),
        ("lightgbm", lambda text: text.replace(b"num_class=3", b"num_class=300000000")),
        ("lightgbm", lambda text: text.replace(b"max_feature_idx=1", b"max_feature_idx=300000000")),
        ("lightgbm", lambda text: text.replace(b"feature_names=", b"feature_names=" + b"a " * 2_000_000)),
        ("lightgbm", lambda text: text + b"[categorical_feature: " + b"9" * 5000 + b"]\n"),
    ],
)
def test_counts_that_nothing_backs(files: dict[str, Path], kind: str, change: Any, tmp_path: Path) -> None:
    """A count or a line out of all proportion is a clear error, and costs neither time nor memory."""
    path = tmp_path / files[kind].name
    path.write_bytes(change(files[kind].read_bytes()))
    start = time.process_time()
    tracemalloc.start()
    with pytest.raises(UnreadableModelError):
        inspected(path)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 100 << 20
    assert time.process_time() - start < 10
