"""Archives that readers understand differently: refused, whichever reading is harmless; what honest tools write is read."""

from __future__ import annotations

import gzip
import io
import pickle
import random
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlpack.readers.archives.trees import open_tree
from mlpack.readers.archives.zips import read_directory
from mlpack.readers.pickles.files import read_pickles

HDF5 = b"\x89HDF\r\n\x1a\n"


def entry(name: bytes, data: bytes, flags: int = 0, extra: bytes = b"") -> bytes:
    """A stored member with its local header."""
    head = (20, flags, 0, 0, 33, zlib.crc32(data), len(data), len(data), len(name), len(extra))
    return struct.pack("<4s5H3L2H", b"PK\3\4", *head) + name + extra + data


def central(name: bytes, data: bytes, offset: int, flags: int = 0, extra: bytes = b"", disk: int = 0) -> bytes:
    """A stored member's entry in the directory."""
    head = (
        20,
        20,
        flags,
        0,
        0,
        33,
        zlib.crc32(data),
        len(data),
        len(data),
        len(name),
        len(extra),
        0,
        disk,
        0,
        0,
        offset,
    )
    return struct.pack("<4s6H3L5H2L", b"PK\1\2", *head) + name + extra


def end(count: int, length: int, start: int, comment: bytes = b"", disk: int = 0) -> bytes:
    """An end record."""
    return struct.pack("<4s4H2LH", b"PK\5\6", disk, 0, count, count, length, start, len(comment)) + comment


def end64(count: int, length: int, start: int, place: int) -> bytes:
    """A zip64 end record and its locator."""
    record = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, count, count, length, start)
    return record + struct.pack("<4sLQL", b"PK\6\7", 0, place, 1)


def archive(*names: bytes, between: bytes = b"", before: bytes = b"") -> tuple[bytes, bytes]:
    """Members with two bytes each, and their directory."""
    body, directory = before, b""
    for name in names:
        directory += central(name, b"ok", len(body))
        body += entry(name, b"ok") + between
    return body, directory


def zipped(*names: bytes) -> bytes:
    body, directory = archive(*names)
    return body + directory + end(len(names), len(directory), len(body))


def _one(name: bytes, data: bytes) -> bytes:
    directory = central(name, data, 0)
    return entry(name, data) + directory + end(1, len(directory), 30 + len(name) + len(data))


def hostile() -> dict[str, bytes]:
    one, directory = archive(b"a")
    size, start = len(directory), len(one)
    other = archive(b"b")[1]
    gap, gapped = archive(b"a", b"b", between=b"gap")
    front, fronted = archive(b"a", before=b"PK\3\4")
    wide = struct.pack("<HHQ", 1, 8, 3)
    named = struct.pack("<HHBL", 0x7075, 6, 1, zlib.crc32(b"a")) + b"b"
    return {
        "two directories": one + directory + other + end(1, size, start),
        "directory told too early": one + directory + end(1, size, start - 1),
        "bytes behind": zipped(b"a") + b"x",
        "end record in the comment": one + directory + end(1, size, start, end(1, size, start)),
        "bytes between members": gap + gapped + end(2, len(gapped), len(gap)),
        "bytes before the first": front + fronted + end(1, len(fronted), len(front)),
        "twice": zipped(b"a", b"a"),
        "twice in another spelling": zipped(b"x/a", b"x//a"),
        "twice for torch": zipped(b"m/data.pkl", b"m/DATA.PKL"),
        "file and folder": zipped(b"a", b"a/b"),
        "backslash": zipped(b"a\\b"),
        "NUL": zipped(b"a\0b"),
        "no name": zipped(b""),
        "parts": one + directory + end(1, size, start, disk=1),
        "member of another part": one + central(b"a", b"ok", 0, disk=1) + end(1, size, start),
        "other count": one + directory + end(2, size, start),
        "other name in the header": entry(b"b", b"ok") + directory + end(1, size, start),
        "other size in the header": entry(b"a", b"no")[:-2] + b"ok" + directory + end(1, size, start),
        "encrypted in the header": entry(b"a", b"ok", 1) + directory + end(1, size, start),
        "encrypted": entry(b"a", b"ok", 1) + central(b"a", b"ok", 0, 1) + end(1, size, start),
        "descriptor of another": entry(b"a", b"ok", 8) + b"PK\7\x08" + bytes(12) + central(b"a", b"ok", 0, 8)
        + end(1, size, start + 16),
        "two places for one": one + directory + central(b"b", b"ok", 0) + end(2, 2 * size, start),
        "zip64 field of another size": one + central(b"a", b"ok", 0, extra=wide) + end(1, size + len(wide), start),
        "unicode name": one + central(b"a", b"ok", 0, extra=named) + end(1, size + len(named), start),
        "zip64 says otherwise": one + directory + end64(1, size, start, start + size) + end(2, size, start),
        "zip64 elsewhere": one + directory + end64(1, size, start, 0) + end(1, size, start),
    }  # fmt: skip


@pytest.mark.parametrize("name", hostile())
def test_archives_that_can_be_read_in_two_ways(name: str, tmp_path: Path) -> None:
    """No reader's choice is taken: neither the pickles nor the folder in it are read as sound, and the reason is told."""
    path = tmp_path / "m.zip"
    path.write_bytes(hostile()[name])
    told = read_pickles(path)
    assert told is not None
    assert told.problem
    assert told.safety.verdict != "safe"
    tree = open_tree(path)
    assert tree is not None
    assert tree.problem
    assert not tree.names


def test_the_hostile_ones_differ_from_a_sound_one_in_one_thing(tmp_path: Path) -> None:
    """The same parts put together rightly are read: plain, with zip64's records, with a comment, with a descriptor."""
    one, directory = archive(b"a", b"b/c")
    size, start = len(directory), len(one)
    described = entry(b"a", b"ok", 8) + struct.pack("<4s3L", b"PK\7\x08", zlib.crc32(b"ok"), 2, 2)
    sound = [
        zipped(b"a", b"b/c"),
        one + directory + end64(2, size, start, start + size) + end(2, size, start),
        one + directory + end64(2, size, start, start + size) + end(0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF),
        one + directory + end(2, size, start, b"made by hand\n"),
        described + central(b"a", b"ok", 0, 8) + end(1, len(central(b"a", b"", 0)), len(described)),
    ]
    for number, content in enumerate(sound):
        path = tmp_path / f"{number}.zip"
        path.write_bytes(content)
        tree = open_tree(path)
        assert tree is not None
        assert tree.problem == ""
        assert tree.read("a", 10) == b"ok"


class _Pipe(io.RawIOBase):
    """A file that cannot be gone back in, as a pipe."""

    def __init__(self) -> None:
        self.content = b""

    def writable(self) -> bool:
        return True

    def write(self, data: object, /) -> int:
        self.content += bytes(data)  # type: ignore[call-overload]  # whatever holds bytes
        return len(memoryview(data))  # type: ignore[arg-type]  # the same


def test_what_numpy_and_zipfile_write(tmp_path: Path) -> None:
    """Archives of numpy, also into a pipe (sizes behind the data), with large members announced, and of every compression."""
    pipe = _Pipe()
    np.savez_compressed(pipe, a=np.arange(9), b=np.eye(2))
    (tmp_path / "pipe.npz").write_bytes(pipe.content)
    np.savez(tmp_path / "file.npz", a=np.arange(9), b=np.eye(2))
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2):
        with (
            zipfile.ZipFile(tmp_path / f"{method}.npz", "w", method) as made,
            made.open("a.npy", "w", force_zip64=True) as to,
        ):
            np.save(to, np.arange(9))
    for path in tmp_path.iterdir():
        tree = open_tree(path)
        assert tree is not None
        assert tree.problem == ""
        assert b"".join(tree.stream("a.npy"))[:6] == b"\x93NUMPY"
        told = read_pickles(path)
        assert told is not None
        assert (told.safety.verdict, told.problem) == ("safe", "")


