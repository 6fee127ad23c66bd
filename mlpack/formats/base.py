"""The seam for model formats: Format, and the Artifact it is asked about."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from mlpack.artifacts.model import ModelInfo
from mlpack.readers.values import PickleFile


@dataclass(frozen=True, kw_only=True)
class Artifact:
    """A path and what was already read of it: the first bytes, and its pickle, if it holds one.

    `entry` is the key in a bundle that the user chose to serve; `framework` is the user's word (`scikit-learn==1.0.2`);
    `sample` a few rows as JSON values (records, lists, texts), for what the file does not tell.
    """

    path: Path
    size: int
    head: bytes
    pickle: PickleFile | None = None
    entry: str | None = None
    framework: str | None = None
    sample: tuple[Any, ...] = ()


class Format(Protocol):
    """A kind of model file."""

    name: str
    loader: Path  # the image half: a file of its own that imports only its framework

    def inspect(self, artifact: Artifact) -> ModelInfo | None:
        """What the model is, or None when it is not of this format; never runs or imports anything of the model."""
