"""What an allowed name may be called with: everything that calls, looks up or opens what it is given has a rule here.

A name of the allow-list without a rule is a class whose objects are made without arguments and get a state. Values that
act when they are used (functions, partial, scorers) are arguments only where a rule says so.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from mlpack.readers.allowlist import canonical, use_of
from mlpack.readers.record import Record
from mlpack.readers.values import Array, Blob, Global, Instance

Check = Callable[[Any], bool]
Rule = Callable[[tuple[Any, ...]], bool]

_PYTHON = ("builtins", "__builtin__")
_PLAIN_TYPES = frozenset(
    {
        "bool",
        "bytearray",
        "bytes",
        "complex",
        "dict",
        "float",
        "frozenset",
        "int",
        "list",
        "object",
        "set",
        "str",
        "tuple",
    }
    | {"long", "unicode"}
)
_FRACTION = re.compile(r"-?[0-9]{1,4000}(/[0-9]{1,4000})?", re.ASCII)
_LONGEST_RANGE = 1 << 62
# Objects that do something with what they are given when they are called, or reach into it.
_ACTING = frozenset(
    {"functools.partial", "operator.itemgetter", "operator.attrgetter", "operator.methodcaller", "builtins.getattr"}
    | {"__builtin__.getattr", "numpy.vectorize"}
)
_ARRAY_CLASSES = frozenset(
    {("numpy", "ndarray"), ("numpy", "matrix"), ("numpy.matrixlib.defmatrix", "matrix"), ("numpy", "recarray")}
    | {("numpy.rec", "recarray"), ("numpy.ma.core", "MaskedArray"), ("numpy.ma", "MaskedArray")}
)
_BIT_GENERATORS = ("MT19937", "PCG64", "PCG64DXSM", "Philox", "SFC64")
_DTYPE_LIKE = re.compile(
    r"torch:(q?u?int[0-9]+|b?float[0-9a-z_]+|complex[0-9]+|bool|per_[a-z_]+)"
    r"|numpy:(u?int[0-9]+|float[0-9]+|complex[0-9]+|bool_?|object_|str_|bytes_|number|void|record)"
)


def acts(value: Any) -> bool:
    """True for what can be called and then does what the file says: a function, or an object that stands for one."""
    if isinstance(value, Global):
        return not is_plain_type(value)
    return isinstance(value, Instance) and (
        not isinstance(value.callable, Global)
        or value.class_name in _ACTING
        or value.class_name.startswith("sklearn.metrics._scorer.")
    )


def is_plain_type(name: Global) -> bool:
    """True for a plain type of Python's or numpy's, or one of torch's dtypes: harmless whoever calls it."""
    if name.module in _PYTHON:
        return name.name in _PLAIN_TYPES
    return _DTYPE_LIKE.fullmatch(name.reference) is not None


def check_call(record: Record, called: Global, args: tuple[Any, ...], kwargs: Any) -> None:
    """Note it when an allowed name is called with something that it is not known as harmless with."""
    rule = _rule(called)
    if rule is None or (not kwargs and rule(args)):
        return
    given = (*args, *(kwargs.values() if isinstance(kwargs, dict) else (kwargs,)))
    if called.module in _EXACT or any(map(acts, given)):
        record.trick(str(called), "it is called with values that it may call, look up or take for memory")
    else:
        record.suspect(str(called), "it is called with values that no known file gives it")


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
        return _all(_torch)
    if called.module in ("_loss", "sklearn._loss._loss", "sklearn.linear_model._sgd_fast"):
        return _all(_number)
    return _none


# Values ---------------------------------------------------------------------------------------------------


def _data(value: Any) -> bool:
    return not isinstance(value, Global) and not acts(value)


def _number(value: Any) -> bool:
    return value is None or isinstance(value, (bool, int, float))


def _text(value: Any) -> bool:
    return isinstance(value, str)


def _plain(value: Any) -> bool:
    if isinstance(value, (tuple, list)):
        return len(value) <= 64 and all(isinstance(one, (str, bytes, int, float, type(None))) for one in value)
    return value is None or isinstance(value, (str, bytes, int, float))


def _bytes(value: Any) -> bool:
    return isinstance(value, (bytes, bytearray, Blob))


def _sequence(value: Any) -> bool:
    return isinstance(value, (list, tuple, set, frozenset))


def _torch(value: Any) -> bool:
    if isinstance(value, (tuple, list)) and len(value) <= 64:
        return all(map(_torch, value))
    return is_plain_type(value) if isinstance(value, Global) else _data(value)


def _class(value: Any) -> bool:
    return isinstance(value, Global)


def _among(*names: str) -> Check:
    return lambda value: isinstance(value, Global) and (value.reference in names or use_of(value) is None)


def _is(*values: Any) -> Check:
    return lambda value: any(type(value) is type(one) and value == one for one in values)


