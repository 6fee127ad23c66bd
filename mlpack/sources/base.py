"""The interface of a source of models: Source."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from mlpack.artifacts.progress import OnProgress


class Source(Protocol):
    """Fetches models by references of one kind, such as `s3://bucket/model.pkl`."""

    name: str

    def accepts(self, reference: str) -> bool:
        """Whether the reference is of this source's kind, by its text alone."""

    def fetch(self, reference: str, *, folder: Path, on_progress: OnProgress) -> Path:
        """Return the model as a local file or folder; downloads are stored in `folder`.

        Raises ModelError and its subclasses.
        """
