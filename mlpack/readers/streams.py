"""Sources of bytes, read forward within limits: a part of a file, or decompressed data."""

from __future__ import annotations

import bz2
import importlib
import lzma
import tempfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO, Protocol, cast

from mlpack.readers.limits import Budget, CutOffError

CHUNK = 1 << 18
COMPRESSED_SUFFIXES = (".gz", ".gzip", ".z", ".bz2", ".xz", ".lzma", ".lz4")
_KEPT_IN_MEMORY = 8 << 20

# First bytes -> the compression. A pickle may begin with `BZh` (BINBYTES), so bzip2's block magic is required too.
_MAGIC = (
    (b"\x1f\x8b\x08", "gzip"),
    (b"\xfd7zXZ\x00", "xz"),
    (b"\x5d\x00\x00", "lzma"),
    (b"\x04\x22\x4d\x18", "lz4"),
    (b"ZF0x", "zfile"),
)
ZFILE_HEADER = 2 + len(hex(1 << 64))  # joblib < 0.10: "ZF", the length in hex padded with spaces, then zlib


class Source(Protocol):
    """Bytes read forward."""

    def read(self, count: int) -> bytes:
        """At most `count` bytes, b"" only at the end; raises CutOffError when reading fails."""

    def skip(self, count: int) -> int:
        """Skip at most `count` bytes; returns the number of skipped bytes."""


class FileSource:
    """A part of a file, from `start` up to `end`; skipping is a seek."""

    def __init__(self, file: BinaryIO, start: int, end: int, on_progress: Callable[[int], None] | None = None) -> None:
        self._file, self._place, self._end, self._on_progress = file, start, end, on_progress

    @property
    def place(self) -> int:
        """The file offset of the next byte."""
        return self._place

    def read(self, count: int) -> bytes:
        """At most `count` of the next bytes."""
        self._file.seek(self._place)
        try:
            data = self._file.read(max(0, min(count, self._end - self._place)))
        except OSError as error:
            raise CutOffError(f"it cannot be read further ({error.strerror})") from error
        self._place += len(data)
        if self._on_progress:
            self._on_progress(self._place)
        return data

    def skip(self, count: int) -> int:
        """Skip without reading."""
        step = min(count, self._end - self._place)
        self._place += step
        return step

    @property
    def rest(self) -> tuple[BinaryIO, int, int]:
        """The file, and the start and end offsets of the unread bytes."""
        return self._file, self._place, self._end


class MemorySource:
    """Bytes in memory as a source."""

    def __init__(self, data: bytes) -> None:
        self._data, self._place = data, 0

    def read(self, count: int) -> bytes:
        """At most `count` of the next bytes."""
        data = self._data[self._place : self._place + count]
        self._place += len(data)
        return data

    def skip(self, count: int) -> int:
        """Skip."""
        step = min(count, len(self._data) - self._place)
        self._place += step
        return step


class ChunkSource:
    """Chunks of a decompressor as a source, counted against the budget."""

    def __init__(self, chunks: Iterator[bytes], budget: Budget) -> None:
        self._chunks, self._budget, self._left = chunks, budget, b""

    def read(self, count: int) -> bytes:
        """At most `count` of the next bytes."""
        if not self._left:
            self._left = next(self._chunks, b"")
            self._budget.spend_output(len(self._left))
        data, self._left = self._left[:count], self._left[count:]
        return data

    def skip(self, count: int) -> int:
        """Decompress and discard."""
        skipped = 0
        while skipped < count:
            data = self.read(min(count - skipped, CHUNK))
            if not data:
                break
            skipped += len(data)
        return skipped


class PeekedSource:
    """A source whose first bytes were already read."""

    def __init__(self, head: bytes, source: Source) -> None:
        self._head, self._source = head, source

    def read(self, count: int) -> bytes:
        """The bytes that were already read, then the rest."""
        if self._head:
            data, self._head = self._head[:count], self._head[count:]
            return data
        return self._source.read(count)

    def skip(self, count: int) -> int:
        """Skip, beginning with the bytes that were already read."""
        inside = min(count, len(self._head))
        self._head = self._head[inside:]
        return inside + (self._source.skip(count - inside) if count > inside else 0)


class Window:
    """The unread part of a FileSource as a file for random access."""

    def __init__(self, source: FileSource) -> None:
        self._file, self._start, end = source.rest
        self.size = end - self._start
        self._place = 0

    def seek(self, place: int) -> int:
        """Move to an offset in the part."""
        self._place = place
        return place

    def read(self, count: int) -> bytes:
        """Read at most `count` bytes."""
        self._file.seek(self._start + self._place)
        data = self._file.read(max(0, min(count, self.size - self._place)))
        self._place += len(data)
        return data


