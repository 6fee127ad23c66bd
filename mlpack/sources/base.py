"""The interface of a source of models: Source."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from mlpack.artifacts.progress import OnProgress


class Source(Protocol):
    """Fetches models by references of one kind, such as `s3://bucket/model.pkl`."""

    name: str

    def accepts(self, reference: str) -> bool:
        """Whether the reference is of this source's kind; looks at the text only."""

    def fetch(self, reference: str, *, folder: Path, on_progress: OnProgress) -> Path:
        """The model as a file or folder of this machine; what has to be downloaded goes into `folder`.

        Raises the ModelError family.
        """
