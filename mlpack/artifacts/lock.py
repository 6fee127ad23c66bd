"""Lock, a model with all its packages pinned; `resolve` returns it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mlpack.artifacts.model import ModelInfo
from mlpack.artifacts.prepared import Prepared


@dataclass(frozen=True, kw_only=True)
class LocalWheel:
    """A locked wheel on this machine (find-links, `file://` index, wheelhouse), which must be passed to the build."""

    filename: str
    path: Path
    sha256: str


@dataclass(frozen=True, kw_only=True)
class SourceBuild:
    """A source package whose wheel is built before the packages are installed.

    `source` is its file, `tools` are the wheels of its build tools; both are passed to the build. `compiles`: it has code in C
    or C++.
    """

    name: str
    version: str
    source: LocalWheel
    tools: tuple[LocalWheel, ...]
    compiles: bool = False


@dataclass(frozen=True, kw_only=True)
class Lock:
    """A prepared model and a hash-locked set of packages for one target: Python, platform and base image.

    `requirements` is the text of a requirements file with hashes (deterministic: no host paths, no index addresses, no
    time). `base` is the reference of the base image, `base_digest` its `sha256:...` if the registry returned it. `reasons`
    are sentences that explain the Python, the cut-off date and version limits. `cutoff` is an RFC 3339 time or None.
    `installer` is a requirements file for uv alone, which installs the others. `pages` are public find-links pages with
    locked wheels, in addition to the user's own sources; with `gpu` the packages are CUDA builds. `test_folders` are the
    top-level packages whose test folders are left out of the image, and `unused_files` patterns of files that are left out.
    The code for GPUs is left out of the shared objects `gpu_code`, and symbol tables and debug information out of those in
    `strip`, files and folders. `sdists` are the source packages that are built; they are not in `requirements`.
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
    test_folders: tuple[str, ...] = ()
    unused_files: tuple[str, ...] = ()
    gpu_code: tuple[str, ...] = ()
    strip: tuple[str, ...] = ()
    installer: str = ""  # requirements text of the installer itself (uv, with hashes)
    sdists: tuple[SourceBuild, ...] = ()

    @property
    def info(self) -> ModelInfo:
        """The model."""
        return self.prepared.info

    @property
    def sdists_text(self) -> str:
        """The files of the source builds as lines for `sha256sum --check`, sorted by name; "" if nothing is built."""
        files = {file.filename: file.sha256 for build in self.sdists for file in (build.source, *build.tools)}
        return "".join(f"{files[name]}  {name}\n" for name in sorted(files))
