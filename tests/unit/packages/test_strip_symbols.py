"""Symbol tables and debug information go out of a shared object: what is loaded keeps its bytes and its addresses."""

from __future__ import annotations

import importlib.util
import random
import shutil
import struct
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from mlpack.packages.compiler import LockedPackage
from mlpack.packages.distributions import COMMON
from mlpack.packages.solve import Solution
from mlpack.packages.target import Target
from mlpack.pipeline.image_contents import unused_files
from mlpack.readers.strip_symbols import strip, strip_all
from mlpack.readers.system_libraries import find_lacking, read_elf

PAGE = 4096
TEXT, DATA = b"T" * 5000, b"D" * 300
SYMBOLS, DEBUG = b"S" * 20_000, b"G" * 30_000
NAMES = b"\0.text\0.data\0.symtab\0.debug_info\0.names\0.shstrtab\0"


def shared_object(*, table_last: bool = False, debug: bytes = b".debug_info", between: bytes = b"\0") -> bytes:
    """Text, symbols, data, debug information, sections; the program headers are behind the data where patchelf moved them."""
    headers = 3 * 56
    first = 64 if table_last else 64 + headers
    symbols = first + len(TEXT)
    data = -(-(symbols + len(SYMBOLS)) // PAGE) * PAGE
    table = data + 304 if table_last else 64
    last = data + len(DATA) if not table_last else table + headers
    names = last + len(DEBUG)
    sections_at = names + len(NAMES)

    def name(text: bytes) -> int:
        return NAMES.index(b"\0" + text + b"\0") + 1

    segments = struct.pack("<IIQQQQQQ", 1, 5, 0, 0, 0, symbols, symbols, PAGE)
    segments += struct.pack("<IIQQQQQQ", 1, 6, data, 1 << 20, 0, last - data, last - data + 9000, PAGE)
    segments += struct.pack("<IIQQQQQQ", 0x6474E551, 6, 0, 0, 0, 0, 0, 16)
    sections = [
        (0, 0, 0, 0, 0),
        (name(b".text"), 1, 2, first, len(TEXT)),
        (name(b".symtab"), 2, 0, symbols, len(SYMBOLS)),
        (name(b".data"), 1, 3, data, len(DATA)),
        (name(debug), 1, 0, last, len(DEBUG)),
        (name(b".shstrtab"), 3, 0, names, len(NAMES)),
    ]
    headed = struct.pack(
        "<16sHHIQQQIHHHHHH", b"\x7fELF\x02\x01\x01", 3, 62, 1, 0, table, sections_at, 0, 64, 56, 3, 64, 6, 5
    )
    body = headed + (b"" if table_last else segments) + TEXT + SYMBOLS
    body = body.ljust(data, between) + DATA + (b"\0" * 4 + segments if table_last else b"")
    rows = [
        struct.pack("<IIQQQQIIQQ", at, kind, flags, 0, start, size, 0, 0, 1, 0)
        for at, kind, flags, start, size in sections
    ]
    return body + DEBUG + NAMES + b"".join(rows)


def loaded(content: bytes) -> list[tuple[int, int, int, bytes]]:
    """The segments: type, address, place in its page, bytes without the headers, which describe places in the file."""
    table, count = struct.unpack_from("<Q", content, 32)[0], struct.unpack_from("<H", content, 56)[0]
    hidden = bytearray(content)
    hidden[:64] = bytes(64)
    hidden[table : table + 56 * count] = bytes(56 * count)
    found = []
    for place in range(table, table + 56 * count, 56):
        kind, _, offset, address, _, size, _, _ = struct.unpack_from("<IIQQQQQQ", content, place)
        found.append((kind, address, offset % PAGE if size else 0, bytes(hidden[offset : offset + size])))
    return found


@pytest.mark.parametrize("table_last", [False, True])
def test_what_nothing_loads_is_gone(tmp_path: Path, *, table_last: bool) -> None:
    """Between segments in whole pages, behind the last one to the last byte; segments stay as they were, and so does the mode."""
    path, content = tmp_path / "lib.so", shared_object(table_last=table_last)
    path.write_bytes(content)
    path.chmod(0o755)
    removed = strip(path)
    stripped = path.read_bytes()
    assert len(content) - len(stripped) == removed > len(SYMBOLS) + len(DEBUG) - PAGE
    assert b"G" not in stripped
    assert stripped.count(b"S") < PAGE
    assert loaded(stripped) == loaded(content)
    assert path.stat().st_mode & 0o777 == 0o755
    assert strip(path) == 0
    assert [one.name for one in tmp_path.iterdir()] == ["lib.so"]


def test_files_of_another_form_stay_as_they_are(tmp_path: Path) -> None:
    """A section or bytes of unknown purpose, another type of file, a link, a damaged file: no byte changes."""
    path, good = tmp_path / "lib.so", shared_object()
    others = [
        b"", b"#!/bin/sh\n", good[:200], good[:-1],
        shared_object(debug=b".names"), shared_object(between=b"x"), good + b"PK\3\4 an archive",
        good[:4] + b"\1" + good[5:], good[:5] + b"\2" + good[6:], good[:16] + b"\2" + good[17:],
    ]  # fmt: skip
    for content in others:
        path.write_bytes(content)
        assert strip(path) == 0
        assert path.read_bytes() == content
    path.write_bytes(good)
    (tmp_path / "lib.so.1").symlink_to("lib.so")
    assert strip(tmp_path / "lib.so.1") == 0
    assert strip(tmp_path / "missing.so") == 0
    assert path.read_bytes() == good


@pytest.mark.parametrize("table_last", [False, True])
def test_damaged_files(tmp_path: Path, *, table_last: bool) -> None:
    """However the tables are damaged, the file is left as it is, or what is loaded stays the same."""
    path, good, chance = tmp_path / "lib.so", shared_object(table_last=table_last), random.Random(5)
    places = [*range(64), *range(len(good) - 6 * 64, len(good))]
    table = good.index(struct.pack("<IIQ", 1, 5, 0))
    places += range(table, table + 3 * 56)
    outcomes = set()
    for _ in range(400):
        content = bytearray(good)
        for place in chance.sample(places, chance.randrange(1, 3)):
            content[place] = chance.choice((0, 1, 0xFF, chance.randrange(256)))
        path.write_bytes(content)
        removed = strip(path)
        outcomes.add(removed > 0)
        after = path.read_bytes()
        assert len(after) == len(content) - removed
        if removed:
            assert loaded(after) == loaded(bytes(content))
        else:
            assert after == content
    assert outcomes == {True, False}


REAL = [
    (
        "uvloop",
        ("uvloop",),
        5_000_000,
        "asyncio; loop = uvloop.new_event_loop(); loop.run_until_complete(asyncio.sleep(0)); loop.close()",
    ),
    ("httptools", ("httptools",), 500_000, "httptools; assert httptools.parse_url(b'http://a/b').path == b'/b'"),
    (
        "numpy",
        ("numpy", "numpy.libs"),
        1_000_000,
        "numpy.random; assert numpy.linalg.svd(numpy.eye(9) * 3)[1].sum() == 27",
    ),
]


@pytest.mark.parametrize(("module", "folders", "least", "use"), REAL, ids=[one[0] for one in REAL])
def test_real_packages_work(tmp_path: Path, module: str, folders: tuple[str, ...], least: int, use: str) -> None:
    """A package whose shared objects are stripped is imported and computes; the libraries that it needs are read as before."""
    spec = importlib.util.find_spec(module)
    assert spec is not None
    assert spec.origin is not None
    site = Path(spec.origin).parents[1]
    for folder in folders:
        shutil.copytree(site / folder, tmp_path / folder, ignore=shutil.ignore_patterns("tests", "__pycache__"))
    files = [path for path in tmp_path.rglob("*.so*") if not path.is_symlink()]
    before = {path: read_elf(path) for path in files}
    lacking = find_lacking(tmp_path, frozenset(), None)
    assert strip_all(tmp_path / folder for folder in folders) >= least
    assert {path: read_elf(path) for path in files} == before
    assert None not in before.values()
    assert find_lacking(tmp_path, frozenset(), None) == lacking
    program = f"import sys; sys.path.insert(0, sys.argv[1]); import {module}, {use}; assert {module}.__file__.startswith(sys.argv[1])"
    subprocess.run([sys.executable, "-B", "-c", program, str(tmp_path)], check=True)


def test_numpy_works_without_what_is_left_out(tmp_path: Path) -> None:
    """All its names, which `from numpy import *` asks for, are there when its unused files are removed as the build does it."""
    spec = importlib.util.find_spec("numpy")
    assert spec is not None
    assert spec.origin is not None
    for folder in ("numpy", "numpy.libs"):
        shutil.copytree(
            Path(spec.origin).parents[1] / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__")
        )
    solution = Solution(
        target=Target(python="3.11", platform="linux/amd64"),
        packages=(LockedPackage(name="numpy", version=version("numpy"), wheels=()),),
        installer=(),
        cutoff=None,
        reasons=(),
    )
    removed = unused_files(COMMON, solution)
    subprocess.run(["sh", "-c", f"rm -rf {' '.join(removed)}"], cwd=tmp_path, check=True)
    left = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert not [name for name in left if name.endswith((".pyi", ".pxd", ".h", ".a")) or "/test_" in name]
    program = (
        "import sys; sys.path.insert(0, sys.argv[1]); import numpy; from numpy import *; [getattr(numpy, name) for name in dir(numpy)];"
        "import numpy.testing, numpy.ma, numpy.random, numpy.ctypeslib; assert numpy.__file__.startswith(sys.argv[1])"
    )
    subprocess.run([sys.executable, "-B", "-W", "ignore", "-c", program, str(tmp_path)], check=True)


def test_it_runs_as_a_program(tmp_path: Path) -> None:
    """With files and folders as arguments, as the build runs it; what a release does not have is ignored."""
    for name in ("one.so", "two/three/lib.so.1.2", "two/data.bin", "other/lib.so"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(shared_object())
    program = Path(strip.__code__.co_filename)
    subprocess.run([sys.executable, "-I", str(program), "one.so", "two", "none"], cwd=tmp_path, check=True)
    size = len(shared_object())
    assert {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.*") if path.is_file() and path.stat().st_size < size} == {
        "one.so", "two/three/lib.so.1.2",
    }  # fmt: skip