def _made_by(name: str) -> Check:
    return lambda value: isinstance(value, Instance) and str(value.callable).endswith(name)


def _any(*checks: Check) -> Check:
    return lambda value: any(check(value) for check in checks)


# Rules: what all the arguments are ---------------------------------------------------------------------


def _none(args: tuple[Any, ...]) -> bool:
    return not args


def _all(check: Check) -> Rule:
    return lambda args: all(map(check, args))


def _each(*checks: Check, optional: int = 0) -> Rule:
    """One check for each argument, of which the last `optional` may be missing."""

    def rule(args: tuple[Any, ...]) -> bool:
        if not len(checks) - optional <= len(args) <= len(checks):
            return False
        return all(check(one) for check, one in zip(checks, args, strict=False))

    return rule


def _or(*rules: Rule) -> Rule:
    return lambda args: any(rule(args) for rule in rules)


def _object_of_class(args: tuple[Any, ...]) -> bool:
    # copyreg's function: base.__new__(class, value); only plain types have no code of their own there
    if len(args) != 3 or not isinstance(args[0], Global) or not isinstance(args[1], Global):
        return False
    if args[1].module not in _PYTHON or args[1].name not in _PLAIN_TYPES or acts(args[2]):
        return False
    use = use_of(args[0])
    if args[1].name == "object":
        return args[2] is None and use != "name"
    return isinstance(args[2], (dict, list, tuple, set, frozenset, str, bytes, int, float)) and not is_plain_type(
        args[0]
    )


def _array(args: tuple[Any, ...]) -> bool:
    # an array of no elements, which BUILD fills
    return _each(_among(*(f"{module}:{name}" for module, name in _ARRAY_CLASSES)), _is((0,)), _is(b"b", "b"))(args)


def _masked(args: tuple[Any, ...]) -> bool:
    return len(args) == 4 and _array((args[0], *args[2:])) and _array(args[1:])


def _unpickle_cython(args: tuple[Any, ...]) -> bool:
    return len(args) == 3 and isinstance(args[0], Global) and isinstance(args[1], int) and _data(args[2])


def _by_dill(args: tuple[Any, ...]) -> bool:
    # what it calls is counted as called where the file is walked; numpy's own function is called as numpy writes it
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
    # scikit-learn reads as many numbers of classes as there are outputs
    if len(args) != 3 or not isinstance(args[1], Array) or type(args[2]) is not int:
        return False
    return type(args[0]) is int and args[1].shape == (args[2],) and args[1].dtype[1:] in ("i8", "i4")


_INDEXES = _among(*(
    f"{module}:{name}"
    for module, names in (
        ("pandas", ("Index", "IntervalIndex", "MultiIndex", "RangeIndex")),
        ("pandas.core.indexes.base", ("Index",)),
        ("pandas.core.indexes.interval", ("IntervalIndex",)),
        ("pandas.core.indexes.multi", ("MultiIndex",)),
        ("pandas.core.indexes.numeric", ("Float64Index", "Int64Index")),
        ("pandas.core.indexes.range", ("RangeIndex",)),
    )
    for name in names
))  # fmt: skip
_GENERATOR = _any(
    _made_by("__bit_generator_ctor"),
    _is(*_BIT_GENERATORS),
    _among("numpy.random._mt19937:MT19937", "numpy.random._pcg64:PCG64"),
)
_CTOR = _among("numpy.random._pickle:__bit_generator_ctor")


def _items(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(key, str) for key in value) and not any(map(acts, value.values()))


def _new_object_of(value: Any) -> bool:
    if not isinstance(value, Global):
        return False
    return use_of(value) is None or value.module.endswith(
        ("_dist_metrics", "_ball_tree", "_kd_tree", "ball_tree", "kd_tree")
    )


