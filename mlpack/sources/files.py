"""Local files and folders, which are used in place."""

from __future__ import annotations

from pathlib import Path

from mlpack.artifacts.model_reference import reference_of
from mlpack.artifacts.progress import OnProgress


class LocalFiles:
    """A Source of paths."""

    name = "files"

    def accepts(self, reference: str) -> bool:
        """True for every reference without a scheme."""
        return isinstance(reference_of(reference), Path)

    def fetch(self, reference: str, *, folder: Path, on_progress: OnProgress) -> Path:  # noqa: ARG002 - nothing is downloaded
        """Return the path; inspection reports if it cannot be read."""
        return Path(reference)
