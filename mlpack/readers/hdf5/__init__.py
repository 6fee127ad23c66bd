"""Read HDF5 files: groups, attributes and the shapes of datasets, without the datasets' values."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from mlpack.readers.hdf5.blocks import UNDEFINED, Blocks, Cursor, RandomAccess, utf8
from mlpack.readers.hdf5.values import Kind, attribute, datatype, extents
from mlpack.readers.limits import CutOffError

MAGIC = b"\x89HDF\r\n\x1a\n"
_MOST_OBJECTS = 50_000
_MOST_DEPTH = 32
_LINK_INFO, _DATASPACE, _DATATYPE, _LINK, _LAYOUT, _ATTRIBUTE, _SYMBOLS, _ATTRIBUTE_INFO = 2, 1, 3, 6, 8, 12, 17, 21
_EXTERNAL_FILES, _VIRTUAL, _OWN_LINKS = 7, 3, (0, 1)


class Hdf5:
    """An open HDF5 file; `root` is its group `/`. Format: "HDF5 File Format Specification", versions 1.1 to 3.

    `outside` lists what `walk` found in other files: links, and datasets with external values.
    Every method raises CutOffError for a broken or truncated file, and for one that exceeds the limits.
    """

    def __init__(self, file: RandomAccess, size: int) -> None:
        self.outside: list[str] = []
        blocks = Blocks(file, size)
        version = blocks.at(8).number(1)
        if blocks.at(0).take(8) != MAGIC:
            raise CutOffError("it is not an HDF5 file")
        if version > 3:
            raise CutOffError(f"its HDF5 superblock has the unknown version {version}")
        cursor = blocks.at(13 if version < 2 else 9)
        blocks.offset_size, blocks.length_size = cursor.number(1), cursor.number(1)
        if {blocks.offset_size, blocks.length_size} - {2, 4, 8}:
            raise CutOffError("its HDF5 superblock is broken")
        if version < 2:
            cursor.skip(9 if version == 0 else 13)
            base, _, end, driver = (cursor.offset() for _ in range(4))
            cursor.skip(blocks.offset_size)  # the name of the root
        else:
            base, _, end = cursor.skip(1).offset(), cursor.offset(), cursor.offset()
            driver = UNDEFINED
        if base or end > size or driver != UNDEFINED:
            raise CutOffError("its HDF5 superblock belongs to a split file, or the file is cut off")
        self.root = Node(blocks, cursor.offset())

    def walk(self) -> Iterator[tuple[str, Dataset]]:
        """Every dataset by path, in the order of the file's indexes; each object is visited once."""
        waiting = [("", self.root, 0)]
        seen = {self.root.address}
        while waiting:
            path, node, depth = waiting.pop()
            self.outside += [f"{path}/{name}".strip("/") for name in node.outside()]
            found = node.dataset()
            if found is not None:
                yield path, found
                continue
            if depth >= _MOST_DEPTH:
                raise CutOffError(f"its HDF5 groups are nested more than {_MOST_DEPTH} deep")
            members = sorted(node.members().items(), reverse=True)
            for name, member in members:
                if member.address not in seen:
                    seen.add(member.address)
                    waiting.append((f"{path}/{name}".lstrip("/"), member, depth + 1))
            if len(seen) > _MOST_OBJECTS:
                raise CutOffError(f"it contains more than {_MOST_OBJECTS} HDF5 objects")


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """A dataset's element type (an Open Inference name, "" for other types) and shape."""

    dtype: str
    shape: tuple[int, ...]


class Node:
    """A group or a dataset, by the address of its header."""

    def __init__(self, blocks: Blocks, address: int) -> None:
        self.address = address
        self._blocks = blocks
        self._messages: list[tuple[int, Cursor]] | None = None

    def messages(self) -> list[tuple[int, Cursor]]:
        """The header's messages: (type, bytes)."""
        if self._messages is None:
            self._messages = list(self._blocks.header(self.address))
        return [(kind, cursor.again()) for kind, cursor in self._messages]

    def attributes(self) -> dict[str, Any]:
        """The attributes: texts, numbers, and lists of them; None for values of other types.

        Raises CutOffError too for attributes in dense storage, which only objects with many attributes have.
        """
        found: dict[str, Any] = {}
        for kind, cursor in self.messages():
            if kind == _ATTRIBUTE:
                name, value = attribute(cursor, self._blocks)
                if name in found:
                    raise CutOffError(f"an HDF5 object has the attribute {name[:100]!r} twice")
                found[name] = value
            elif kind == _ATTRIBUTE_INFO:
                flags = cursor.skip(1).number(1)
                if cursor.skip(2 if flags & 1 else 0).offset() != UNDEFINED:
                    raise CutOffError("its HDF5 attributes are in dense storage, which is not supported")
        return found

    def dataset(self) -> Dataset | None:
        """The object as a dataset; None for a group."""
        parts = dict(self.messages())
        if not {_DATASPACE, _DATATYPE, _LAYOUT} <= set(parts):
            return None
        kind: Kind = datatype(parts[_DATATYPE])
        return Dataset(dtype=kind.name, shape=extents(parts[_DATASPACE], self._blocks))

    def outside(self) -> list[str]:
        """The links to other files; [""] for a dataset with values in other files."""
        found: list[str] = []
        for kind, cursor in self.messages():
            if kind == _EXTERNAL_FILES or (kind == _LAYOUT and cursor.number(1) > 2 and cursor.number(1) == _VIRTUAL):
                found.append("")
            elif kind == _LINK:
                name, form = _link(cursor)
                found += [name] if form not in _OWN_LINKS else []
        return found

    def members(self) -> dict[str, Node]:
        """The members of a group by name; external and symbolic links are left out."""
        found: dict[str, Node | None] = {}
        for name, address in self._links():
            if name in found:
                raise CutOffError(f"an HDF5 group has two members named {name[:100]!r}")
            found[name] = Node(self._blocks, address) if address != UNDEFINED else None
        return {name: node for name, node in found.items() if node is not None}

    def _links(self) -> Iterator[tuple[str, int]]:
        """The members' names and addresses; UNDEFINED for symbolic and external links."""
        kinds = {kind for kind, _ in self.messages()}
        if _SYMBOLS in kinds and kinds & {_LINK, _LINK_INFO}:
            raise CutOffError("an HDF5 group has both the old and the new form")
        for kind, cursor in self.messages():
            if kind == _SYMBOLS:
                tree, heap = cursor.offset(), cursor.offset()
                yield from self._blocks.symbols(tree, heap)
            elif kind == _LINK:
                name, form = _link(cursor)
                yield name, cursor.offset() if form == 0 else UNDEFINED
            elif kind == _LINK_INFO:
                flags = cursor.skip(1).number(1)
                if cursor.skip(8 if flags & 1 else 0).offset() != UNDEFINED:
                    raise CutOffError("an HDF5 group has its links in dense storage, which is not supported")


def _link(cursor: Cursor) -> tuple[str, int]:
    """A link's name and kind: 0 hard (the object's address follows), 1 soft (a path), others external."""
    cursor.skip(1)
    flags = cursor.number(1)
    kind = cursor.number(1) if flags & 8 else 0
    cursor.skip((8 if flags & 4 else 0) + (1 if flags & 16 else 0))
    name = cursor.take(cursor.number(1 << (flags & 3)))
    if b"\0" in name:  # libhdf5 ignores the bytes after it
        raise CutOffError("an HDF5 link's name continues after its end")
    return utf8(name), kind
