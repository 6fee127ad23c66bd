"""Read the blocks of an HDF5 file within limits: object headers, indexes of old groups, heaps."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from mlpack.readers.limits import MIB, CutOffError

UNDEFINED = -1  # no address
_CONTINUATION = 16
_MOST_MESSAGES = 10_000
_MOST_BLOCKS = 200_000  # blocks read of one file, so that cycles of addresses end
_LONGEST = 16 * MIB  # of one block
_LONGEST_TEXT = 64 * MIB
_MOST_TEXT = 256 * MIB
_LONGEST_NAME = 64 * 1024
_MOST_MEMBERS = 100_000  # of one group
_SHARED = 2  # a message's flag: it is stored elsewhere
_SOFT_LINK = 2
_MANY = (0, 6, 12, _CONTINUATION)  # message types that an object may have several times: links, attributes


class RandomAccess(Protocol):
    """A file with random access."""

    def seek(self, place: int, /) -> int:
        """Move to an offset."""

    def read(self, count: int, /) -> bytes:
        """Read at most `count` bytes."""


class Cursor:
    """The bytes of one block, read forward from `place`; numbers are little-endian."""

    def __init__(self, data: bytes, blocks: Blocks) -> None:
        self._data, self._blocks, self.place = data, blocks, 0

    def again(self) -> Cursor:
        """A new cursor at the beginning of the same bytes."""
        return Cursor(self._data, self._blocks)

    @property
    def left(self) -> int:
        """The number of unread bytes."""
        return len(self._data) - self.place

    def take(self, count: int) -> bytes:
        """Read exactly `count` bytes."""
        if count < 0 or count > self.left:
            raise CutOffError("an HDF5 block is cut off")
        self.place += count
        return self._data[self.place - count : self.place]

    def skip(self, count: int) -> Cursor:
        """Move this cursor forward by `count` bytes."""
        self.take(count)
        return self

    def align(self, size: int) -> Cursor:
        """Move this cursor to the next multiple of `size` in its block, or to its end."""
        self.place = min(len(self._data), -(-self.place // size) * size)
        return self

    def number(self, size: int) -> int:
        """Read an unsigned number of `size` bytes."""
        return int.from_bytes(self.take(size), "little")

    def length(self) -> int:
        """Read a length."""
        return self.number(self._blocks.length_size)

    def offset(self) -> int:
        """Read an address; UNDEFINED for none."""
        size = self._blocks.offset_size
        value = self.number(size)
        return UNDEFINED if value == (1 << 8 * size) - 1 else value


class Blocks:
    """The file's blocks by address. `offset_size` and `length_size` come from its superblock (bytes)."""

    def __init__(self, file: RandomAccess, size: int) -> None:
        self._file, self._size, self._count = file, size, 0
        self._read = self._texts = 0
        self.offset_size = self.length_size = 8

    def at(self, address: int, size: int = 512) -> Cursor:
        """Up to `size` bytes at an address."""
        self._count += 1
        if self._count > _MOST_BLOCKS:
            raise CutOffError("its HDF5 blocks refer to each other in a cycle")
        if not 0 <= address < self._size or size > _LONGEST:
            raise CutOffError("an HDF5 address is outside the file")
        try:
            self._file.seek(address)
            data = self._file.read(size)
            self._read += len(data)
            if self._read > 4 * self._size + _LONGEST:
                raise CutOffError("its HDF5 blocks refer to each other in a cycle")
            return Cursor(data, self)
        except OSError as error:
            raise CutOffError(f"it cannot be read further ({error.strerror})") from error

    def header(self, address: int) -> Iterator[tuple[int, Cursor]]:
        """The messages of an object's header and its continuations: (type, bytes)."""
        start = self.at(address)
        if start.take(4) == b"OHDR":
            flags = start.skip(1).number(1)
            start.skip((16 if flags & 32 else 0) + (4 if flags & 16 else 0))
            size = start.number(1 << (flags & 3))
            yield from self._messages([(address + start.place, size)], _Second(flags))
            return
        start = start.again()
        if start.number(1) != 1:
            raise CutOffError("an HDF5 object header is broken")
        size = start.skip(7).number(4)
        yield from self._messages([(address + 16, size)], _First())

    def _messages(self, chunks: list[tuple[int, int]], form: _First | _Second) -> Iterator[tuple[int, Cursor]]:
        count = 0
        seen: set[int] = set()
        for place, (address, size) in enumerate(chunks):
            cursor = self.at(address, size)
            if place and isinstance(form, _Second):
                if cursor.take(4) != b"OCHK":
                    raise CutOffError("an HDF5 object header's continuation is broken")
                cursor = Cursor(cursor.take(size - 8), self)  # without signature and checksum
            while cursor.left >= form.head:
                kind, length, flags = form.next(cursor)
                if flags & _SHARED:
                    raise CutOffError("an HDF5 object has a shared message, which is not supported")
                if kind in seen and kind not in _MANY:
                    raise CutOffError("an HDF5 object has two messages of one type")
                seen.add(kind)
                data = Cursor(cursor.take(length), self)
                count += 1
                if count > _MOST_MESSAGES:
                    raise CutOffError("an HDF5 object header has too many messages")
                if kind == _CONTINUATION:
                    chunks.append((data.offset(), data.length()))
                elif kind:
                    yield kind, data

    def symbols(self, tree: int, heap: int) -> Iterator[tuple[str, int]]:
        """The members of an old group: (name, address of the object's header; UNDEFINED for a soft link)."""
        start = self.at(heap, 8 + 2 * self.length_size + self.offset_size)
        if start.take(4) != b"HEAP":
            raise CutOffError("an HDF5 heap of names is broken")
        size, _, place = start.skip(4).length(), start.length(), start.offset()
        names = self.at(place, size)
        held = names.take(names.left)
        waiting, seen = [tree], {tree}
        found = 0
        while waiting:
            node = self.at(waiting.pop(), 8192)
            kind = node.take(4)
            if kind == b"SNOD":
                for entry in self._entries(node, held):
                    yield entry
                    found += 1
                    if found > _MOST_MEMBERS:
                        raise CutOffError(f"an HDF5 group has more than {_MOST_MEMBERS} members")
            elif kind == b"TREE":
                count = node.skip(2).number(2)
                node.skip(2 * self.offset_size + self.length_size)
                below = []
                for _ in range(count):
                    below.append(node.offset())
                    node.skip(self.length_size)
                waiting += [one for one in reversed(below) if one not in seen]
                seen.update(below)
            else:
                raise CutOffError("an HDF5 group's index is broken")

    def _entries(self, node: Cursor, names: bytes) -> Iterator[tuple[str, int]]:
        for _ in range(node.skip(2).number(2)):
            start = node.number(self.offset_size)
            address = node.offset()
            if node.number(4) == _SOFT_LINK:
                address = UNDEFINED
            node.skip(20)
            end = names.find(b"\0", start, start + _LONGEST_NAME)
            if start >= len(names) or end < 0:
                raise CutOffError("an HDF5 group refers to a name that is not in its heap")
            yield utf8(names[start:end]), address

    def text(self, address: int, index: int, length: int) -> bytes:
        """An object of a global heap; it must have `length` bytes."""
        start = self.at(address, 8 + self.length_size)
        if start.take(4) != b"GCOL":
            raise CutOffError("an HDF5 heap of texts is broken")
        end = address + start.skip(4).length()
        place = address + 8 + self.length_size
        while place + 8 + self.length_size <= end:
            entry = self.at(place, 8 + self.length_size)
            number = entry.number(2)
            size = entry.skip(6).length()
            place += 8 + self.length_size
            if number == 0:
                break
            if number == index:
                if size != length:
                    raise CutOffError("the length of an HDF5 text contradicts its attribute")
                return self._long(place, size)
            place += -(-size // 8) * 8
        raise CutOffError("an HDF5 text is missing at the address in its attribute")

    def _long(self, address: int, size: int) -> bytes:
        if size > _LONGEST_TEXT or address + size > self._size:
            raise CutOffError("an HDF5 text is too long, or cut off")
        self._texts += size
        if self._texts > _MOST_TEXT:
            raise CutOffError("its HDF5 texts are larger than any model's")
        self._file.seek(address)
        return self._file.read(size)


class _First:
    """The layout of messages in a header of version 1."""

    head = 8

    def next(self, cursor: Cursor) -> tuple[int, int, int]:
        kind, length, flags = cursor.number(2), cursor.number(2), cursor.number(1)
        cursor.skip(3)
        return kind, length, flags


class _Second:
    """The layout of messages in a header of version 2."""

    def __init__(self, flags: int) -> None:
        self._order = 2 if flags & 4 else 0
        self.head = 4 + self._order

    def next(self, cursor: Cursor) -> tuple[int, int, int]:
        kind, length, flags = cursor.number(1), cursor.number(2), cursor.number(1)
        cursor.skip(self._order)
        return kind, length, flags


def utf8(data: bytes) -> str:
    """Decode a name or a text; raises CutOffError for invalid UTF-8, which libraries decode differently."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise CutOffError("a name or a text in the HDF5 file is not UTF-8") from None
