"""Shared objects made by hand, with the entries that the dynamic loader reads."""

from __future__ import annotations

import struct
from pathlib import Path

AMD64, ARM64 = 62, 183


def elf(*needed: str, runpath: str = "", rpath: str = "", machine: int = AMD64) -> bytes:
    """A shared object with these entries, its strings at another address than their place in the file."""
    strings, entries = b"\0", []
    for tag, text in [*((1, name) for name in needed), (29, runpath), (15, rpath)]:
        if text:
            entries.append((tag, len(strings)))
            strings += text.encode() + b"\0"
    start = 64 + 2 * 56
    place = start + (len(entries) + 2) * 16
    dynamic = b"".join(struct.pack("<qQ", *one) for one in [*entries, (5, 0x10000 + place), (0, 0)])
    size = place + len(strings)
    segments = struct.pack("<IIQQQQQQ", 1, 5, 0, 0x10000, 0x10000, size, size, 4096)
    segments += struct.pack("<IIQQQQQQ", 2, 6, start, 0x10000 + start, 0, len(dynamic), len(dynamic), 8)
    head = struct.pack("<16sHHIQQQIHHHHHH", b"\x7fELF\x02\x01\x01", 3, machine, 1, 0, 64, 0, 0, 64, 56, 2, 0, 0, 0)
    return head + segments + dynamic + strings


def put(folder: Path, files: dict[str, bytes]) -> Path:
    """The files in a folder."""
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder
