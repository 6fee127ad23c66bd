"""HDF5 files that libraries read differently: one name twice, messages that lie elsewhere, texts that go on behind their end."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import h5py
import numpy as np
import pytest

from mlpack.readers.hdf5 import Hdf5
from mlpack.readers.limits import CutOffError


def written(fill: Callable[[Any], None], libver: str = "earliest", **how: Any) -> bytes:
    buffer = io.BytesIO()
    with h5py.File(buffer, "w", libver=libver, **how) as file:
        fill(file)
    return buffer.getvalue()


def read(data: bytes) -> None:
    """All that a format reads of a file."""
    found = Hdf5(io.BytesIO(data), len(data))
    found.root.attributes()
    list(found.walk())


def attributes(file: Any) -> None:
    file.attrs["model_c0nfig"] = "evil"
    file.attrs["model_config"] = "good"


def links(file: Any) -> None:
    file.create_group("first")["w"] = [1.0]
    file.create_group("other")["w"] = [1.0, 2.0]


@pytest.mark.parametrize("libver", ["earliest", "latest"])
@pytest.mark.parametrize(("fill", "old", "new"), [(attributes, b"c0nfig", b"config"), (links, b"other", b"first")])
def test_one_name_twice(fill: Callable[[Any], None], old: bytes, new: bytes, libver: str) -> None:
    """Attributes and members of a group: h5py takes the first, another library the last."""
    data = written(fill, libver)
    assert data.count(old) == 1
    read(data)
    with pytest.raises(CutOffError, match=r"twice|two members"):
        read(data.replace(old, new))


@pytest.mark.parametrize("libver", ["earliest", "latest"])
def test_names_end_where_they_say(libver: str) -> None:
    """An attribute's name ends with its only NUL, a link's has none: of others libhdf5 reads a part."""
    data = written(attributes, libver)
    end = data.index(b"model_c0nfig\0") + len("model_c0nfig")
    with pytest.raises(CutOffError, match="name of an HDF5 attribute"):
        read(data[:end] + b"!" + data[end + 1 :])
    with pytest.raises(CutOffError, match="name of an HDF5 attribute"):
        read(data.replace(b"model_c0nfig\0", b"model_\0onfig\0"))
    if libver == "latest":  # the members of an old group lie in a heap, where a NUL ends each
        with pytest.raises(CutOffError, match="link's name"):
            read(written(links, libver).replace(b"other", b"oth\0r"))


def test_messages_that_lie_elsewhere() -> None:
    """A committed data type, which an attribute or a dataset refers to, is not read, so neither is the attribute."""

    def attribute(file: Any) -> None:
        file["type"] = np.dtype("S4")
        file.attrs.create("model_config", b"evil", dtype=file["type"])

    def dataset(file: Any) -> None:
        file["type"] = np.dtype("f4")
        file.create_dataset("w", (2,), dtype=file["type"])

    for fill in (attribute, dataset):
        with pytest.raises(CutOffError, match=r"shared type|shared message"):
            read(written(fill))


def test_a_user_block_is_no_part_of_the_format() -> None:
    """A file that begins further on, and one whose superblock is a part's, are refused."""
    data = written(attributes, userblock_size=512)
    with pytest.raises(CutOffError):
        read(data)
    with pytest.raises(CutOffError, match="superblock"):
        read(data[512:])


@pytest.mark.parametrize("text", ["good\0evil", b"good\0evil"])
def test_texts_that_go_on_behind_their_end(text: str | bytes) -> None:
    """What stands behind a NUL is a text's for one library and not for another."""

    def fill(file: Any) -> None:
        file.attrs["model_config"] = np.array(text, dtype="S12") if isinstance(text, bytes) else "good.evil"

    data = written(fill).replace(b"good.evil", b"good\0evil")
    with pytest.raises(CutOffError, match="after its end"):
        read(data)


def test_members_that_are_paths_are_left_out() -> None:
    """A soft link is no object; what it leads to is read under its own name."""

    def fill(file: Any) -> None:
        file.create_dataset("w", data=[1.0])
        file["soft"] = h5py.SoftLink("/w")

    for libver in ("earliest", "latest"):
        data = written(fill, libver)
        assert [name for name, _ in Hdf5(io.BytesIO(data), len(data)).walk()] == ["w"]


def test_blocks_that_are_read_again_and_again_end() -> None:
    """Continuations that lead to the same large block are bounded by the file's own size."""

    def fill(file: Any) -> None:
        for place in range(40):
            file.attrs[f"a{place}"] = "x" * 400

    data = written(fill)
    header = bytearray(data)
    place = data.index(b"\x10\x00\x10\x00")  # a continuation's message: type 16, 16 bytes
    start = int.from_bytes(data[place + 8 : place + 16], "little")
    header[place + 8 : place + 24] = (0).to_bytes(8, "little") + len(data).to_bytes(8, "little")
    assert 0 < start < len(data)
    with pytest.raises(CutOffError):
        read(bytes(header))
