"""Run `uv pip compile`: from requirements to one consistent set of wheels."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from mlpack.errors import ResolveError
from mlpack.packages.failures import failure
from mlpack.packages.names import normalise
from mlpack.packages.settings import PackageSettings
from mlpack.packages.settings.toml import load_toml
from mlpack.packages.settings.variables import uv_variables
from mlpack.packages.target import Target
from mlpack.packages.uvbin import uv_binary, without_uv
from mlpack.shell import run

TIMEOUT_S = 600


@dataclass(frozen=True, kw_only=True)
class LockedWheel:
    """A wheel of a locked package for the target; `size` in bytes if the index reports it."""

    filename: str
    url: str
    sha256: str
    size: int | None = None


@dataclass(frozen=True, kw_only=True)
class LockedPackage:
    """A package at its locked version, with all its wheels that fit the target, or the `source` package to build one from."""

    name: str
    version: str
    wheels: tuple[LockedWheel, ...]
    source: LockedWheel | None = None

    def to_requirement(self) -> str:
        """Its lines in a requirements file, with hashes; they do not depend on where the wheels are."""
        hashes = sorted({wheel.sha256 for wheel in self.wheels})
        return (
            " \\\n".join([f"{self.name}=={self.version}", *(f"    --hash=sha256:{digest}" for digest in hashes)]) + "\n"
        )


def compile_lock(
    lines: Iterable[str],
    *,
    target: Target,
    settings: PackageSettings,
    constraints: Iterable[str] = (),
    cutoff: str | None = None,
    exempt: Collection[str] = (),
    excludes: Iterable[str] = (),
) -> tuple[LockedPackage, ...]:
    """The newest consistent set for the target, wheels only, sorted by name.

    `cutoff` (RFC 3339) ignores later uploads, except of the packages in `exempt`; packages in `excludes` are never
    installed. Raises ResolveError with uv's reason, IndexUnreachableError.
    """
    with tempfile.TemporaryDirectory(prefix="mlpack-lock-") as folder:
        bounds = Path(folder) / "constraints.txt"
        bounds.write_text("".join(f"{line}\n" for line in constraints), encoding="utf-8", newline="\n")
        without = Path(folder) / "excludes.txt"
        without.write_text("".join(f"{name}\n" for name in excludes), encoding="utf-8", newline="\n")
        argv = [
            uv_binary(), "pip", "compile", "-", "--no-config", "--no-progress", "--color", "never",
            "--format", "pylock.toml", "--generate-hashes", "--no-header", "--no-annotate",
            "--only-binary", ":all:", "--index-strategy", "unsafe-best-match",
            "--python", sys.executable, "--no-python-downloads",
            "--python-version", target.python, "--python-platform", target.uv_platform,
            *(["--constraints", str(bounds)] if bounds.stat().st_size else []),
            *(["--excludes", str(without)] if without.stat().st_size else []),
            *(["--no-index"] if settings.no_index else []),
            *(["--exclude-newer", cutoff] if cutoff else []),
            *(word for name in sorted(exempt) if cutoff for word in ("--exclude-newer-package", f"{name}=false")),
        ]  # fmt: skip
        try:
            done = run(
                argv,
                env={**without_uv(), **uv_variables(settings)},
                cwd=Path(folder),  # so that uv reads no file of the user's folder
                stdin="".join(f"{line}\n" for line in lines),
                timeout_s=TIMEOUT_S,
            )
        except FileNotFoundError:
            raise ResolveError(
                "uv, which resolves the packages, is not installed", hint="Run `pip install uv`, then try again."
            ) from None
        except subprocess.TimeoutExpired:
            raise ResolveError(
                f"uv did not finish in {TIMEOUT_S} s", hint="Try again; uv caches its downloads."
            ) from None
    if done.code != 0:
        raise failure(done.stderr, target)
    return tuple(sorted((_package(entry) for entry in load_toml(done.stdout)["packages"]), key=lambda one: one.name))


def _package(entry: dict[str, Any]) -> LockedPackage:
    """An entry of PEP 751's `packages`."""
    return LockedPackage(
        name=normalise(entry["name"]),
        version=str(entry["version"]),
        wheels=tuple(
            LockedWheel(
                filename=wheel.get("name") or unquote(urlsplit(wheel["url"]).path.rpartition("/")[2]),
                url=wheel["url"],
                sha256=wheel["hashes"]["sha256"],
                size=wheel.get("size"),
            )
            for wheel in entry.get("wheels", [])
        ),
    )
