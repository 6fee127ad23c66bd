"""Folders, zips, tars and compressed files as trees: the same names and bytes, and nothing taken from outside."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mlpack.readers.archives.trees import Tree, open_tree
from mlpack.readers.limits import CutOffError

FILES = {"model/saved_model.pb": b"graph", "model/variables/variables.index": b"v" * 70_000, "notes.txt": b""}


def as_folder(path: Path) -> Path:
    for name, content in FILES.items():
        target = path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    return path


def as_zip(path: Path) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in FILES.items():
            archive.writestr(name, content)
    return path


def as_tar(mode: Any) -> Callable[[Path], Path]:
    def make(path: Path) -> Path:
        with tarfile.open(path, mode) as archive:
            for name, content in FILES.items():
                info = tarfile.TarInfo(f"./{name}")
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
        return path

    return make


def tree_of(path: Path) -> Tree:
    found = open_tree(path)
    assert found is not None
    return found


@pytest.mark.parametrize(
    "make",
    [as_folder, as_zip, as_tar("w"), as_tar("w:gz"), as_tar("w:bz2"), as_tar("w:xz")],
    ids=["folder", "zip", "tar", "tar.gz", "tar.bz2", "tar.xz"],
)
def test_the_same_files_wherever_they_lie(tmp_path: Path, make: Callable[[Path], Path]) -> None:
    """Names, sizes and bytes are the same in a folder, a zip and every tar, and below a folder of it."""
    tree = tree_of(make(tmp_path / "it"))
    assert dict(tree.sizes) == {name: len(content) for name, content in sorted(FILES.items())}
    assert {name: b"".join(tree.stream(name)) for name in tree.names} == FILES
    inside = tree.below("model").below("variables")
    assert inside.names == ("variables.index",)
    assert inside.read("variables.index", 3) == b"vvv"
    with pytest.raises(KeyError):
        tree.read("model", 1)


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress])
def test_a_compressed_file_is_a_tree_of_one(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    """The file that was compressed, under the name it had."""
    path = tmp_path / "net.onnx.gz"
    path.write_bytes(pack(b"the model"))
    tree = tree_of(path)
    assert (tree.container, tree.names) == ("packed", ("net.onnx",))
    assert tree.read("net.onnx", 100) == b"the model"


def test_what_holds_no_files_is_no_tree(tmp_path: Path) -> None:
    """A plain file is none; an archive that is cut off is one with a problem and without files."""
    (tmp_path / "plain").write_bytes(b"nothing packed")
    assert open_tree(tmp_path / "plain") is None
    for make in (as_zip, as_tar("w:gz")):
        whole = make(tmp_path / "it").read_bytes()
        (tmp_path / "half").write_bytes(whole[: len(whole) // 2])
        tree = tree_of(tmp_path / "half")
        assert tree.problem
        with pytest.raises((CutOffError, KeyError)):
            tree.read("model/variables/variables.index", 1 << 20)


def test_names_that_lead_out_are_told_and_left_out(tmp_path: Path) -> None:
    """`..`, absolute names and links: never files of the tree, in no container."""
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        for name in ("../out", "/etc/out", "in"):
            archive.addfile(tarfile.TarInfo(name), io.BytesIO())
        link = tarfile.TarInfo("link")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as zipped:
        for name in ("../out", "/etc/out", "in"):
            zipped.writestr(name, b"")
    folder = tmp_path / "a"
    folder.mkdir()
    (folder / "in").touch()
    (folder / "out").symlink_to("/etc/passwd")
    (folder / "loop").symlink_to(folder / "loop")
    assert tree_of(tmp_path / "a.tar").names == tree_of(tmp_path / "a.zip").names == tree_of(folder).names == ("in",)
    assert tree_of(tmp_path / "a.tar").escaping == tree_of(tmp_path / "a.zip").escaping == ("../out", "/etc/out")
    assert tree_of(folder).escaping == ("loop", "out")


def test_a_bomb_is_cut_off(tmp_path: Path) -> None:
    """Hundreds of megabytes of zeros in a few bytes are not read to their end."""
    path = tmp_path / "bomb.gz"
    with gzip.open(path, "wb", compresslevel=1) as file:
        for _ in range(600):
            file.write(bytes(1 << 20))
    with pytest.raises(CutOffError, match="bomb"):
        for _ in tree_of(path).stream("bomb"):
            pass
