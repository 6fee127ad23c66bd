"""Names that generated files look up: those that inspection allows, and those that must never be reached unseen."""

from __future__ import annotations

import random
from functools import cache

from mlpack.readers.verdicts.allowlist import allowed

_HIDDEN = (
    ("os", "system"),
    ("posix", "system"),
    ("builtins", "eval"),
    ("builtins", "exec"),
    ("builtins", "getattr"),
    ("subprocess", "Popen"),
    ("dataclasses", "_create_fn"),
    ("sklearn.mine", "Model"),
    ("sklearn.unknown", "Thing"),
    ("numpy.testing", "run"),
)
COMMON = (
    ("collections", "OrderedDict"),
    ("collections", "deque"),
    ("sklearn.linear_model._logistic", "LogisticRegression"),
    ("sklearn.preprocessing._data", "StandardScaler"),
    ("sklearn.utils._bunch", "Bunch"),
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
    ("datetime", "date"),
    ("functools", "partial"),
    ("builtins", "object"),
    ("builtins", "set"),
)


def hidden(rng: random.Random) -> tuple[str, str]:
    """A name that no allow-list has."""
    if rng.random() < 0.6:
        return rng.choice(_HIDDEN)
    # Inspection may know that no image has a package `hidden`; a module of a package that is there could be anything.
    root = rng.choice(["numpy", "sklearn", "scipy", "joblib", "pandas"])
    return f"{root}.hidden{rng.randrange(100)}", rng.choice(["run", "Thing", "a.b", "load"])


@cache
def _allowed() -> tuple[tuple[tuple[str, str], ...], tuple[tuple[str, str], ...]]:
    table = sorted(allowed().items())
    return tuple(pair for pair, use in table if use == "call"), tuple(pair for pair, use in table if use != "call")


def called(rng: random.Random) -> tuple[str, str]:
    """A name that a file may call."""
    return rng.choice(COMMON) if rng.random() < 0.4 else rng.choice(_allowed()[0])


def named(rng: random.Random) -> tuple[str, str]:
    """A name that a file may refer to."""
    return rng.choice(COMMON) if rng.random() < 0.3 else rng.choice(_allowed()[rng.randrange(2)])


_LIBRARIES = [
    "builtins",
    "collections",
    "copyreg",
    "datetime",
    "functools",
    "joblib",
    "numpy",
    "pandas",
    "scipy",
    "sklearn",
    "statsmodels",
]


def modules_of_names() -> tuple[str, ...]:
    """The modules of allowed names whose real objects the loaders use; other libraries would take seconds to import."""
    modules = {module for module, _ in allowed()}
    return tuple(sorted(one for one in modules if one.partition(".")[0] in _LIBRARIES))