@pytest.mark.parametrize("change", ["longer", "shorter", "followed"])
def test_members_of_another_length_than_told(change: str, tmp_path: Path) -> None:
    """zipfile stops at the told length, miniz refuses: so do we, at the byte where they part."""
    data = b"a" * 3000
    packer = zlib.compressobj(wbits=-15)
    packed = packer.compress(data) + packer.flush() + (b"more" if change == "followed" else b"")
    whole = {"longer": 2000, "shorter": 4000, "followed": 3000}[change]
    head = (8, 0, 33, zlib.crc32(data), len(packed), whole, 1, 0)
    local = struct.pack("<4s5H3L2H", b"PK\3\4", 20, 0, *head) + b"a" + packed
    directory = struct.pack("<4s6H3L5H2L", b"PK\1\2", 20, 20, 0, *head, 0, 0, 0, 0, 0) + b"a"
    (tmp_path / "m.zip").write_bytes(local + directory + end(1, len(directory), len(local)))
    told = read_pickles(tmp_path / "m.zip")
    tree = open_tree(tmp_path / "m.zip")
    assert tree is not None
    with pytest.raises(Exception, match=r"length differs|bytes follow"):
        b"".join(tree.stream("a"))
    assert told is None or told.safety.verdict != "safe"


def _old_header(content: bytes) -> bytes:
    """The content with the checksum in its first block that tar had before it had a magic."""
    block = bytearray(content[:512].ljust(512, b"\0"))
    block[148:156] = b" " * 8
    block[124:136] = b"0" * 11 + b"\0"
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block) + content[512:]


def _tar(name: str) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as made:
        made.addfile(tarfile.TarInfo(name))
    return buffer.getvalue()


def _saved(array: Any) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


POLYGLOTS: dict[str, Callable[[], bytes]] = {
    "zip and old tar": lambda: _old_header(zipped(b"a" * 600)),
    "pickle and old tar": lambda: _old_header(b"\x80\x04N." + bytes(600)),
    "zip and tar": lambda: _tar("PK\3\4").ljust(2048, b"\0"),
    "pickle and zip": lambda: pickle.dumps([1, 2]) + zipped(b"a"),
    "pickle and HDF5": lambda: pickle.dumps([1, 2]).ljust(512, b"\0") + HDF5 + bytes(100),
    "zip and HDF5": lambda: _one(b"a" * 482, HDF5),
    "pickle and zip with bytes behind it": lambda: pickle.dumps([1, 2]) + bytes(4) + zipped(b"a") + bytes(3),
    "array and zip with bytes behind it": lambda: _saved(np.array([1, None])) + zipped(b"a") + bytes(3),
    "text and zip with bytes behind it": lambda: b"what else is there" + zipped(b"a") + bytes(3),
    "gzip and zip with bytes behind it": lambda: gzip.compress(pickle.dumps([1, 2])) + zipped(b"a") + bytes(3),
    "HDF5 and zip": lambda: HDF5 + bytes(100) + zipped(b"a") + b"trailing",
}


@pytest.mark.parametrize("name", POLYGLOTS)
def test_files_of_two_formats(name: str, tmp_path: Path) -> None:
    """What one reader takes for this and another for that is not read as either."""
    path = tmp_path / "m.bin"
    path.write_bytes(POLYGLOTS[name]())
    told = read_pickles(path)
    assert told is not None
    assert told.safety.verdict != "safe"
    assert told.problem


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.npy", _saved(np.array([None]))[:128] + b"\x80\1\x95\x20" + bytes(7) + b"\x95" + bytes(8) + b"N."),
        ("a.npy", _saved(np.array([None]))[:128] + b"\xff"),
        ("model.bin", b"\x80\4\x95\4\0\0\0\0\0\0\0\x95\0\0\0\0\0\0\0\0cos\nsystem\n."),
        ("model.pkl", b"\x95\x0c\0\0\0\0\0\0\0cos\nsystem\n."),
        ("model.pkl", b"cos\nsystem\n\x95\1\0\0\0\0\0\0\0."),
        ("model.pkl", b"cos\nsystem\n"),
    ],
)
def test_a_member_that_is_a_pickle_counts_though_it_cannot_be_read(name: str, data: bytes, tmp_path: Path) -> None:
    """A problem in a pickle inside an archive is reported, also before the first name; its name or content says it is one."""
    with zipfile.ZipFile(tmp_path / "m.zip", "w") as made:
        made.writestr(name, data)
    told = read_pickles(tmp_path / "m.zip")
    assert told is not None
    assert told.safety.verdict != "safe"
    assert told.problem


