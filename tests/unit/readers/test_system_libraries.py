"""What wheels need of the system: read from their shared objects, looked for where the dynamic loader looks."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from mlpack.readers import system_libraries
from mlpack.readers.system_libraries import PACKAGES, Elf, Lacking, find_lacking, read_elf, release_of
from mlpack.readers.system_libraries import system_libraries as libraries_of
from tests.shared_objects import AMD64, ARM64, elf, put

BASE = frozenset({"libc.so.6", "libstdc++.so.6"})


def lacking(folder: Path, files: dict[str, bytes]) -> Lacking:
    """What the files need that neither they nor the base image have."""
    return find_lacking(put(folder, files), BASE, AMD64)


def test_a_shared_object_is_read(tmp_path: Path) -> None:
    """Its machine, what it needs, and its folders; RUNPATH replaces RPATH."""
    files = {
        "a.so": elf("libx.so.1", "liby.so", runpath="$ORIGIN/../b.libs:/opt", rpath="/never"),
        "b.so": elf(rpath="$ORIGIN"),
    }
    put(tmp_path, files)
    assert read_elf(tmp_path / "a.so") == Elf(AMD64, ("libx.so.1", "liby.so"), ("$ORIGIN/../b.libs", "/opt"))
    assert read_elf(tmp_path / "b.so") == Elf(AMD64, (), ("$ORIGIN",))


@pytest.mark.skipif(sys.platform != "linux", reason="its Python is an ELF file")
def test_a_real_one_is_read() -> None:
    """The Python that runs this needs the C library."""
    found = read_elf(Path(sys.executable).resolve())
    assert found is not None
    assert "libc.so.6" in found.needed
    assert {"libc.so.6", "libm.so.6"} <= libraries_of()


def test_what_a_wheel_brings_along_is_not_missing(tmp_path: Path) -> None:
    """A library in a folder that the file names, in the base image, or (if Debian has none) anywhere in the environment."""
    files = {
        "xgboost/lib/libxgboost.so": elf("libgomp-e985.so.1", "libc.so.6", rpath="$ORIGIN/../../xgboost.libs"),
        "xgboost.libs/libgomp-e985.so.1": elf("libc.so.6"),
        "torch/lib/libtorch.so": elf("libgomp.so.1", runpath="${ORIGIN}"),
        "torch/lib/libgomp.so.1": elf("libc.so.6"),
        "torchvision/_C.so": elf("libtorch.so", "libstdc++.so.6"),
        "cuda/x.so": elf("libcuda.so.1", "libnvidia-ml.so.1"),
        "numba/tbb.so": elf("libtbb.so.12"),
        "other/machine.so": elf("libandroid.so", machine=ARM64),
        "text.so": b"INPUT(libm.so.6)",
    }
    assert lacking(tmp_path, files) == Lacking()


def test_what_is_missing_has_a_debian_package(tmp_path: Path) -> None:
    """LightGBM needs libgomp1, OpenCV libgl1 and GLib; a copy of libgomp in another package may be loaded too late."""
    files = {
        "lightgbm/lib/lib_lightgbm.so": elf("libgomp.so.1", "libc.so.6"),
        "cv2/cv2.abi3.so": elf("libGL.so.1", "libQt5Core-1.so.5", rpath="$ORIGIN/../opencv.libs"),
        "opencv.libs/libQt5Core-1.so.5": elf("libgthread-2.0.so.0", "libglib-2.0.so.0", "libGL.so.1"),
        "torch/lib/libgomp.so.1": elf("libc.so.6"),
    }
    found = lacking(tmp_path, files)
    assert found.unknown == {}
    assert found.known["libGL.so.1"] == {"cv2", "opencv.libs"}
    assert found.packages("debian 12") == ("libgl1", "libglib2.0-0", "libgomp1")
    assert found.packages("debian 13") == ("libgl1", "libglib2.0-0t64", "libgomp1")


@pytest.mark.parametrize(
    ("release", "names"),
    [
        ("debian 11", "libasound2 libjpeg62-turbo libodbc1"),
        ("debian 12", "libasound2 libjpeg62-turbo libodbc2"),
        ("debian 13", "libasound2t64 libjpeg62-turbo libodbc2"),
        ("debian", "libasound2t64 libjpeg62-turbo libodbc2"),
        ("ubuntu 22.04", "libasound2 libjpeg62 libodbc2"),
        ("ubuntu 24.04", "libasound2t64 libjpeg62 libodbc2"),
    ],
)
def test_names_are_those_of_the_release(release: str, names: str) -> None:
    """A package's name depends on the release; a release without a number is newer than all."""
    found = Lacking(known=dict.fromkeys(("libasound.so.2", "libodbc.so.2", "libjpeg.so.62"), frozenset()))
    assert " ".join(found.packages(release)) == names


