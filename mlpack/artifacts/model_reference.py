"""How a user names a model: a local path, or a reference for a source of models."""

from __future__ import annotations

import re
from pathlib import Path

ModelReference = str | Path
_SCHEME = re.compile("[a-z][a-z0-9+.-]+:/")  # two letters or more, because `c:/` is a Windows drive


def reference_of(text: str) -> ModelReference:
    """Parse a model's name: text with a scheme (`s3://bucket/model.pkl`, `models:/churn/3`) is unchanged, else it is a path."""
    return text if _SCHEME.match(text) else Path(text)