def test_tensors_that_begin_like_a_pickle_are_none(tmp_path: Path) -> None:
    """The raw bytes of a tensor in an archive of torch may be anything."""
    with zipfile.ZipFile(tmp_path / "m.pt", "w") as made:
        made.writestr("m/data.pkl", pickle.dumps([1]))
        made.writestr("m/data/0", b"\x80\2\xff\xff\x80\4\x95")
    told = read_pickles(tmp_path / "m.pt")
    assert told is not None
    assert (told.safety.verdict, told.problem) == ("safe", "")


def test_archives_inside_other_files_are_no_second_format(tmp_path: Path) -> None:
    """A pickle that holds an archive as bytes, a tar whose first member is HDF5, TensorFlow Lite's labels behind the model."""
    (tmp_path / "m.pkl").write_bytes(pickle.dumps({"saved": zipped(b"a")}))
    (tmp_path / "m.npy").write_bytes(_saved(np.array([zipped(b"a"), None])))
    (tmp_path / "tensors.bin").write_bytes(pickle.dumps([1]) + b"PK\5\6" + bytes(range(100)))
    with tarfile.open(tmp_path / "m.tar", "w") as made:
        info = tarfile.TarInfo("m.h5")
        info.size = 108
        made.addfile(info, io.BytesIO(HDF5 + bytes(100)))
    (tmp_path / "m.tflite").write_bytes(b"\x1c\0\0\0TFL3" + bytes(100) + zipped(b"labels.txt"))
    for name in ("m.pkl", "m.npy", "tensors.bin"):
        told = read_pickles(tmp_path / name)
        assert told is not None
        assert (told.safety.verdict, told.problem) == ("safe", ""), name
    assert read_pickles(tmp_path / "m.tar") is None
    assert read_pickles(tmp_path / "m.tflite") is None


def test_tars_with_a_name_twice_and_sizes_that_nothing_backs(tmp_path: Path) -> None:
    """The same file twice, a sparse file, a header without measure: told, and not read."""
    with tarfile.open(tmp_path / "twice.tar", "w") as made:
        made.addfile(tarfile.TarInfo("a"))
        made.addfile(tarfile.TarInfo("./a"))
    long = tarfile.TarInfo("a")
    long.type, long.size = tarfile.GNUTYPE_LONGNAME, 1 << 33
    (tmp_path / "long.tar").write_bytes(long.tobuf(tarfile.GNU_FORMAT) + bytes(4096))
    sparse = tarfile.TarInfo("a")
    sparse.type = tarfile.GNUTYPE_SPARSE
    block = bytearray(sparse.tobuf(tarfile.GNU_FORMAT))
    block[386:410] = b"0" * 11 + b"\0" + b"7" * 11 + b"\0"
    block[483:495] = b"7" * 11 + b"\0"
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    (tmp_path / "sparse.tar").write_bytes(bytes(block) + bytes(4096))
    for name in ("twice", "long", "sparse"):
        tree = open_tree(tmp_path / f"{name}.tar")
        assert tree is not None
        assert tree.problem, name


def test_damaged_archives_end_with_an_answer(tmp_path: Path) -> None:
    """Bytes changed anywhere, and cut anywhere: members or a problem, and no other failure."""
    chance = random.Random(10)
    samples = [zipped(b"a", b"b/c"), hostile()["zip64 says otherwise"], hostile()["unicode name"], _tar("a/b")]
    path = tmp_path / "m"
    for _ in range(1500):
        data = bytearray(chance.choice(samples))
        for _ in range(chance.choice((1, 1, 2, 5))):
            data[chance.randrange(len(data))] = chance.choice((0, 1, 255, chance.randrange(256)))
        path.write_bytes(data[: chance.choice((len(data), chance.randrange(1, len(data))))])
        tree = open_tree(path)
        read_pickles(path)
        if tree is not None and tree.container == "zip":
            with path.open("rb") as file:
                directory = read_directory(file, path.stat().st_size, 100)
            assert bool(tree.problem) == bool(directory.problem)
