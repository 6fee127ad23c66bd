"""Code for GPUs goes out of a shared object: what is loaded stays at its address, and other files stay as they are."""

from __future__ import annotations

import random
import struct
from pathlib import Path

import pytest

from mlpack.readers.gpu_code import remove_gpu_code
from mlpack.readers.system_libraries import read_elf

PAGE = 4096
CODE = 3 << 20
NAMES = b"\0.text\0.nv_fatbin\0.names\0"
BEFORE, AFTER = b"T" * 5000, b"E" * 9000


def shared_object(*, spare: int = 4, section: bytes = b".nv_fatbin", align: int = PAGE) -> bytes:
    """One segment with text, code for GPUs and tables; behind it one with data, one that is not needed, and the sections."""
    start = 64 + 3 * 56
    names = NAMES.replace(b".nv_fatbin", section.ljust(10, b"_"))
    code = start + len(BEFORE)
    last = code + CODE + len(AFTER)
    data = -(-last // align) * align
    tables = data + 100 + len(names)
    segments = struct.pack("<IIQQQQQQ", 1, 5, 0, align, align, last, last, align)
    segments += struct.pack("<IIQQQQQQ", 1, 6, data, align + data + align, 0, 100, 400, align)
    segments += struct.pack("<IIQQQQQQ", spare, 4, 64, align + 64, 0, 56, 56, 8)
    sections = [(0, 0, 0), (1, start, len(BEFORE)), (7, code, CODE), (18, data + 100, len(names))]
    table = b"".join(
        struct.pack("<IIQQQQIIQQ", name, 1, 2, 0, place, size, 0, 0, 1, 0) for name, place, size in sections
    )
    head = struct.pack("<16sHHIQQQIHHHHHH", b"\x7fELF\x02\x01\x01", 3, 62, 1, 0, 64, tables, 0, 64, 56, 3, 64, 4, 3)
    body = head + segments + BEFORE + b"G" * CODE + AFTER
    return body.ljust(data, b"\0") + b"D" * 100 + names + table


def loaded(path: Path) -> dict[int, bytes]:
    """The bytes that the dynamic loader maps, by the address of their page; a segment's memory behind its bytes is zero."""
    content = path.read_bytes()
    pages: dict[int, bytes] = {}
    for place in range(64, 64 + 56 * struct.unpack_from("<H", content, 56)[0], 56):
        kind, _, offset, address, _, size, memory, align = struct.unpack_from("<IIQQQQQQ", content, place)
        if kind == 1:
            assert (address - offset) % align == 0, "the loader refuses such a segment"
            assert not pages or address >= max(pages), "segments are in the order of their addresses"
            filled = content[offset : offset + size].ljust(memory, b"\0")
            pages |= {address + at: filled[at : at + PAGE] for at in range(0, memory, PAGE)}
    return pages


@pytest.mark.parametrize("align", [PAGE, 1 << 16])
@pytest.mark.parametrize("spare", [4, 6])
def test_only_the_code_is_gone(tmp_path: Path, spare: int, align: int) -> None:
    """Everything else has its bytes at the address that it had; where the code was are zeros; the mode stays."""
    path = tmp_path / "lib.so"
    path.write_bytes(shared_object(spare=spare, align=align))
    path.chmod(0o755)
    before, size = loaded(path), path.stat().st_size
    removed = remove_gpu_code(path)
    assert CODE - 2 * align <= removed <= CODE
    assert path.stat().st_size == size - removed
    after = loaded(path)
    assert after.keys() == before.keys()
    changed = {at for at in before if before[at] != after[at]}
    # the first page holds the header, whose table of segments is another
    assert changed - {align} == {at for at in before if after[at] == bytes(PAGE) and before[at] == b"G" * PAGE}
    assert len(changed) == removed // PAGE + 1
    assert path.stat().st_mode & 0o777 == 0o755
    assert read_elf(path) is not None
    assert remove_gpu_code(path) == 0
    assert [one.name for one in tmp_path.iterdir()] == ["lib.so"]


def test_other_files_stay_as_they_are(tmp_path: Path) -> None:
    """No code for GPUs, no segment to spare, no ELF file, a damaged one: no byte changes."""
    path, good = tmp_path / "lib.so", shared_object()
    for content in (shared_object(section=b".rodata"), shared_object(spare=7), b"", b"#!/bin/sh\n", good[:-1]):
        path.write_bytes(content)
        assert remove_gpu_code(path) == 0
        assert path.read_bytes() == content
    chance = random.Random(3)
    tables = len(good) - 4 * 64
    for _ in range(60):
        data = bytearray(good)
        for _ in range(3):
            place = chance.choice((chance.randrange(16, 64 + 3 * 56), chance.randrange(tables, len(good))))
            data[place] = chance.randrange(256)
        path.write_bytes(data)
        remove_gpu_code(path)
        assert path.stat().st_size <= len(good) + PAGE
