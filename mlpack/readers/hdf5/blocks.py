"""The blocks that an HDF5 file is made of: object headers, the indexes of old groups, heaps; each read within bounds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from mlpack.readers.limits import MIB, CutOffError

UNDEFINED = -1  # an address that leads nowhere
_CONTINUATION = 16
_MOST_MESSAGES = 10_000
_MOST_BLOCKS = 200_000  # blocks read of one file, so that addresses that lead in circles end
_LONGEST = 16 * MIB  # one block
_LONGEST_TEXT = 64 * MIB
_MOST_TEXT = 256 * MIB
_LONGEST_NAME = 64 * 1024
_MOST_MEMBERS = 100_000  # of one group
_SHARED = 2  # a message's flag: it lies elsewhere
_SOFT_LINK = 2
_MANY = (0, 6, 12, _CONTINUATION)  # messages that an object may have several of: links, attributes


class RandomAccess(Protocol):
    """A file that is read in any order."""

    def seek(self, place: int, /) -> int:
        """Go to a place."""

    def read(self, count: int, /) -> bytes:
        """At most `count` bytes from there."""


class Cursor:
    """Bytes of one block, read forward from `place`; numbers are little-endian."""

    def __init__(self, data: bytes, blocks: Blocks) -> None:
        self._data, self._blocks, self.place = data, blocks, 0

    def again(self) -> Cursor:
        """The same bytes from their beginning."""
        return Cursor(self._data, self._blocks)

    @property
    def left(self) -> int:
        """Bytes not yet read."""
        return len(self._data) - self.place

    def take(self, count: int) -> bytes:
        """Exactly `count` bytes."""
        if count < 0 or count > self.left:
            raise CutOffError("an HDF5 block is cut off")
        self.place += count
        return self._data[self.place - count : self.place]

    def skip(self, count: int) -> Cursor:
        """This cursor, `count` bytes on."""
        self.take(count)
        return self

    def align(self, size: int) -> Cursor:
        """This cursor at the next multiple of `size` in its block (or at its end)."""
        self.place = min(len(self._data), -(-self.place // size) * size)
        return self

    def number(self, size: int) -> int:
        """An unsigned number of `size` bytes."""
        return int.from_bytes(self.take(size), "little")

    def length(self) -> int:
        """A number of the file's size of lengths."""
        return self.number(self._blocks.length_size)

    def offset(self) -> int:
        """An address; UNDEFINED when there is none."""
        size = self._blocks.offset_size
        value = self.number(size)
        return UNDEFINED if value == (1 << 8 * size) - 1 else value


class Blocks:
    """The file's blocks by address. `offset_size` and `length_size` are what its superblock says (in bytes)."""

    def __init__(self, file: RandomAccess, size: int) -> None:
        self._file, self._size, self._count = file, size, 0
        self._read = self._texts = 0
        self.offset_size = self.length_size = 8

    def at(self, address: int, size: int = 512) -> Cursor:
        """Up to `size` bytes at an address."""
        self._count += 1
        if self._count > _MOST_BLOCKS:
            raise CutOffError("its HDF5 blocks lead in circles")
        if not 0 <= address < self._size or size > _LONGEST:
            raise CutOffError("an HDF5 address leads out of the file")
        try:
            self._file.seek(address)
            data = self._file.read(size)
            self._read += len(data)
            if self._read > 4 * self._size + _LONGEST:
                raise CutOffError("its HDF5 blocks lead in circles")
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
                cursor = Cursor(cursor.take(size - 8), self)  # without its signature and its checksum
            while cursor.left >= form.head:
                kind, length, flags = form.next(cursor)
                if flags & _SHARED:
                    raise CutOffError("an HDF5 object shares a message with others, which is not read here")
                if kind in seen and kind not in _MANY:
                    raise CutOffError("an HDF5 object tells the same thing twice")
                seen.add(kind)
                data = Cursor(cursor.take(length), self)
                count += 1
                if count > _MOST_MESSAGES:
                    raise CutOffError("an HDF5 object header has more messages than is read here")
                if kind == _CONTINUATION:
                    chunks.append((data.offset(), data.length()))
                elif kind:
                    yield kind, data

    def symbols(self, tree: int, heap: int) -> Iterator[tuple[str, int]]:
        """The members of an old group: (name, address of the object's header, UNDEFINED for a link to a path)."""
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
                raise CutOffError("an HDF5 group names a member that its heap does not hold")
            yield utf8(names[start:end]), address

    def text(self, address: int, index: int, length: int) -> bytes:
        """An object of a global heap, which must have `length` bytes."""
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
                    raise CutOffError("an HDF5 text has another length than its attribute says")
                return self._long(place, size)
            place += -(-size // 8) * 8
        raise CutOffError("an HDF5 text is not where its attribute says")

    def _long(self, address: int, size: int) -> bytes:
        if size > _LONGEST_TEXT or address + size > self._size:
            raise CutOffError("an HDF5 text is longer than is read here, or cut off")
        self._texts += size
        if self._texts > _MOST_TEXT:
            raise CutOffError("its HDF5 texts take up far more than a model's")
        self._file.seek(address)
        return self._file.read(size)


class _First:
    """How messages lie in a header of version 1."""

    head = 8

    def next(self, cursor: Cursor) -> tuple[int, int, int]:
        kind, length, flags = cursor.number(2), cursor.number(2), cursor.number(1)
        cursor.skip(3)
        return kind, length, flags


class _Second:
    """How messages lie in a header of version 2."""

    def __init__(self, flags: int) -> None:
        self._order = 2 if flags & 4 else 0
        self.head = 4 + self._order

    def next(self, cursor: Cursor) -> tuple[int, int, int]:
        kind, length, flags = cursor.number(1), cursor.number(2), cursor.number(1)
        cursor.skip(self._order)
        return kind, length, flags


def utf8(data: bytes) -> str:
    """A name or a text; raises CutOffError unless it is UTF-8, because libraries differ in how they read other bytes."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise CutOffError("a name or a text in the HDF5 file is not UTF-8") from None
