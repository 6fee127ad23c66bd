"""A model with everything it needs pinned: what `resolve` returns."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mlpack.artifacts.model import ModelInfo
from mlpack.artifacts.prepared import Prepared


@dataclass(frozen=True, kw_only=True)
class LocalWheel:
    """A locked wheel that lies on this machine (find-links, `file://` index, wheelhouse) and so must be handed to the build."""

    filename: str
    path: Path
    sha256: str


@dataclass(frozen=True, kw_only=True)
class Lock:
    """A prepared model and a hash-locked set of packages for one target: Python, platform and base image.

    `requirements` is the text of a requirements file with hashes (deterministic: no host paths, no index addresses, no
    time). `base` is the image as the user would name it, `base_digest` its `sha256:...` where the registry told it.
    `reasons` say in sentences why this Python, this cut-off, these caps. `cutoff` is an RFC 3339 time or None.
    `installer` is the same kind of text for uv alone, which installs the rest. `pages` are public find-links pages that hold
    locked wheels, beside the user's own sources; with `gpu` the set is the one for CUDA.
    """

    prepared: Prepared
    python: str
    platform: str
    base: str
    base_digest: str | None
    requirements: str
    reasons: tuple[str, ...] = ()
    cutoff: str | None = None
    local_wheels: tuple[LocalWheel, ...] = ()
    apt: tuple[str, ...] = ()
    pages: tuple[str, ...] = ()
    gpu: bool = False
    installer: str = ""  # requirements text of the installer itself (uv, with hashes)

    @property
    def info(self) -> ModelInfo:
        """The model."""
        return self.prepared.info