_ANY_DATA = _all(_data)
_RULES: dict[tuple[str, str], Rule] = {
    ("_codecs", "encode"): _each(_any(_text, lambda one: isinstance(one, Blob)), _is("latin1", "latin-1")),
    ("builtins", "bytearray"): _or(_none, _each(_bytes), _each(_text, _is("latin1", "latin-1"))),
    ("builtins", "bytes"): _or(_none, _each(_bytes)),
    ("builtins", "complex"): _all(_number),
    ("builtins", "frozenset"): _or(_none, _each(_sequence)),
    ("builtins", "set"): _or(_none, _each(_sequence)),
    ("builtins", "range"): _range,
    ("builtins", "slice"): _all(_data),
    ("collections", "Counter"): _or(_none, _each(lambda one: isinstance(one, dict))),
    ("collections", "OrderedDict"): _or(_none, _each(_sequence)),
    ("collections", "defaultdict"): _each(
        lambda one: one is None or (isinstance(one, Global) and (is_plain_type(one) or _DICTS(one))),
        lambda one: isinstance(one, dict),
        optional=2,
    ),
    ("collections", "deque"): _each(_sequence, lambda one: one is None or type(one) is int, optional=2),
    ("copyreg", "_reconstructor"): _object_of_class,
    ("datetime", "date"): _all(_plain),
    ("datetime", "datetime"): _ANY_DATA,
    ("datetime", "time"): _ANY_DATA,
    ("datetime", "timedelta"): _all(_number),
    ("datetime", "timezone"): _ANY_DATA,
    ("decimal", "Decimal"): _each(_text),
    ("dill._dill", "_create_array"): _by_dill,
    ("dill._dill", "_load_type"): _each(_text),
    ("fractions", "Fraction"): _fraction,
    ("functools", "partial"): _each(_class),
    ("numpy", "dtype"): lambda _: True,  # dtypes are checked where they are read
    ("numpy._core._internal", "_convert_to_stringdtype_kwargs"): _ANY_DATA,
    ("numpy._core.multiarray", "_reconstruct"): _array,
    ("numpy._core.multiarray", "scalar"): _ANY_DATA,
    ("numpy._core.numeric", "_frombuffer"): _each(_bytes, _data, lambda one: isinstance(one, tuple), _is("C", "F")),
    ("numpy.ma.core", "_mareconstruct"): _masked,
    ("numpy.random._pickle", "__bit_generator_ctor"): _or(_none, _each(_GENERATOR)),
    ("numpy.random._pickle", "__generator_ctor"): _each(_GENERATOR, _CTOR, optional=2),
    ("numpy.random._pickle", "__randomstate_ctor"): _each(_GENERATOR, _CTOR, optional=2),
    ("operator", "itemgetter"): _all(_plain),
    ("pandas", "Interval"): _ANY_DATA,
    ("pandas", "Period"): _ANY_DATA,
    ("pandas._libs.internals", "_unpickle_block"): _ANY_DATA,
    ("pandas._libs.interval", "Interval"): _ANY_DATA,
    ("pandas._libs.tslibs.nattype", "__nat_unpickle"): _all(_plain),
    ("pandas._libs.tslibs.nattype", "_nat_unpickle"): _all(_plain),
    ("pandas._libs.tslibs.offsets", "MonthEnd"): _all(_number),
    ("pandas._libs.tslibs.period", "Period"): _ANY_DATA,
    ("pandas._libs.tslibs.timedeltas", "_timedelta_unpickle"): _all(_number),
    ("pandas._libs.tslibs.timestamps", "_unpickle_timestamp"): _ANY_DATA,
    ("pandas.core.indexes.base", "_new_Index"): _each(_INDEXES, _items),
    ("pandas.core.indexes.interval", "_new_IntervalIndex"): _each(_INDEXES, _items),
    ("pandas.core.internals.managers", "BlockManager"): _ANY_DATA,
    ("pandas.core.internals.managers", "SingleBlockManager"): _ANY_DATA,
    ("pathlib", "PosixPath"): _all(_text),
    ("pyarrow.lib", "_restore_array"): _ANY_DATA,
    ("pyarrow.lib", "py_buffer"): _each(_bytes),
    ("pyarrow.lib", "type_for_alias"): _each(_text),
    ("sklearn.impute._iterative", "_ImputerTriplet"): _or(_none, _each(_data, _data, _data)),
    ("sklearn.metrics._dist_metrics", "newObj"): _each(_new_object_of),
    ("sklearn.neighbors._ball_tree", "newObj"): _each(_new_object_of),
    ("sklearn.neighbors._kd_tree", "newObj"): _each(_new_object_of),
    ("sklearn.tree._tree", "Tree"): _tree,
    ("torch", "Size"): _each(lambda one: isinstance(one, (tuple, list))),
    ("torch", "device"): _all(_plain),
    ("torch.serialization", "_get_layout"): _each(_text),
    ("uuid", "UUID"): _or(_none, _all(_text)),
}
for _name in ("StringDtype", "BooleanDtype", "Float64Dtype", "Int64Dtype", "CategoricalDtype", "DatetimeTZDtype"):
    for _home in ("pandas", "pandas.core.arrays.string_", "pandas.core.arrays.boolean", "pandas.core.arrays.floating",
                  "pandas.core.arrays.integer", "pandas.core.dtypes.dtypes"):  # fmt: skip
        _RULES[_home, _name] = _all(_any(_data, _among("pandas:NA", "pandas._libs.missing:NA")))
_DICTS = _among("collections:OrderedDict", "collections:defaultdict", "collections:Counter")
_EXACT = frozenset({"_codecs", "copyreg", "copy_reg", "functools", "numpy._core.multiarray", "numpy.core.multiarray",
                    "numpy._core.numeric", "numpy.core.numeric", "numpy.ma.core"})  # fmt: skip
