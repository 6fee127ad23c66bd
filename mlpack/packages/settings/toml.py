"""Parse TOML on every Python that mlpack supports."""

from __future__ import annotations

import importlib
import sys
from typing import Any


def load_toml(text: str) -> dict[str, Any]:
    """The document's tables; raises ValueError when it is not TOML."""
    # tomllib is in the standard library since 3.11; tomli is the same parser for older Pythons
    parser = importlib.import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")
    document: dict[str, Any] = parser.loads(text)
    return document
