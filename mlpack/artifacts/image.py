"""A built image, and where a pushed one is: the answers of `build` and `push`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mlpack.artifacts.report import Report


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


@dataclass(frozen=True, kw_only=True)
class Released:
    """An image in a registry, named by digest (`host/repo@sha256:...`), with the report that let it through.

    `report` is None only after `--no-verify`.
    """

    reference: str
    digest: str
    tags: tuple[str, ...]
    image: Image
    report: Report | None
