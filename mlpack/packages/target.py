"""The target of a lock: a Python and a platform."""

from __future__ import annotations

from dataclasses import dataclass

from mlpack.packages.wheels import manylinux


@dataclass(frozen=True, kw_only=True)
class Target:
    """A Python ("3.11") on a platform ("linux/amd64")."""

    python: str
    platform: str

    @property
    def uv_platform(self) -> str:
        """Uv's name of the platform."""
        return manylinux(self.python, self.platform)
