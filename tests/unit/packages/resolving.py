"""Resolving in a test: the fixture `lock_of`, and how its answer is read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mlpack.artifacts.lock import Lock
from mlpack.artifacts.model import ModelInfo
from mlpack.artifacts.prepared import Prepared
from mlpack.packages.settings import PackageSettings
from mlpack.pipeline.resolve import ResolveOptions, resolve
from tests.unit.packages.standin_index import RUNTIME

Resolve = Callable[..., Lock]


@pytest.fixture
def lock_of(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Resolve:
    """Resolves a model with a cache of the test's own; options are ResolveOptions' fields."""
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path_factory.getbasetemp() / "uv-cache"))
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")

    def lock_of(
        info: ModelInfo, settings: PackageSettings, *, refresh: bool = False, digest: str | None = None, **options: Any
    ) -> Lock:
        return resolve(
            Prepared(info=info),
            options=ResolveOptions(**options),
            settings=settings,
            runtime_requirements=RUNTIME,
            base_digest=lambda _base, _platform: digest,
            cache_dir=tmp_path / "locks",
            refresh=refresh,
        )

    return lock_of


def versions(lock: Lock) -> dict[str, str]:
    """The locked versions by name."""
    lines = (line.split(" ")[0] for line in lock.requirements.splitlines() if not line.startswith(" "))
    return dict(line.split("==") for line in lines)