def test_the_table_has_libraries_and_debian_names() -> None:
    """Only texts that a shell and apt take as they are."""
    assert all(name.startswith("lib") and ".so." in name for name in PACKAGES)
    assert all(set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789.+-") for name in PACKAGES.values())


def test_the_system_is_read_as_the_loader_does(tmp_path: Path) -> None:
    """Its standard folders, and those of ld.so.conf and the files that it includes, also in a circle."""
    files = {
        "lib/x86_64-linux-gnu/liba.so.1": b"", "usr/local/lib/libb.so": b"", "opt/c/libc.so.9": b"",
        "etc/ld.so.conf": b"include /etc/ld.so.conf.d/*.conf\n", "etc/os-release": b'ID=debian\nVERSION_ID="13"\n',
        "etc/ld.so.conf.d/c.conf": b"# comment\n/opt/c\n/opt/none\ninclude /etc/ld.so.conf\n",
    }  # fmt: skip
    assert libraries_of(put(tmp_path, files)) == {"liba.so.1", "libb.so", "libc.so.9", "x86_64-linux-gnu"}
    assert release_of(tmp_path) == "debian 13"
    assert release_of(tmp_path / "none") == ""


def test_hostile_files(tmp_path: Path) -> None:
    """Whatever a file holds, it is read in bounds or not at all, and names in it stay names."""
    path = tmp_path / "a.so"
    good = elf("libx.so.1", "../../etc/passwd", "a b", "x\nmlpack: warning: y", runpath=":".join(["/x" * 90] * 20))
    assert (read_elf(path) if path.write_bytes(good) else None) == Elf(AMD64, ("libx.so.1",), ("/x" * 90,) * 20)
    chance = random.Random(5)
    for _ in range(500):
        data = bytearray(good)
        for _ in range(chance.randrange(1, 6)):
            data[chance.randrange(6, min(len(data), 320))] = chance.choice((0, 1, 0x7F, 0xFF, chance.randrange(256)))
        path.write_bytes(data[: chance.choice((len(data), chance.randrange(len(data))))])
        found = read_elf(path)
        assert found is None or len(found.needed) <= 256
    (tmp_path / "folder.so").mkdir()
    (tmp_path / "loop.so").symlink_to("loop.so")
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.so")
    path.write_bytes(elf("libGL.so.1", runpath="/" + "y" * 3000))
    (tmp_path / "b\nad").mkdir()
    (tmp_path / "b\nad" / "c.so").write_bytes(path.read_bytes())
    assert lacking(tmp_path, {}).known == {"libGL.so.1": {"a.so", "b?ad"}}


@pytest.mark.skipif(sys.platform != "linux", reason="it runs in images, which are Linux")
def test_the_program_of_the_build(tmp_path: Path) -> None:
    """It lists the Debian packages, warns about libraries without one, and needs nothing but Python."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv"], check=True)
    python = tmp_path / "venv" / "bin" / "python"
    machine = read_elf(python.resolve())
    assert machine is not None
    (site,) = (tmp_path / "venv" / "lib").glob("python3*/site-packages")
    needed = elf("libmariadb.so.3", "libfoo.so.2", machine=machine.machine)
    put(site, {"one/a.so": needed})
    words: list[str | Path] = [python, "-I", str(system_libraries.__file__), tmp_path / "opt" / "list.txt"]
    bare = {"PATH": "/nowhere", "LD_LIBRARY_PATH": os.environ.get("LD_LIBRARY_PATH", "")}
    done = subprocess.run(words, env=bare, capture_output=True, text=True, check=True)
    assert (tmp_path / "opt" / "list.txt").read_text() == ""
    assert "lacks libmariadb.so.3 (for one), and has no apt-get" in done.stdout
    apt = put(tmp_path / "bin", {"apt-get": b"#!/bin/sh\n"}) / "apt-get"
    apt.chmod(0o755)
    done = subprocess.run(words, env={**bare, "PATH": str(apt.parent)}, capture_output=True, text=True, check=True)
    assert (tmp_path / "opt" / "list.txt").read_text() == "libmariadb3\n"
    assert done.stdout == (
        "mlpack: warning: the base image lacks libfoo.so.2 (for one), and no Debian package with it is known. "
        "If the model does not load, name the package in `apt:` of mlpack.yaml\n"
    )
