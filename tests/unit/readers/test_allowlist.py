"""The allow-list: every line is exact, has its reason, and is needed by a real file."""

from __future__ import annotations

import csv
import pickle
from pathlib import Path

import pytest
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import GradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from mlpack.readers.pickles.files import read_pickles
from mlpack.readers.pickles.record import Record
from mlpack.readers.pickles.values import Global
from mlpack.readers.verdicts import allowlist, arguments
from mlpack.readers.verdicts.allowlist import allowed, danger_of, renamed, use_of
from mlpack.readers.verdicts.verdict import judge
from tests.unit.readers.models import every_model, numbers

LISTS = Path(allowlist.__file__).parent


def _rows(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return [row for row in csv.reader(file, delimiter="\t") if not row[0].startswith("#")]


WITNESSES = _rows(Path(__file__).parent / "allowlist_witness.tsv")


def _record(module: str, name: str, use: str) -> Record:
    used = Global(module, name)
    return Record(names={used: None}, called={used} if use == "call" else set())


def test_real_files_are_safe() -> None:
    """Every name that a real file uses, as that file uses it, is allowed: removing a line names the file that needs it."""
    refused = [
        f"{module}.{name} ({use}): {file}"
        for module, name, use, file in WITNESSES
        if judge(_record(module, name, use)).verdict != "safe"
    ]
    assert not refused


def test_every_line_has_a_witness() -> None:
    """No line stands on the allow-list that no real file is known to need, and none without its reason."""
    needed = set()
    for module, name, use, _ in WITNESSES:
        modern = allowlist._modern(Global(module, name))
        needed.add((renamed().get(modern[0], modern[0]), modern[1], use))
    lines = _rows(LISTS / "allowlist.tsv")
    assert [line[:3] for line in lines if tuple(line[:3]) not in needed] == []
    assert all(len(line) == 4 and line[3] for line in lines)
    assert len({(line[0], line[1]) for line in lines}) == len(lines)


def test_nothing_dangerous_is_allowed() -> None:
    """The two lists do not contradict each other."""
    assert [name for name in allowed() if danger_of(Global(*name))] == []


def test_every_rename_leads_to_a_line() -> None:
    """A module's old name is judged as its new one, and every rename is of use."""
    known = {module for module, _ in allowed()}
    assert [old for old, new in renamed().items() if new not in known] == []
    assert use_of(Global("sklearn.tree.tree", "DecisionTreeClassifier")) == "call"
    assert use_of(Global("numpy.core.multiarray", "_reconstruct")) == "call"
    assert use_of(Global("__builtin__", "set")) == "call"


def test_every_rule_is_of_a_name_that_may_be_called() -> None:
    """The rules of what may be given to a callable are all of allowed ones; all other classes take nothing but a state."""
    assert [name for name in arguments._RULES if allowed().get(name) != "call" and not name[1].endswith("Dtype")] == []


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("sklearn.utils", "check_array"),
        ("sklearn.tree._classes", "DecisionTreeClassifier.fit"),
        ("numpy", "fromstring"),
        ("numpy", "memmap"),
        ("collections.abc", "Callable"),
        ("pandas", "DataFrame.to_csv"),
        ("torch", "nn.Linear"),
    ],
)
def test_a_trusted_package_is_no_proof(module: str, name: str) -> None:
    """Only exact names are allowed: not their methods, not their neighbours."""
    assert use_of(Global(module, name)) is None


def test_what_may_be_named_may_not_be_called() -> None:
    """A function that a model may hold is not harmless to call while loading."""
    assert judge(_record("numpy", "log1p", "name")).verdict == "safe"
    assert judge(_record("numpy", "log1p", "call")).verdict == "unknown"


@pytest.mark.parametrize(
    "model",
    [
        make_pipeline(StandardScaler(), LogisticRegression()),
        GradientBoostingClassifier(n_estimators=3),
        HistGradientBoostingRegressor(max_iter=3),
        KNeighborsClassifier(algorithm="kd_tree"),
    ],
    ids=lambda model: type(model).__name__,
)
@pytest.mark.parametrize("protocol", range(6))
def test_todays_models_are_safe(model: object, protocol: int, tmp_path: Path) -> None:
    """What the installed scikit-learn pickles is safe in every protocol."""
    features, classes, _ = numbers()
    path = tmp_path / "model.pkl"
    path.write_bytes(pickle.dumps(model.fit(features, classes), protocol))  # type: ignore[attr-defined]
    told = read_pickles(path)
    assert told is not None
    assert (told.safety.verdict, told.problem) == ("safe", ""), told.safety


