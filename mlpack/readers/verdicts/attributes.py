"""Attributes that make an object run a text, open files or call functions, while loading or predicting."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from mlpack.readers.pickles.record import Record
from mlpack.readers.pickles.values import Array, Global, Instance
from mlpack.readers.verdicts.allowlist import use_of
from mlpack.readers.verdicts.argument_checks import acts
from mlpack.readers.verdicts.formulas import objection

_FORMULA_KEYS = ("formula", "model_spec", "design_info")  # parts of attribute names
_SPEC_KEYS = ("model_spec", "design_info")
_RESTORE = ("restore_model_spec", "restore_design_info")  # statsmodels: evaluate the formula when the state is set
_PARTS = ("model", "data", "_results")  # attributes of statsmodels' objects with a formula
_TABLES = ("frame", "orig_endog", "orig_exog")  # the data that a formula is evaluated with
_OF_TABLES = frozenset({
    "pandas", "numpy", "pyarrow", "datetime", "builtins", "__builtin__", "copyreg", "copy_reg", "_codecs", "decimal", "pytz",
    "dateutil", "zoneinfo", "uuid", "fractions",
})  # fmt: skip
_TABLE_CLASSES = ("pandas.core.frame.DataFrame", "pandas.DataFrame", "pandas.core.series.Series", "pandas.Series")
_PLAIN = frozenset({str, bytes, int, float, bool, type(None)})
_MOST_VALUES = 2_000_000

_VECTORIZERS = ("CountVectorizer", "TfidfVectorizer", "HashingVectorizer")
# Attributes of estimators that are called with the data of requests.
_CALLED = ("func", "inverse_func", "analyzer", "tokenizer", "preprocessor", "metric", "kernel", "score_func", "weights")
# Attributes of encoders by which pandas replaces values; pandas calls a function in their place.
_MAPPINGS = ("mapping", "encoder_dict_", "_min_group_categories", "ordinal_encoder")
_ENCODERS = ("category_encoders.", "feature_engine.")
_DEEPEST_MAPPING = 8
_TABLE_PARTS = ("pandas.", "numpy.")  # their creation names functions, and pandas takes their values only
_MAKES_TABLES = ("pandas", "builtins", "__builtin__", "collections")
_REDUCTIONS = ("max", "min", "amax", "amin", "sum")  # without an axis they return a single value
_DEEPEST_PARTIAL = 5


def check_attributes(record: Record, target: Instance, held: Mapping[Any, Any]) -> None:
    """Record attributes that run a text, open files named in a request, or call functions with request data."""
    _check_formulas(record, target, held)
    _check_files(record, target, held)
    for name in _CALLED:
        if name in held:
            _check_called(record, target, name, held)
    for name in _MAPPINGS if concerns(target, _ENCODERS) else ():
        if name in held and any(map(acts, _parts_of(held[name]))):
            record.dangerous(target.class_name, f"its {name!r} calls a function with request data")


def concerns(target: Instance, prefix: str | tuple[str, ...]) -> bool:
    """Whether an object may be of a class whose dotted name starts with `prefix`, also as a constructor's argument."""
    return any(str(name).startswith(prefix) for name in _globals_of(target))


def _globals_of(value: Any, depth: int = 0) -> Iterator[Global]:
    """The names in an object's creation: its callable and arguments, without its state."""
    if isinstance(value, Global):
        yield value
    elif isinstance(value, Instance) and depth < 8:
        yield from _globals_of(value.callable, depth + 1)
        for one in (*value.args[:8], *value.items[:8]):
            yield from _globals_of(one, depth + 1)
    elif isinstance(value, list | tuple) and depth < 8:
        for one in value[:8]:
            yield from _globals_of(one, depth + 1)


def _check_formulas(record: Record, target: Instance, held: Mapping[Any, Any]) -> None:
    # statsmodels evaluates its formula, which is code, on the training table when the state is set, and a text in `model_spec`
    # on the rows of a request.
    restores = any(name in held for name in _RESTORE)
    own = concerns(target, "statsmodels.")
    for name, value in held.items():
        if isinstance(name, str) and any(part in name for part in _FORMULA_KEYS if own or part in _SPEC_KEYS):
            _check_formula(record, target, value)
    if restores:
        if not (own and target.class_name.startswith("statsmodels.")):
            record.dangerous(
                target.class_name, "its state makes statsmodels evaluate a formula, and its class is hidden"
            )
        _check_formula(record, target, held.get("formula", 0))
        _check_tables(record, target, held)
    if own:
        for name in _PARTS:
            part = held.get(name)
            if isinstance(part, Instance) and not part.class_name.startswith("statsmodels."):
                record.dangerous(target.class_name, f"its {name!r} is not a part of a statsmodels model")


