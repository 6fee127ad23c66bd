"""Files that describe a model without being one: tree dumps, configurations, drawings and source code of libraries."""

from __future__ import annotations

import re

from mlpack.formats.named.known import PREDICTOR, Known, other
from mlpack.readers.boosters.xgboost_models import looks_like_config

_XGBOOST = "Pack the model itself, where it was trained: `model.save_model('model.ubj')`."
_LIGHTGBM = (
    "Pack the model itself, where it was trained: `booster.save_model('model.txt')` (of LGBMClassifier: `.booster_`)."
)
_SKLEARN = "Pack the model itself, where it was trained: `joblib.dump(model, 'model.joblib')`."
_CONFIG = other(
    "xgboost_config",
    "XGBoost configuration (`save_config`): its settings without its trees",
    _XGBOOST,
)
_LISTED = rb'\[\s*"(\\[nt]|\s)*(0:(\[|leaf=)|bias:|\{\s*\\"(nodeid|bias)\\")'  # what `get_dump` gives, written as JSON
# How each begins; the first that fits is it.
_BEGINNINGS = (
    (
        rb'\[\s*\{\s*"(nodeid|bias)"\s*:|booster\[0\]:\r?\n(0:(\[|leaf=)|bias:|digraph)|' + _LISTED,
        other("xgboost_dump", "dump of XGBoost's trees (`dump_model`, `get_dump`), which no library loads again", _XGBOOST),
    ),
    (
        rb'\{\s*"name"\s*:\s*"tree"\s*,\s*"version"\s*:\s*"v\d+"',
        other("lightgbm_dump", "dump of LightGBM's trees (`dump_model`), which no library loads again", _LIGHTGBM),
    ),
    (
        rb"\|--- .{1,2000}?(<=|class:|value:)",
        other("sklearn_text", "scikit-learn tree as text (`export_text`), which no library loads again", _SKLEARN),
    ),
    (
        rb"digraph Tree \{\s*node \[shape=box",
        other("sklearn_drawing", "drawing of a scikit-learn tree (`export_graphviz`)", _SKLEARN),
    ),
    (
        rb"### +Model data\s+class catboost_model\b|(#include <\w+>\s+){1,20}/\* Model data \*/\s+static const struct Catboost",
        other(
            "catboost_code",
            "CatBoost model as source code (`save_model` with format cpp or python)",
            f"Pack the model itself, where it was trained: `model.save_model('model.cbm')`; or {PREDICTOR}.",
        ),
    ),
)  # fmt: skip
_COMPILED = tuple((re.compile(begins, re.DOTALL), known) for begins, known in _BEGINNINGS)


def by_export(text: bytes) -> Known | None:
    """What a text is that a library wrote to be looked at; None when it is no such."""
    if looks_like_config(text):
        return _CONFIG
    return next((known for begins, known in _COMPILED if begins.match(text)), None)
