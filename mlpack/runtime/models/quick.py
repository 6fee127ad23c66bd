"""What libraries ask of every array at every call, answered at once."""

from __future__ import annotations

import functools
import sys
from typing import Any, Callable

import numpy as np


def know_arrays() -> None:
    """Tell narwhals that an array is no data frame.

    scikit-learn 1.9 asks it four times a call, and its own way to find out is nearly half of a small prediction.
    """
    dependencies = sys.modules.get("narwhals.stable.v2.dependencies")
    for name in ("is_into_dataframe", "is_into_series"):
        asked = getattr(dependencies, name, None)
        if asked is not None and not hasattr(asked, "__wrapped__"):
            setattr(dependencies, name, _quick(asked))


def _quick(asked: Callable[[Any], bool]) -> Callable[[Any], bool]:
    @functools.wraps(asked)
    def answer(*one: Any, **named: Any) -> bool:
        return not (one and type(one[0]) is np.ndarray) and asked(*one, **named)

    return answer
