"""Whether a model answers each row by itself, so that the rows of several requests may be joined."""

from __future__ import annotations

from typing import Any

from mlpack.formats.sklearn.estimators import Estimator, walk
from mlpack.readers.pickles.values import Global, Instance

# Packages whose estimators answer a row without looking at the others, and what their state is made of.
_KNOWN = frozenset({
    "sklearn", "_loss", "imblearn", "lightgbm", "xgboost", "catboost", "_catboost", "numpy", "scipy", "pandas", "joblib",
    "builtins", "__builtin__", "collections", "copyreg", "copy_reg", "datetime", "functools", "_codecs",
})  # fmt: skip
_ELEMENTWISE = frozenset({
    "abs", "absolute", "arccos", "arccosh", "arcsin", "arcsinh", "arctan", "arctanh", "cbrt", "ceil", "conjugate",
    "cos", "cosh", "deg2rad", "degrees", "exp", "exp2", "expm1", "fabs", "floor", "isfinite", "isinf", "isnan", "log",
    "log10", "log1p", "log2", "logical_not", "negative", "positive", "rad2deg", "radians", "reciprocal", "rint", "sign",
    "signbit", "sin", "sinh", "sqrt", "square", "tan", "tanh", "trunc",
})  # fmt: skip


# PyOD's detectors that rank the rows of a call among themselves and the training rows: one row's answer hangs on the others.
SINGLE_ROW_ONLY = frozenset({"pyod.models.copod.COPOD", "pyod.models.ecod.ECOD"})


def rows_are_independent(root: Any) -> bool:
    """True only when every class in the model is known and every function in it works value by value."""
    for value in walk(root):
        if isinstance(value, Instance):
            one = Estimator(value)
            if one.package not in _KNOWN:
                return False
            if one.name == "FunctionTransformer" and not _elementwise(one.get("func")):
                return False
        if isinstance(value, Global) and value.module.partition(".")[0] not in _KNOWN:
            return False
    return True


def _elementwise(function: Any) -> bool:
    if isinstance(function, Instance):  # a numpy ufunc: numpy._core._ufunc_reconstruct(module, name)
        names = [part for part in function.args if isinstance(part, str)]
        return "ufunc" in function.class_name and bool(names) and names[-1] in _ELEMENTWISE
    if isinstance(function, Global):
        return function.module.partition(".")[0] == "numpy" and function.name in _ELEMENTWISE
    return function is None
