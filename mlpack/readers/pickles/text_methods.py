"""Methods of `str` in a pickle (`TfidfVectorizer(preprocessor=str.lower)`), which Python writes as `getattr(str, "lower")`."""

from __future__ import annotations

from typing import Any

from mlpack.readers.pickles.values import Global
from mlpack.readers.verdicts.allowlist import use_of

_PYTHON = ("builtins", "__builtin__")


def text_method(callable_: Any, args: tuple[Any, ...]) -> str | None:
    """The name of the allowed method (`str.lower`) that a call of `getattr` reads; None for any other call."""
    if not is_getattr(callable_) or len(args) != 2 or not isinstance(args[0], Global):
        return None
    if args[0].module not in _PYTHON or args[0].name not in ("str", "unicode") or type(args[1]) is not str:
        return None
    name = f"str.{args[1]}"
    return name if use_of(Global("builtins", name)) == "name" else None


def is_getattr(value: Any) -> bool:
    """Whether a value is the function getattr."""
    return isinstance(value, Global) and value.module in _PYTHON and value.name == "getattr"
