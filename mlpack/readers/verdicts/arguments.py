"""The allowed arguments of allowed names: each name that calls, looks up or opens its arguments has a rule here.

A name on the allowlist without a rule is a class that is called without arguments and gets a state. Callable values
(functions, partial, scorers) are allowed as arguments only by a rule.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from mlpack.readers.pickles.record import Record
from mlpack.readers.pickles.values import Array, Blob, Global
from mlpack.readers.verdicts import argument_checks as checks
from mlpack.readers.verdicts.allowlist import canonical, use_of
from mlpack.readers.verdicts.argument_checks import Rule

_FRACTION = re.compile(r"-?[0-9]{1,4000}(/[0-9]{1,4000})?", re.ASCII)
_LONGEST_RANGE = 1 << 62
_ARRAY_CLASSES = frozenset(
    {("numpy", "ndarray"), ("numpy", "matrix"), ("numpy.matrixlib.defmatrix", "matrix"), ("numpy", "recarray")}
    | {("numpy.rec", "recarray"), ("numpy.ma.core", "MaskedArray"), ("numpy.ma", "MaskedArray")}
)
_BIT_GENERATORS = ("MT19937", "PCG64", "PCG64DXSM", "Philox", "SFC64")


def check_call(record: Record, called: Global, args: tuple[Any, ...], kwargs: Any) -> None:
    """Record a call of an allowed name with arguments that are not known as harmless."""
    rule = _rule(called)
    if rule is None or (not kwargs and rule(args)):
        return
    given = (*args, *(kwargs.values() if isinstance(kwargs, dict) else (kwargs,)))
    if called.module in _EXACT or any(map(checks.acts, given)):
        record.dangerous(str(called), "it is called with values that it may call, look up or use as memory")
    else:
        record.suspect(str(called), "it is called with arguments that no known file uses")


@lru_cache(maxsize=4096)
def _rule(called: Global) -> Rule | None:
    if use_of(called) != "call":
        return None
    key = canonical(called)
    if key in _RULES:
        return _RULES[key]
    if called.name.startswith("__pyx_unpickle_"):
        return _unpickle_cython
    if called.module.startswith(("torch._utils", "torch.jit._pickle", "torch.nn.utils.rnn")):
        return checks.every(checks.torch)
    if called.module in ("_loss", "sklearn._loss._loss", "sklearn.linear_model._sgd_fast"):
        return checks.every(checks.number)
    return checks.none


def _object_of_class(args: tuple[Any, ...]) -> bool:
    # copyreg's function calls base.__new__(class, value), which is safe for plain types only
    if len(args) != 3 or not isinstance(args[0], Global) or not isinstance(args[1], Global):
        return False
    if args[1].module not in checks.PYTHON or args[1].name not in checks.PLAIN_TYPES or checks.acts(args[2]):
        return False
    use = use_of(args[0])
    if args[1].name == "object":
        return args[2] is None and use != "name"
    return isinstance(
        args[2], (dict, list, tuple, set, frozenset, str, bytes, int, float)
    ) and not checks.is_plain_type(args[0])


def _array(args: tuple[Any, ...]) -> bool:
    # an empty array, which BUILD fills
    return checks.each(
        checks.among(*(f"{module}:{name}" for module, name in _ARRAY_CLASSES)),
        checks.exactly((0,)),
        checks.exactly(b"b", "b"),
    )(args)


def _masked(args: tuple[Any, ...]) -> bool:
    return len(args) == 4 and _array((args[0], *args[2:])) and _array(args[1:])


def _unpickle_cython(args: tuple[Any, ...]) -> bool:
    return len(args) == 3 and isinstance(args[0], Global) and isinstance(args[1], int) and checks.data(args[2])


def _by_dill(args: tuple[Any, ...]) -> bool:
    # the opcode walk records the inner call; numpy's function must be called in numpy's form
    if not args or not isinstance(args[0], Global):
        return False
    if args[0].name != "_reconstruct":
        return True
    return len(args) in (3, 4) and isinstance(args[1], tuple) and _array(args[1]) and args[3:] in ((), (None,))


def _range(args: tuple[Any, ...]) -> bool:
    return 0 < len(args) <= 3 and all(type(one) is int and abs(one) < _LONGEST_RANGE for one in args)


def _fraction(args: tuple[Any, ...]) -> bool:
    if len(args) == 1:
        return isinstance(args[0], str) and _FRACTION.fullmatch(args[0]) is not None
    return len(args) == 2 and all(type(one) is int for one in args)


def _tree(args: tuple[Any, ...]) -> bool:
    # scikit-learn reads one number of classes for each output
    if len(args) != 3 or not isinstance(args[1], Array) or type(args[2]) is not int:
        return False
    return type(args[0]) is int and args[1].shape == (args[2],) and args[1].dtype[1:] in ("i8", "i4")


_INDEXES = checks.among(*(
    f"{module}:{name}"
    for module, names in (
        ("pandas", ("Index", "IntervalIndex", "MultiIndex", "RangeIndex")),
        ("pandas.core.indexes.base", ("Index",)),
        ("pandas.core.indexes.interval", ("IntervalIndex",)),
        ("pandas.core.indexes.multi", ("MultiIndex",)),
        ("pandas.core.indexes.numeric", ("Float64Index", "Int64Index")),
        ("pandas.core.indexes.period", ("PeriodIndex",)),
        ("pandas.core.indexes.range", ("RangeIndex",)),
    )
    for name in names
))  # fmt: skip
_GENERATOR = checks.one_of(
    checks.made_by("__bit_generator_ctor"),
    checks.exactly(*_BIT_GENERATORS),
    checks.among("numpy.random._mt19937:MT19937", "numpy.random._pcg64:PCG64"),
)
_CTOR = checks.among("numpy.random._pickle:__bit_generator_ctor")


def _items(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and all(isinstance(key, str) for key in value)
        and not any(map(checks.acts, value.values()))
    )


def _new_object_of(value: Any) -> bool:
    if not isinstance(value, Global):
        return False
    return use_of(value) is None or value.module.endswith(
        ("_dist_metrics", "_ball_tree", "_kd_tree", "ball_tree", "kd_tree")
    )


_DICTS = checks.among("collections:OrderedDict", "collections:defaultdict", "collections:Counter")
_ANY_DATA = checks.every(checks.data)
_RULES: dict[tuple[str, str], Rule] = {
    ("_codecs", "encode"): checks.each(
        checks.one_of(checks.text, lambda one: isinstance(one, Blob)), checks.exactly("latin1", "latin-1")
    ),
    ("builtins", "bytearray"): checks.either(
        checks.none, checks.each(checks.raw), checks.each(checks.text, checks.exactly("latin1", "latin-1"))
    ),
    ("builtins", "bytes"): checks.either(checks.none, checks.each(checks.raw)),
    ("builtins", "complex"): checks.every(checks.number),
    ("builtins", "frozenset"): checks.either(checks.none, checks.each(checks.sequence)),
    ("builtins", "set"): checks.either(checks.none, checks.each(checks.sequence)),
    ("builtins", "range"): _range,
    ("builtins", "slice"): checks.every(checks.data),
    ("collections", "Counter"): checks.either(checks.none, checks.each(lambda one: isinstance(one, dict))),
    ("collections", "OrderedDict"): checks.either(checks.none, checks.each(checks.sequence)),
    ("collections", "defaultdict"): checks.each(
        lambda one: one is None or (isinstance(one, Global) and (checks.is_plain_type(one) or _DICTS(one))),
        lambda one: isinstance(one, dict),
        optional=2,
    ),
    ("collections", "deque"): checks.each(checks.sequence, lambda one: one is None or type(one) is int, optional=2),
    ("copyreg", "_reconstructor"): _object_of_class,
    ("datetime", "date"): checks.every(checks.plain),
    ("datetime", "datetime"): _ANY_DATA,
    ("datetime", "time"): _ANY_DATA,
    ("datetime", "timedelta"): checks.every(checks.number),
    ("datetime", "timezone"): _ANY_DATA,
    ("decimal", "Decimal"): checks.each(checks.text),
    ("dill._dill", "_create_array"): _by_dill,
    ("dill._dill", "_load_type"): checks.each(checks.text),
    ("fractions", "Fraction"): _fraction,
    ("functools", "partial"): checks.each(checks.name),
    ("lifelines.utils", "CensoringType"): checks.each(checks.exactly("left", "interval", "right")),
    ("numpy", "dtype"): lambda _: True,  # dtypes are checked when they are read
    ("numpy._core._internal", "_convert_to_stringdtype_kwargs"): _ANY_DATA,
    ("numpy._core.multiarray", "_reconstruct"): _array,
    ("numpy._core.multiarray", "scalar"): _ANY_DATA,
    ("numpy._core.numeric", "_frombuffer"): checks.each(
        checks.raw, checks.data, lambda one: isinstance(one, tuple), checks.exactly("C", "F")
    ),
    ("numpy.ma.core", "_mareconstruct"): _masked,
    ("numpy.random._pickle", "__bit_generator_ctor"): checks.either(checks.none, checks.each(_GENERATOR)),
    ("numpy.random._pickle", "__generator_ctor"): checks.each(_GENERATOR, _CTOR, optional=2),
    ("numpy.random._pickle", "__randomstate_ctor"): checks.each(_GENERATOR, _CTOR, optional=2),
    ("operator", "itemgetter"): checks.every(checks.plain),
    ("pandas", "Interval"): _ANY_DATA,
    ("pandas", "Period"): _ANY_DATA,
    ("pandas._libs.internals", "_unpickle_block"): _ANY_DATA,
    ("pandas._libs.interval", "Interval"): _ANY_DATA,
    ("pandas._libs.tslibs.nattype", "__nat_unpickle"): checks.every(checks.plain),
    ("pandas._libs.tslibs.nattype", "_nat_unpickle"): checks.every(checks.plain),
    ("pandas._libs.tslibs.offsets", "MonthEnd"): checks.every(checks.number),
    ("pandas._libs.tslibs.period", "Period"): _ANY_DATA,
    ("pandas._libs.tslibs.timedeltas", "_timedelta_unpickle"): checks.every(checks.number),
    ("pandas._libs.tslibs.timestamps", "_unpickle_timestamp"): _ANY_DATA,
    ("pandas.core.indexes.base", "_new_Index"): checks.each(_INDEXES, _items),
    ("pandas.core.indexes.interval", "_new_IntervalIndex"): checks.each(_INDEXES, _items),
    ("pandas.core.internals.managers", "BlockManager"): _ANY_DATA,
    ("pandas.core.internals.managers", "SingleBlockManager"): _ANY_DATA,
    ("pathlib", "PosixPath"): checks.every(checks.text),
    ("pyarrow.lib", "_restore_array"): _ANY_DATA,
    ("pyarrow.lib", "py_buffer"): checks.each(checks.raw),
    ("pyarrow.lib", "type_for_alias"): checks.each(checks.text),
    ("pandas.core.dtypes.dtypes", "PeriodDtype"): checks.each(checks.text),
    ("sklearn.impute._iterative", "_ImputerTriplet"): checks.either(
        checks.none, checks.each(checks.data, checks.data, checks.data)
    ),
    ("sklearn.metrics._dist_metrics", "newObj"): checks.each(_new_object_of),
    ("sklearn.neighbors._ball_tree", "newObj"): checks.each(_new_object_of),
    ("sklearn.neighbors._kd_tree", "newObj"): checks.each(_new_object_of),
    ("sklearn.tree._tree", "Tree"): _tree,
    ("sktime.datatypes._dtypekind", "DtypeKind"): checks.each(checks.number),
    ("torch", "Size"): checks.each(lambda one: isinstance(one, (tuple, list))),
    ("torch", "device"): checks.every(checks.plain),
    ("torch.serialization", "_get_layout"): checks.each(checks.text),
    ("uuid", "UUID"): checks.either(checks.none, checks.every(checks.text)),
}
for _name in ("StringDtype", "BooleanDtype", "Float64Dtype", "Int64Dtype", "CategoricalDtype", "DatetimeTZDtype"):
    for _home in ("pandas", "pandas.core.arrays.string_", "pandas.core.arrays.boolean", "pandas.core.arrays.floating",
                  "pandas.core.arrays.integer", "pandas.core.dtypes.dtypes"):  # fmt: skip
        _RULES[_home, _name] = checks.every(
            checks.one_of(checks.data, checks.among("pandas:NA", "pandas._libs.missing:NA"))
        )
_EXACT = frozenset({"_codecs", "copyreg", "copy_reg", "functools", "numpy._core.multiarray", "numpy.core.multiarray",
                    "numpy._core.numeric", "numpy.core.numeric", "numpy.ma.core"})  # fmt: skip