@pytest.mark.parametrize("protocol", [2, 4])
def test_todays_models_by_dill_are_safe(protocol: int, tmp_path: Path) -> None:
    """dill wraps every array in a call of its own: known, and the array is read as any other."""
    import dill  # type: ignore[import-untyped]  # it has no types; where joblib comes later, it writes dill's calls too

    features, classes, _ = numbers()
    path = tmp_path / "model.pkl"
    scaled = ColumnTransformer([("n", StandardScaler(), [0]), ("c", OneHotEncoder(handle_unknown="ignore"), [1])])
    model = make_pipeline(scaled, LogisticRegression())
    path.write_bytes(dill.dumps(model.fit(features, classes), protocol))
    told = read_pickles(path)
    assert told is not None
    assert (told.safety.verdict, told.problem) == ("safe", ""), told.safety
    estimator = told.root.attributes()["steps"][-1][1]
    assert estimator.attributes()["classes_"].values() == sorted(set(classes.tolist()))


@pytest.mark.parametrize(
    "made",
    [
        b"cposix\nsystem\n",
        b"cnumpy\nlog1p\n",
        b"cfunctools\npartial\ncnumpy\nlog1p\n\x85R",
        b"cdill._dill\n_load_type\nU\x04type\x85R",
    ],
)
def test_dills_call_is_no_disguise(made: bytes, tmp_path: Path) -> None:
    """What it is given to call is called: judged like a call that stands by itself."""
    path = tmp_path / "model.pkl"
    path.write_bytes(b"\x80\x02cdill._dill\n_create_array\n(" + made + b"U\x02id\x85NtR.")
    told = read_pickles(path)
    assert told is not None
    assert told.safety.verdict == ("unknown" if made.startswith(b"cnumpy") else "dangerous")


@pytest.mark.slow
def test_every_estimator_of_today_is_judged_rightly(tmp_path: Path) -> None:
    """No real model is dangerous; only what holds scipy's distributions (which run code as they load) or methods is unknown."""
    unknown: dict[str, list[str]] = {}
    for number, (name, model) in enumerate(every_model()):
        path = tmp_path / f"{number}.pkl"
        try:
            path.write_bytes(pickle.dumps(model))
        except (TypeError, pickle.PicklingError):
            continue
        told = read_pickles(path)
        assert told is not None
        assert not told.problem
        assert told.safety.verdict != "dangerous", (name, told.safety)
        if told.safety.verdict == "unknown":
            unknown[name] = [finding.callable for finding in told.safety.findings]
    for name, callables in unknown.items():
        assert any(
            found.startswith(("scipy.stats.", "builtins.getattr", "scipy.interpolate.")) for found in callables
        ), (
            name,
            callables,
        )


@pytest.mark.parametrize(
    ("called", "verdict"),
    [
        (b"clifelines.utils\nCensoringType\n(U\x05right", "safe"),
        (b"clifelines.utils\nCensoringType\n(U\x05other", "unknown"),
        (b"csktime.datatypes._dtypekind\nDtypeKind\n(K\x02", "safe"),
        (b"csktime.datatypes._dtypekind\nDtypeKind\n(cposix\nsystem\n", "dangerous"),
        (b"cpandas.core.dtypes.dtypes\nPeriodDtype\n(U\x09period[M]", "safe"),
        (b"cpandas.core.dtypes.dtypes\nPeriodDtype\n(cnumpy\nlog1p\n", "dangerous"),
        (b"cpandas.core.indexes.base\n_new_Index\n(cpandas.core.indexes.period\nPeriodIndex\n}", "safe"),
    ],
)
def test_constants_and_types_are_made_of_their_names_alone(called: bytes, verdict: str, tmp_path: Path) -> None:
    """The constants of lifelines and sktime, and pandas' periods, take a text or a number."""
    path = tmp_path / "model.pkl"
    path.write_bytes(b"\x80\x02" + called + b"tR.")
    told = read_pickles(path)
    assert told is not None
    assert told.safety.verdict == verdict, told.safety


def test_a_formula_of_lifelines_is_not_harmless() -> None:
    """formulaic evaluates what its objects hold, as code: they are not on the list."""
    assert use_of(Global("lifelines.utils", "CovariateParameterMappings")) == "call"
    for module, name in (("formulaic.model_spec", "ModelSpec"), ("formulaic.formula", "SimpleFormula")):
        assert use_of(Global(module, name)) is None
