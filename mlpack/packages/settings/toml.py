"""TOML as plain values, on every Python that mlpack runs on."""

from __future__ import annotations

import importlib
import sys
from typing import Any


def load_toml(text: str) -> dict[str, Any]:
    """The document's tables; raises ValueError when it is not TOML."""
    # the standard library has a reader from 3.11 on; below it the same one is a package
    parser = importlib.import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")
    document: dict[str, Any] = parser.loads(text)
    return document
