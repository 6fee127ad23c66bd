"""Image, a built image; `build` returns it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Image:
    """An image of an engine or a registry.

    `id` is its config digest (`sha256:...`); `tags` are full references; `size` in bytes; `platform` as `linux/amd64`;
    `card` is the ModelCard in it; `seconds` is the duration of the build, and `warnings` are what it found, for the user;
    `cached` is true if an existing image was reused.
    """

    id: str
    tags: tuple[str, ...]
    size: int
    platform: str
    card: dict[str, Any]
    labels: dict[str, str]
    seconds: float = 0.0
    cached: bool = False
    warnings: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The image as plain JSON values: `size` in bytes."""
        return {
            "id": self.id,
            "tags": list(self.tags),
            "size": self.size,
            "seconds": round(self.seconds, 3),
            "cached": self.cached,
        }
