"""How a user names a model: a path of this machine, or a reference that a source knows."""

from __future__ import annotations

import re
from pathlib import Path

Reference = str | Path
_SCHEME = re.compile("[a-z][a-z0-9+.-]+:/")  # two letters or more: `c:/` is a drive


def reference_of(text: str) -> Reference:
    """What a text names: `s3://bucket/model.pkl` and `models:/churn/3` stay as they are, text without a scheme is a path."""
    return text if _SCHEME.match(text) else Path(text)
