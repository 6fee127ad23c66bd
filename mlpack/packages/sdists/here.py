"""Build the wheels of source packages on this machine, for a model that runs without an image."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from mlpack.artifacts.lock import LocalWheel, SourceBuild
from mlpack.errors import ResolveError
from mlpack.packages.uvbin import uv_binary
from mlpack.shell import run

_TIMEOUT_S = 900
_TAIL = 20  # lines of the output that are shown


@contextmanager
def built_wheels(builds: Sequence[SourceBuild], python: Path, account: tuple[int, int] | None) -> Iterator[list[Path]]:
    """The wheels of the source packages, until the `with` ends; `account` is the UID and GID that runs their code, if root may.

    The build sees none of this process's variables, no package index and no file of the user. Raises ResolveError.
    """
    with tempfile.TemporaryDirectory(prefix="mlpack-wheels-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        files, made, home = folder / "files", folder / "wheels", folder / "home"
        for path in (files, made, home):
            path.mkdir()
        for file in {file.filename: file for one in builds for file in (one.source, *one.tools)}.values():
            _copy(file, files / file.filename)
        uv = Path(shutil.copy(shutil.which(uv_binary()) or uv_binary(), folder / "uv"))
        if account is not None:
            _hand_over(folder, account)
        for build in builds:
            _build(build, uv=uv, folder=folder, python=python, account=account)
        yield sorted(made.glob("*.whl"))


def _copy(file: LocalWheel, target: Path) -> None:
    """Copy a locked file, and check its hash."""
    digest = hashlib.sha256()
    with file.path.open("rb") as source, target.open("wb") as out:
        while block := source.read(1024**2):
            digest.update(block)
            out.write(block)
    if digest.hexdigest() != file.sha256:
        raise ResolveError(f"{file.filename} does not have its locked hash", hint="Resolve again with --refresh.")


def _hand_over(folder: Path, account: tuple[int, int]) -> None:
    """Let the account read the files, and write the wheels."""
    folder.chmod(0o755)
    for path in folder.rglob("*"):
        path.chmod(0o755)
    for path in (folder / "wheels", folder / "home"):
        shutil.chown(path, *account)


def _build(build: SourceBuild, *, uv: Path, folder: Path, python: Path, account: tuple[int, int] | None) -> None:
    argv: list[str | Path] = [
        uv, "build", "--wheel", "--no-index", "--find-links", folder / "files", "--out-dir", folder / "wheels",
        "--python", python, "--no-python-downloads", "--no-config", "--no-progress", "--color", "never",
        folder / "files" / build.source.filename,
    ]  # fmt: skip
    home = str(folder / "home")
    env = {"HOME": home, "TMPDIR": home, "PATH": "/usr/local/bin:/usr/bin:/bin", "SOURCE_DATE_EPOCH": "315532800"}
    try:
        done = run(argv, env=env, cwd=folder / "home", timeout_s=_TIMEOUT_S, user=account, inherit=False)
    except subprocess.TimeoutExpired:
        raise ResolveError(f"{build.name} {build.version} was not built in {_TIMEOUT_S} s", hint=_OWN) from None
    if done.code != 0:
        raise ResolveError(
            f"the wheel of {build.name} {build.version} could not be built from its source package",
            hint=_OWN,
            detail="\n".join(done.stderr.strip().splitlines()[-_TAIL:]),
        )


_OWN = "Build it yourself where it works (`pip wheel --no-deps -w wheels`), and name the folder in PIP_FIND_LINKS."
