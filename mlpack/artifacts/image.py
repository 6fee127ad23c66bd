"""A built image: what `build` returns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Image:
    """An image that an engine holds.

    `id` is its config digest (`sha256:...`); `tags` are full references; `size` in bytes; `platform` as `linux/amd64`;
    `card` is the ModelCard that it carries; `seconds` is how long the build took; `cached` is true when nothing was built.
    """

    id: str
    tags: tuple[str, ...]
    size: int
    platform: str
    card: dict[str, Any]
    labels: dict[str, str]
    seconds: float = 0.0
    cached: bool = False

    def to_json(self) -> dict[str, Any]:
        """The image as plain JSON values: `size` in bytes."""
        return {
            "id": self.id,
            "tags": list(self.tags),
            "size": self.size,
            "seconds": round(self.seconds, 3),
            "cached": self.cached,
        }
