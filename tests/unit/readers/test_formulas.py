"""A statistical model's formula is code that runs when the model is loaded: only what computes is let pass."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest

from mlpack.readers.pickles.files import read_pickles
from mlpack.readers.verdicts.formulas import objection


@pytest.mark.parametrize(
    "formula",
    [
        "y ~ a + b", "y ~ a*b - 1", "np.log(y) ~ np.log1p(a) + C(g)", "y ~ C(g, Treatment('x'))", "y ~ I(a**2) + a:b",
        "y ~ bs(a, df=4)", "y ~ Q('odd name') + center(b)", "y ~ a + (b > 0.5)", "y ~ Q('weight (kg)')", "~ a", "y ~ 1",
        "y ~ bs(x, knots=[1, 2.5, -3], degree=3, include_intercept=False)", "y ~ bs(x, knots=(1, 2))", "y ~ C(g, Sum)",
        "y ~ C(g, Treatment(reference='b'))", "y ~ C(g, levels=['a', 'b'])", "y ~ C(Q('a b'), Treatment('x'))",
        "y ~ (a + b)**2", "gr\u00f6\u00dfe ~ x", "y ~ I(g == 'car')", "y ~ np.where(x > 2, 1, 0)", "y ~ I(10**x)",
        "y ~ te(cr(x, df=3), cr(z, df=3, constraints='center'))", "y ~ I((a > 1) & ~(b < 2))", "y ~ .", "y ~ a %in% b",
        "y ~ I(x % 2) + I(x / 10**3) + I(-x**2)", "y ~ I(x**(1 / 3)) + np.power(x, 2)", "y ~ a +\n  b", "y ~ a^2 | b",
    ],
)  # fmt: skip
def test_formulas_that_compute(formula: str) -> None:
    """What people write passes."""
    assert objection(formula) is None


@pytest.mark.parametrize(
    "formula",
    [
        "y ~ __import__('os').system('id')", "y ~ os.system('id')", "y ~ eval('1')", "y ~ open('x')", "y ~ np.load('x')",
        "y ~ np.log.__globals__['os']", "y ~ (lambda: 1)()", "y ~ a; import os", "y ~ {a}", "y ~ 'a' 'b'.join(x)",
        "y ~ C (g).x.y(1)", "y ~ 0['a'](1)", "y ~ a(1)", "y ~ np.ctypeslib . load_library ('x')", 'y ~ f"{x}"',
        # Texts: three quotes, prefixes, backslashes, joined ones, and brackets that only one of the two parsers counts.
        "y ~ I(x + (''' ' ''' and 1))", 'y ~ I(x + """a""")', "y ~ b'x'", "y ~ I(rb'x')", "y ~ Q(u'a')", "y ~ I('\\n')",
        "y ~ Q('a' 'b')", "y ~ I('a'*9)", "y ~ Q(')+eval(\"1\")+Q(')", "y ~ I(''.x)", "y ~ Q('a\nb')", "y ~ Q('`')",
        # Names: keywords, attributes, what Python reads as another name.
        "y ~ I(x if y else z)", "y ~ I(not x)", "y ~ I(x for x in y)", "y ~ a.b", "y ~ a . b", "y ~ np.exp", "y ~ x.",
        "y ~ \u212fxec", "y ~ \uff45val(x)", "y ~ \uff3f\uff3fimport\uff3f\uff3f", "y ~ C(x, Treatment.code)", "y ~ numpy.load(x)",
        # What patsy calls for a contrast.
        "y ~ C(x, exit)", "y ~ C(x, contrast=exit)", "y ~ C(x, Q('exit'))", "y ~ C(x, 1, exit)",
        # Numbers that take all memory, other kinds of numbers.
        "y ~ I(9**9**9)", "y ~ I((9**9)**9)", "y ~ I(9**999)", "y ~ I([1]*999999)", "y ~ 1j", "y ~ 0x10", "y ~ 1_0", "y ~ 1if",
        "y ~ I(1 << 99)", "y ~ 1.real", "y ~ 1 .real",
        # Other syntax of Python and of formulaic.
        "y ~ `a`", "y ~ a[0]", "y ~ I((1, 2)[0])", "y ~ I(x := 3)", "y ~ I(x # a", "y ~ I(x\\\n)", "y ~ I(*x)", "y ~ I(**x)",
        "y ~ a @ b", "y ~ I(a:b)", "y ~ I(x)(y)", "y ~ 'a'(x)", "y ~ I(a=b)", "y ~ a=b", "y ~ np.log(x, out=y)", "y ~ x y",
        "y ~ a\x0cb", "y ~ a\u00a0b", "y ~ \u2026", "y ~ a ? b", "y ~ $a", "y ~", "", "(", "(" * 99 + "a" + ")" * 99,
    ],
)  # fmt: skip
def test_formulas_that_do_more(formula: str) -> None:
    """Attributes, calls of anything else, other syntax: not let pass."""
    assert objection(formula)


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


_STATE = {"restore_model_spec": True, "formula": "y ~ os.system('id')"}


def _mapped(name: str, *, filled: bool) -> bytes:
    """The state as another kind of mapping: filled by the call that makes it, or item by item afterwards."""
    items = b"".join(pickle.dumps(one, 2)[2:-1] for pair in _STATE.items() for one in pair)
    module, _, kind = name.rpartition(".")
    look_up = f"c{module}\n{kind}\n".encode()
    if filled:
        return look_up + pickle.dumps(list(_STATE.items()), 2)[2:-1] + b"\x85R"
    return look_up + b")R(" + items + b"u"


@pytest.mark.parametrize("filled", [True, False])
@pytest.mark.parametrize(
    "name",
    ["collections.OrderedDict", "collections.defaultdict", "collections.Counter", "sklearn.utils.Bunch", "numpy.void"],
)
@pytest.mark.parametrize("made", [b")\x81", b")R"])
def test_a_hostile_formula_in_another_mapping_is_dangerous(
    name: str, filled: bool, made: bytes, tmp_path: Path
) -> None:
    """The loader takes any mapping for a state, and so does the verdict; what cannot be seen into is no better."""
    path = tmp_path / "model.pkl"
    path.write_bytes(b"\x80\x02cstatsmodels.base.data\nPandasData\n" + made + _mapped(name, filled=filled) + b"b.")
    told = read_pickles(path)
    assert told is not None
    assert told.safety.verdict == "dangerous"
    assert told.safety.findings[0].callable == "statsmodels.base.data.PandasData"


@pytest.mark.parametrize("key", [b"__setstate__", b"__class__"])
def test_a_hook_in_another_mapping_is_dangerous(key: bytes, tmp_path: Path) -> None:
    """An attribute that makes loading run other code is seen in whatever holds it."""
    path = tmp_path / "model.pkl"
    pair = b"X" + len(key).to_bytes(4, "little") + key + b"cnumpy\nlog1p\n"
    path.write_bytes(
        b"\x80\x02csklearn.linear_model._logistic\nLogisticRegression\n)\x81ccollections\nOrderedDict\n)R("
        + pair
        + b"ub."
    )
    told = read_pickles(path)
    assert told is not None
    assert told.safety.verdict == "dangerous"
    assert key.decode() in told.safety.findings[0].why