def peek(source: Source, count: int) -> tuple[bytes, Source]:
    """The next `count` bytes (fewer at the end) and a source that still returns them; b"" also when decompression fails."""
    parts: list[bytes] = []
    left = count
    while left > 0 and (data := source.read(left)):
        parts.append(data)
        left -= len(data)
    head = b"".join(parts)
    return head, PeekedSource(head, source)


@contextmanager
def spooled(source: Source) -> Iterator[tuple[BinaryIO, int]]:
    """A source's bytes as a file for random access, and their number; large ones are in a temporary file."""
    with tempfile.SpooledTemporaryFile(max_size=_KEPT_IN_MEMORY) as file:
        size = 0
        while data := source.read(CHUNK):
            size += file.write(data)
        yield cast("BinaryIO", file), size


def compression_of(head: bytes) -> str | None:
    """The compression by the first bytes (`zfile` is joblib's oldest), None for uncompressed data."""
    if head[:1] == b"\x78" and len(head) > 1 and (head[0] << 8 | head[1]) % 31 == 0:  # RFC 1950
        return "zlib"
    if head[:3] == b"BZh" and head[4:10] in (b"1AY&SY", b"\x17\x72\x45\x38\x50\x90"):
        return "bz2"
    return next((name for magic, name in _MAGIC if head.startswith(magic)), None)


def unpacked(source: Source, compression: str, budget: Budget) -> Source:
    """The decompressed source; reading it raises CutOffError for broken data and for bombs."""
    if compression == "zfile":
        # Python 2's joblib wrote one more space before the zlib data; zlib data never begin with a space.
        source.skip(ZFILE_HEADER)
        first, source = peek(source, 1)
        if first == b" ":
            source.skip(1)
    return ChunkSource(_chunks(source, _decompressor(compression)), budget)


def inflated(source: Source, budget: Budget) -> Source:
    """The decompressed data of a zip member's raw deflate stream, after which nothing may follow."""
    return ChunkSource(_chunks(source, lambda: _Zlib(-15), alone=True), budget)


def single(source: Source, compression: str, budget: Budget) -> Source:
    """The decompressed data of a source with exactly one stream."""
    return ChunkSource(_chunks(source, _decompressor(compression), alone=True), budget)


class _Zlib:
    """zlib's decompressor with the interface of bz2's and lzma's: bounded output per call, `needs_input`, `eof`."""

    def __init__(self, wbits: int) -> None:
        self._inner = zlib.decompressobj(wbits)

    def decompress(self, data: bytes, max_length: int) -> bytes:
        return self._inner.decompress(self._inner.unconsumed_tail + data, max_length)

    @property
    def needs_input(self) -> bool:
        return not self._inner.unconsumed_tail

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data


def _decompressor(compression: str) -> Callable[[], Any]:
    if compression == "lz4":
        try:
            frame = importlib.import_module("lz4.frame")
        except ImportError as error:
            raise CutOffError("it is compressed with lz4: `pip install mlpack-cli[lz4]` to read it") from error
        return frame.LZ4FrameDecompressor  # type: ignore[no-any-return]  # lz4 has no types
    return {
        "zlib": lambda: _Zlib(15),
        "zfile": lambda: _Zlib(15),
        "gzip": lambda: _Zlib(31),
        "bz2": bz2.BZ2Decompressor,
        "xz": lambda: lzma.LZMADecompressor(memlimit=1 << 28),
        "lzma": lambda: lzma.LZMADecompressor(lzma.FORMAT_ALONE, memlimit=1 << 28),
    }[compression]


def _chunks(source: Source, make: Callable[[], Any], *, alone: bool = False) -> Iterator[bytes]:
    # A file may contain several compressed streams in sequence, as gzip and bzip2 allow.
    data = source.read(CHUNK)
    while data:
        inner = make()
        while not inner.eof:
            if not data and inner.needs_input:
                data = source.read(CHUNK)
                if not data:
                    raise CutOffError("its compressed data are cut off")
            try:
                out = inner.decompress(data, max_length=CHUNK)
            except Exception as error:  # zlib.error, OSError, EOFError, lzma.LZMAError, RuntimeError (lz4): broken data
                raise CutOffError(f"its compressed data are broken ({error})") from error
            data = b""
            if out:
                yield out
        data = inner.unused_data or source.read(CHUNK)
        if data and alone:
            raise CutOffError("bytes follow its compressed data")
        if data and not compression_of(data[:16]):
            return  # no loader reads other data after a compressed stream
