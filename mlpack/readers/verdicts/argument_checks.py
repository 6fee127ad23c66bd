"""Checks for the arguments of calls: data, callable objects, and combinations of checks."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from mlpack.readers.pickles.values import Blob, Global, Instance
from mlpack.readers.verdicts.allowlist import use_of

Check = Callable[[Any], bool]
Rule = Callable[[tuple[Any, ...]], bool]

PYTHON = ("builtins", "__builtin__")
PLAIN_TYPES = frozenset(
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
# Objects that, when called, call their arguments or access attributes of them.
_ACTING = frozenset(
    {"functools.partial", "operator.itemgetter", "operator.attrgetter", "operator.methodcaller", "builtins.getattr"}
    | {"__builtin__.getattr", "numpy.vectorize"}
)
_DTYPE_LIKE = re.compile(
    r"torch:(q?u?int[0-9]+|b?float[0-9a-z_]+|complex[0-9]+|bool|per_[a-z_]+)"
    r"|numpy:(u?int[0-9]+|float[0-9]+|complex[0-9]+|bool_?|object_|str_|bytes_|number|void|record)"
)


def acts(value: Any) -> bool:
    """True for a callable whose behaviour the file chooses: a function, or an object that acts as one."""
    if isinstance(value, Global):
        return not is_plain_type(value)
    return isinstance(value, Instance) and (
        not isinstance(value.callable, Global)
        or value.class_name in _ACTING
        or value.class_name.startswith("sklearn.metrics._scorer.")
    )


def is_plain_type(name: Global) -> bool:
    """True for a plain type of Python or numpy, or a dtype of torch, which is harmless when called."""
    if name.module in PYTHON:
        return name.name in PLAIN_TYPES
    return _DTYPE_LIKE.fullmatch(name.reference) is not None


def data(value: Any) -> bool:
    """Data, also an object of a known class; nothing callable."""
    return not isinstance(value, Global) and not acts(value)


def number(value: Any) -> bool:
    """A number or None."""
    return value is None or isinstance(value, (bool, int, float))


def text(value: Any) -> bool:
    """A text."""
    return isinstance(value, str)


def plain(value: Any) -> bool:
    """A number, a text, bytes, None, or a short sequence of them."""
    if isinstance(value, (tuple, list)):
        return len(value) <= 64 and all(isinstance(one, (str, bytes, int, float, type(None))) for one in value)
    return value is None or isinstance(value, (str, bytes, int, float))


def raw(value: Any) -> bool:
    """Bytes."""
    return isinstance(value, (bytes, bytearray, Blob))


def sequence(value: Any) -> bool:
    """A built-in container."""
    return isinstance(value, (list, tuple, set, frozenset))


def torch(value: Any) -> bool:
    """Data, or torch's dtypes and similar objects."""
    if isinstance(value, (tuple, list)) and len(value) <= 64:
        return all(map(torch, value))
    return is_plain_type(value) if isinstance(value, Global) else data(value)


def name(value: Any) -> bool:
    """A name that is looked up."""
    return isinstance(value, Global)


def among(*names: str) -> Check:
    """One of these names, or a name off the allowlist, which gets its own finding."""
    return lambda value: isinstance(value, Global) and (value.reference in names or use_of(value) is None)


def exactly(*values: Any) -> Check:
    """One of these values, with the same type."""
    return lambda value: any(type(value) is type(one) and value == one for one in values)


def made_by(name: str) -> Check:
    """A result of this function."""
    return lambda value: isinstance(value, Instance) and str(value.callable).endswith(name)


def one_of(*checks: Check) -> Check:
    """A value that passes one of these checks."""
    return lambda value: any(check(value) for check in checks)


def none(args: tuple[Any, ...]) -> bool:
    """No arguments."""
    return not args


def every(check: Check) -> Rule:
    """The same check for all arguments."""
    return lambda args: all(map(check, args))


def each(*checks: Check, optional: int = 0) -> Rule:
    """One check for each argument; the last `optional` arguments may be missing."""

    def rule(args: tuple[Any, ...]) -> bool:
        if not len(checks) - optional <= len(args) <= len(checks):
            return False
        return all(check(one) for check, one in zip(checks, args, strict=False))

    return rule


def either(*rules: Rule) -> Rule:
    """Arguments that pass one of these rules."""
    return lambda args: any(rule(args) for rule in rules)