def _check_formula(record: Record, target: Instance, formula: Any) -> None:
    if formula is None or is_flag(formula):
        return
    if isinstance(formula, dict):
        for one in formula.values():
            _check_formula(record, target, one)
    elif isinstance(formula, Instance):
        record.suspect(target.class_name, "its formula is an object, which cannot be checked")
    else:
        why = objection(formula) if isinstance(formula, str) else "it is not a text"
        if why is not None:
            record.dangerous(
                target.class_name,
                f"its formula is run as code and does more than arithmetic ({why}): {_short(formula)}",
            )


def is_flag(formula: Any) -> bool:
    """Whether a value is only a flag for a formula."""
    return isinstance(formula, bool)


def _short(formula: Any) -> str:
    return repr(formula[:80] if isinstance(formula, str) else type(formula).__name__)


def _check_tables(record: Record, target: Instance, held: Mapping[Any, Any]) -> None:
    """A formula calls methods of its data: numpy those of objects in arrays, patsy `__getitem__`."""
    for name in ("frame",) if "frame" in held else _TABLES:
        table = held.get(name)
        plain = table is None or type(table) is dict or isinstance(table, Array)
        if isinstance(table, Instance) and table.class_name in _TABLE_CLASSES:
            plain = True
        if not (plain and _is_table(table)):
            record.dangerous(
                target.class_name, f"its formula is evaluated with {name!r}, which contains more than a table's values"
            )


def _is_table(table: Any) -> bool:
    seen: set[int] = set()
    left = [table]
    while left:
        value = left.pop()
        if type(value) in _PLAIN or id(value) in seen:
            continue
        seen.add(id(value))
        if len(seen) > _MOST_VALUES:
            return False
        if isinstance(value, Global):
            if value.module.partition(".")[0] not in _OF_TABLES:
                return False
        elif isinstance(value, Instance):
            left += [value.callable, *value.args, *value.kwargs.values(), value.state, *value.items]
            left += [part for pair in value.mapping for part in pair]
        elif isinstance(value, dict):
            left += [*value, *value.values()]
        elif isinstance(value, list | tuple | set | frozenset):
            left += value
        elif isinstance(value, Array):
            left += value.objects or ()
    return True


def _check_files(record: Record, target: Instance, held: Mapping[Any, Any]) -> None:
    # Checked by attributes as well, because a custom class may derive from scikit-learn's.
    reads = "input" in held and ("decode_error" in held or target.class_name.endswith(_VECTORIZERS))
    if reads and not (type(held["input"]) is str and held["input"] == "content"):
        record.dangerous(
            target.class_name,
            f"with input={_value(held['input'])} it opens files named in requests: "
            'call set_params(input="content") on it and save it again',
        )


def _value(value: Any) -> str:
    return repr(value[:40]) if isinstance(value, str) else "an object"


def _check_called(record: Record, target: Instance, name: str, held: Mapping[Any, Any]) -> None:
    """Functions of an estimator; the allowlist covers calls while loading, not calls with request data."""
    value, depth = held[name], 0
    while isinstance(value, Instance) and value.class_name == "functools.partial" and depth < _DEEPEST_PARTIAL:
        state = value.state if isinstance(value.state, tuple) and value.state else value.args
        value, depth = (state[0] if state else None), depth + 1
    if isinstance(value, Instance) and value.class_name == "functools.partial":
        record.dangerous(target.class_name, f"its {name!r} is nested too deeply")
    if isinstance(value, Global) and use_of(value) == "call" and not _makes_tables(value):
        record.dangerous(target.class_name, f"its {name!r} calls {value} with request data")
    if name == "func" and _takes_one_value(value, held):
        record.suspect(target.class_name, "its function extracts a single value from a request: build with --trust")


def _parts_of(value: Any, depth: int = 0) -> Iterator[Any]:
    """A value and what its lists, tuples, dicts and dict-like objects hold."""
    yield value
    inside: Iterable[Any] = ()
    if isinstance(value, Instance):
        inside = (*value.args, *value.kwargs.values(), *value.items, *(held for _, held in value.mapping))
        inside = () if value.class_name.startswith(_TABLE_PARTS) else inside
    elif isinstance(value, dict):
        inside = value.values()
    elif isinstance(value, list | tuple):
        inside = value
    for one in inside if depth < _DEEPEST_MAPPING else ():
        yield from _parts_of(one, depth + 1)


def _makes_tables(name: Global) -> bool:
    return name.module.partition(".")[0] in _MAKES_TABLES and not name.name.startswith("_")


def _takes_one_value(function: Any, held: Mapping[Any, Any]) -> bool:
    # A text instead of a table: the booster would use it as a file name.
    if isinstance(function, Instance) and function.class_name == "operator.itemgetter":
        return any(isinstance(one, int) and not isinstance(one, bool) for one in function.args)
    named = isinstance(function, Global) and function.module == "numpy" and function.name in _REDUCTIONS
    given = held.get("kw_args")
    return named and not (isinstance(given, dict) and given.get("axis") is not None)
