"""A statistical model's formula is code that runs when the model is loaded: only what computes is let pass."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest

from mlpack.readers.formulas import computes_only
from mlpack.readers.pickles import read_pickles


@pytest.mark.parametrize(
    "formula",
    [
        "y ~ a + b", "y ~ a*b - 1", "np.log(y) ~ np.log1p(a) + C(g)", "y ~ C(g, Treatment('x'))", "y ~ I(a**2) + a:b",
        "y ~ bs(a, df=4)", "y ~ Q('odd name') + center(b)", "y ~ a + (b > 0.5)",
    ],
)  # fmt: skip
def test_formulas_that_compute(formula: str) -> None:
    """What people write passes."""
    assert computes_only(formula)


@pytest.mark.parametrize(
    "formula",
    [
        "y ~ __import__('os').system('id')", "y ~ os.system('id')", "y ~ eval('1')", "y ~ open('x')", "y ~ np.load('x')",
        "y ~ np.log.__globals__['os']", "y ~ (lambda: 1)()", "y ~ a; import os", "y ~ {a}", "y ~ 'a' 'b'.join(x)",
        "y ~ C (g).x.y(1)", "y ~ 0['a'](1)", "y ~ a(1)", "y ~ np.ctypeslib . load_library ('x')", 'y ~ f"{x}"',
    ],
)  # fmt: skip
def test_formulas_that_do_more(formula: str) -> None:
    """Attributes, calls of anything else, other syntax: not let pass."""
    assert not computes_only(formula)


class _Data:
    """Stands for statsmodels' data, which evaluates its formula as it gets its state."""

    def __init__(self, formula: Any) -> None:
        self.formula = formula


@pytest.mark.parametrize("formula", ["y ~ os.system('id')", 3])
def test_a_hostile_formula_is_dangerous(formula: Any, tmp_path: Path) -> None:
    """A pickle of statsmodels' data with such a formula is dangerous, though every name in it is known."""
    text = pickle.dumps(_Data(formula), 0)
    hostile = text.replace(f"c{__name__}\n_Data".encode(), b"cstatsmodels.base.data\nPandasData")
    assert hostile != text
    path = tmp_path / "model.pkl"
    path.write_bytes(hostile)
    told = read_pickles(path)
    assert told is not None
    assert told.safety.verdict == "dangerous"
    assert "formula" in told.safety.findings[0].why
