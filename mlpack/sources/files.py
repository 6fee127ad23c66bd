"""Files and folders of this machine: used where they are."""

from __future__ import annotations

from pathlib import Path

from mlpack.artifacts.progress import OnProgress


class LocalFiles:
    """A Source of paths."""

    name = "files"

    def accepts(self, reference: str) -> bool:
        """True for everything that has no scheme."""
        return "://" not in reference

    def fetch(self, reference: str, *, folder: Path, on_progress: OnProgress) -> Path:  # noqa: ARG002 - nothing is downloaded
        """The path itself; whether it can be read is seen when it is inspected."""
        return Path(reference)
