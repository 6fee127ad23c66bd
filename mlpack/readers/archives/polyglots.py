"""Detect polyglot files: valid in two formats, so that different readers see different content."""

from __future__ import annotations

import tarfile
from typing import BinaryIO

from mlpack.readers.archives.tars import HEAD, is_tar
from mlpack.readers.archives.zip_records import ends_as_zip

_ZIP = (b"PK\x03\x04", b"PK\x05\x06")
_HDF5 = b"\x89HDF\r\n\x1a\n"
_FIRST_USER_BLOCK = 512  # HDF5 may begin at 0, 512, 1024, 2048 ...
# No tar member has a name that begins with one of these.
_OTHERS = (
    *_ZIP,
    _HDF5,
    b"\x80\x02",
    b"\x80\x03",
    b"\x80\x04",
    b"\x80\x05",
    b"\x1f\x8b",
    b"\x93NUMPY",
    b"CBM1",
    b"TFL3",
)


def second_format(file: BinaryIO, size: int) -> str:
    """Why the file can be read as two formats, as a sentence without a full stop; "" for a file of one format."""
    file.seek(0)
    head = file.read(HEAD)
    if is_tar(head):  # its members are extracted; no loader gets the archive itself
        return f"{_TWO} a tar archive and another format" if head.startswith(_OTHERS) or head[4:8] == b"TFL3" else ""
    if _is_old_tar(head):
        return f"{_TWO} a tar archive and another format"
    if not head.startswith(_HDF5) and _has_user_block(file, size):
        return f"{_TWO} an HDF5 file at a later offset, and another format"
    if head.startswith(_ZIP) or head[4:8] == b"TFL3":  # TensorFlow Lite stores labels in a zip after the model
        return ""
    # A pickle may contain a whole archive as bytes; keras opens a file as a zip if its end nearly looks like one.
    if ends_as_zip(file, size, exactly=not head.startswith(_HDF5)):
        return f"{_TWO} a zip archive and another format"
    return ""


def zip_after(file: BinaryIO, size: int, held: int) -> str:
    """Why a file of pickles, or of unknown format, is also a zip archive; "" when it is not.

    `held` is the end of the pickle at the start of the file, which may contain an archive as bytes; 0 for other files.
    Zip readers search for the end record near the end of the file, and some ignore the bytes after it.
    """
    file.seek(0)
    if file.read(8)[4:] != b"TFL3" and ends_as_zip(file, size, after=held):
        return f"{_TWO} a zip archive and another format"
    return ""


_TWO = "it can be read in two ways, as"


def _is_old_tar(head: bytes) -> bool:
    """Whether Python's tarfile accepts these bytes as a member header without a magic (before POSIX)."""
    if len(head) < HEAD:
        return False
    try:
        tarfile.TarInfo.frombuf(head[:HEAD], "utf-8", "surrogateescape")
    except (tarfile.HeaderError, ValueError, OverflowError):
        return False
    return True


def _has_user_block(file: BinaryIO, size: int) -> bool:
    place = _FIRST_USER_BLOCK
    while place < size:
        file.seek(place)
        if file.read(len(_HDF5)) == _HDF5:
            return True
        place *= 2
    return False
