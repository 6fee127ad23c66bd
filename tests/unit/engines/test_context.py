"""The bundle as a tar stream."""

from __future__ import annotations

import hashlib
import io
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from mlpack.artifacts.bundle_file import BundleFile
from mlpack.artifacts.progress import Progress
from mlpack.engines.docker.build_context import tar_stream, with_progress
from mlpack.errors import UnreadableModelError
from mlpack.readers.bundle_files import CHUNK


def in_memory(name: str, content: bytes, mode: int = 0o644) -> BundleFile:
    """A small file."""
    return BundleFile.of_bytes(name, content, mode=mode)


def on_disk(path: Path, content: bytes) -> BundleFile:
    """A file that stays a path."""
    path.write_bytes(content)
    return BundleFile(name=path.name, size=len(content), sha256=hashlib.sha256(content).hexdigest(), source=path)


def test_the_same_files_give_the_same_tar(tmp_path: Path) -> None:
    """Names, modes and contents arrive whole; nothing of this machine or moment does."""
    long_name = "deep/" + "n" * 150 + "/größe.txt"
    files = (
        in_memory("Dockerfile", b"FROM scratch\n"),
        in_memory("bin/run", b"#!/bin/sh\n", 0o755),
        in_memory(long_name, b""),
        on_disk(tmp_path / "model.pkl", b"m" * (CHUNK + 700)),
    )
    whole = b"".join(tar_stream(files))
    assert whole == b"".join(tar_stream(files))
    with tarfile.open(fileobj=io.BytesIO(whole)) as tar:
        members = {member.name: member for member in tar}
        contents = {name: file.read() for name, member in members.items() if (file := tar.extractfile(member))}
    assert contents == {
        "Dockerfile": b"FROM scratch\n",
        "bin/run": b"#!/bin/sh\n",
        long_name: b"",
        "model.pkl": b"m" * (CHUNK + 700),
    }
    assert members["bin/run"].mode == 0o755
    assert members["bin"].isdir()
    assert {(m.mtime, m.uid, m.gid, m.uname) for m in members.values()} == {(0, 0, 0, "")}


@pytest.mark.parametrize(
    ("now", "how"),
    [
        (b"shorter", "bytes shorter"),
        (b"longer than before", "it is longer"),
        (b"the chang", "its content is different"),
    ],
)
def test_a_file_that_changed(tmp_path: Path, now: bytes, how: str) -> None:
    """A file that is not what was rendered ends the stream with its name and how it differs."""
    file = on_disk(tmp_path / "model.pkl", b"the same." if how.startswith("its") else b"as it was..")
    (tmp_path / "model.pkl").write_bytes(now)
    with pytest.raises(UnreadableModelError, match=f"model.pkl changed while it was sent to the engine: .*{how}"):
        list(tar_stream((file,)))


def test_a_file_that_is_gone(tmp_path: Path) -> None:
    """A file that cannot be opened any more is named."""
    file = on_disk(tmp_path / "model.pkl", b"here")
    (tmp_path / "model.pkl").unlink()
    with pytest.raises(UnreadableModelError, match=r"model.pkl could not be read .* No such file"):
        list(tar_stream((file,)))


def test_progress_counts_to_its_total() -> None:
    """The step `context` goes from nothing to the files' bytes, and ends."""
    told: list[Progress] = []
    files = (in_memory("a", b"1" * 10), in_memory("b", b"2" * 20))
    list(with_progress(files, told.append))
    assert {news.step for news in told} == {"context"}
    assert (told[0].current, told[-1].current, told[-1].total) == (0, 30, 30)
    assert told[-1].seconds is not None


@pytest.mark.slow
def test_two_gigabytes_stay_on_disk(tmp_path: Path) -> None:
    """A 2 GB model is streamed: the process that sends it grows by a few MiB at most."""
    program = f"""
import os, resource
from pathlib import Path
from mlpack.artifacts.bundle_file import BundleFile
from mlpack.engines.docker.build_context import tar_stream
path = Path({str(tmp_path)!r}) / "model.pkl"
with path.open("wb") as file:
    file.truncate(2 * 1024**3)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
sent = sum(len(chunk) for chunk in tar_stream((BundleFile(name="model.pkl", size=2 * 1024**3, sha256="", source=path),)))
assert sent > 2 * 1024**3
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 8 * 1024
