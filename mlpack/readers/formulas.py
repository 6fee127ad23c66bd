"""Formulas of statistical models, which are run as code when the model is loaded: whether one does no more than compute."""

from __future__ import annotations

import re

_TEXT = re.compile(r"'[^'\\]*'|\"[^\"\\]*\"")
_NAME = re.compile(r"[^\W\d]\w*(?:\s*\.\s*[^\W\d]\w*)*")
_ELSE = re.compile(r"[\s\d.+\-*/:~()^|,=<>&%!]*")
_ODD = re.compile(r"__|\)\s*\(|\blambda\b|\w\0")  # dunders, calls of results, functions, texts with a prefix
# Functions of patsy and formulaic, and those of numpy that work value by value.
_OWN = frozenset({
    "C", "I", "Q", "Treatment", "Sum", "Diff", "Poly", "Helmert", "contr.treatment", "contr.sum", "center", "scale",
    "standardize", "bs", "cr", "cc", "te", "poly", "log", "log2", "log10", "exp", "sqrt", "abs",
})  # fmt: skip
_NUMPY = frozenset({
    "abs", "cbrt", "clip", "cos", "exp", "expm1", "fabs", "floor", "ceil", "log", "log10", "log1p", "log2", "maximum",
    "minimum", "power", "sign", "sin", "sqrt", "square", "tan", "tanh", "where",
})  # fmt: skip


def computes_only(formula: str) -> bool:
    """True when a formula names columns and calls nothing but functions that are known to compute."""
    if len(formula) > 20_000 or _ODD.search(_TEXT.sub("\0", formula)):
        return False
    text = _TEXT.sub("0", formula)
    if not _ELSE.fullmatch(_NAME.sub("", text)):
        return False
    for found in _NAME.finditer(text):
        name = re.sub(r"\s", "", found[0])
        called = text[found.end() :].lstrip().startswith("(")
        module, dot, inner = name.partition(".")
        if dot and name not in _OWN and not (module in ("np", "numpy") and inner in _NUMPY):
            return False
        if called and not dot and name not in _OWN:
            return False
    return True
