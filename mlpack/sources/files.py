"""Files and folders of this machine: used where they are."""

from __future__ import annotations

from pathlib import Path

from mlpack.artifacts.progress import OnProgress
from mlpack.artifacts.reference import reference_of


class LocalFiles:
    """A Source of paths."""

    name = "files"

    def accepts(self, reference: str) -> bool:
        """True for everything that has no scheme."""
        return isinstance(reference_of(reference), Path)

    def fetch(self, reference: str, *, folder: Path, on_progress: OnProgress) -> Path:  # noqa: ARG002 - nothing is downloaded
        """The path itself; whether it can be read is seen when it is inspected."""
        return Path(reference)
