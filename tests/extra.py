"""Which values of a parametrized test run in `make test-all`, and which only in `make test-extra`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest


def extra(*values: Any) -> list[Any]:
    """Values that show with other data what the values beside them show already."""
    return [pytest.param(value, marks=pytest.mark.extra) for value in values]


def few(values: Iterable[Any], *kept: Any) -> list[Any]:
    """All values in their order, of which only the kept ones run in `make test-all`."""
    found = list(values)
    assert all(value in found for value in kept), kept
    return [value if value in kept else extra(value)[0] for value in found]
