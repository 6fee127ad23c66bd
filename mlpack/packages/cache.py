"""A cache of locks by their inputs, so that the same input needs the network only once."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from mlpack.artifacts.lock import LocalWheel, Lock
from mlpack.artifacts.prepared import Prepared

SCHEMA = 3  # increased when a change of the resolver changes its results


def cache_key(inputs: dict[str, Any]) -> str:
    """The cache key of the inputs: sha256 over their JSON, in hex."""
    text = json.dumps({"schema": SCHEMA, **inputs}, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def load_lock(cache_dir: Path, key: str, prepared: Prepared) -> Lock | None:
    """The cached lock for this model; None when there is none, it is broken, or one of its wheels no longer exists."""
    try:
        kept = json.loads(_path(cache_dir, key).read_text(encoding="utf-8"))
        wheels = tuple(
            LocalWheel(filename=wheel["filename"], path=Path(wheel["path"]), sha256=wheel["sha256"])
            for wheel in kept.pop("local_wheels")
        )
        values: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in kept.items()
        }
        lock = Lock(prepared=prepared, local_wheels=wheels, **values)
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None
    return lock if all(wheel.path.is_file() for wheel in wheels) else None


def keep_lock(cache_dir: Path, key: str, lock: Lock) -> None:
    """Store the lock under the key, atomically; errors of the disk are ignored."""
    kept = asdict(replace(lock, prepared=None))  # type: ignore[arg-type]  # `load_lock` sets it
    del kept["prepared"]
    with contextlib.suppress(OSError):
        path = _path(cache_dir, key)
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=".lock-")
        try:
            with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
                json.dump(kept, file, indent=1, default=str)
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise


def folder_listing(place: str) -> list[tuple[str, int]]:
    """The wheels in a folder by name and size; empty when `place` is no local folder."""
    folder = Path(place)
    return sorted((path.name, path.stat().st_size) for path in folder.glob("*.whl")) if folder.is_dir() else []


def _path(cache_dir: Path, key: str) -> Path:
    return cache_dir / f"{key}.json"
