"""Identify a file without pickles by its first bytes: a pointer, a web page, text, an archive, a known format."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

from mlpack.readers.archives.zip_records import ends_as_zip
from mlpack.readers.paths import HEAD


@dataclass(frozen=True, kw_only=True)
class Sniffed:
    """`what` completes "FILE is ..."; `broken`: the file cannot be a model; `hint` is the remedy."""

    what: str
    hint: str = ""
    broken: bool = False


_AGAIN = "Download or export the file again."
_MAGIC: tuple[tuple[int, bytes, str], ...] = (
    (0, b"\x89HDF\r\n\x1a\n", "an HDF5 file"),
    (0, b"%PDF", "a PDF document"),
    (0, b"\x7fELF", "a program"),
    (0, b"MZ", "a Windows program"),
    (0, b"\x89PNG", "a picture"),
    (0, b"\xff\xd8\xff", "a picture"),
    (0, b"PAR1", "a Parquet table"),
    (0, b"SQLite format 3", "an SQLite database"),
    (0, b"\x93NUMPY", "a numpy array"),
    (257, b"ustar", "a tar archive"),
    (0, b"\x1f\x8b", "a gzip file"),
    (0, b"Rar!", "a RAR archive"),
    (0, b"7z\xbc\xaf", "a 7-Zip archive"),
    (0, b"\x28\xb5\x2f\xfd", "a Zstandard archive"),
    (0, b"ARROW1", "an Arrow table"),
    (0, b"MATLAB 5.0", "a MATLAB file"),
)
_CLOSED = ("a RAR archive", "a 7-Zip archive", "a Zstandard archive")
_UNPACK = "Unpack it and pack a file in it: mlpack can open zip and tar archives, .gz, .bz2, .xz and .lz4 files."
NOTHING = "binary data of an unknown kind"


def sniff(path: Path, head: bytes) -> Sniffed:
    """The kind of a file without pickles, by its first bytes."""
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    if is_pointer(text):
        return Sniffed(
            what="a git-LFS pointer: the real file was not downloaded",
            hint="Run `git lfs pull`, then try again.",
            broken=True,
        )
    if text[:15].lower().startswith((b"<!doctype html", b"<html")):
        return Sniffed(
            what="a web page (HTML), such as an error or login page that was saved instead of the model",
            hint=_AGAIN,
            broken=True,
        )
    if sniffed := _beside(text):
        return sniffed
    if head.startswith(b"PK") and not _ends_as_zip(path):
        return Sniffed(what="a zip archive that is cut off", hint=_AGAIN, broken=True)
    if head.startswith(b"PK"):
        return Sniffed(what="a zip archive")
    for place, magic, what in _MAGIC:
        if head[place : place + len(magic)] == magic:
            return Sniffed(what=what, hint=_UNPACK if what in _CLOSED else "")
    if _is_text(head):
        return Sniffed(
            what="JSON" if _is_json(path, text) else "an XML file" if text.startswith(b"<?xml") else "plain text"
        )
    return Sniffed(what=NOTHING)


def is_pointer(head: bytes) -> bool:
    """Whether a file is a git-LFS pointer."""
    return head.startswith(b"version https://git-lfs.github.com/spec/")


def _beside(text: bytes) -> Sniffed | None:
    """A text file that is not the model: a pointer, an error message, a notebook, the model as base64."""
    if re.match(rb"(md5: \w+\n|deps:\n|outs:\n)", text) and b"path: " in text:
        return Sniffed(
            what="a DVC pointer: the real file was not downloaded", hint="Run `dvc pull`, then try again.", broken=True
        )
    if text[:5] == b"<?xml" and (code := re.search(rb"<Error>\s*<Code>(\w{1,80})</Code>", text)):
        return Sniffed(
            what=f"an error message of a storage service instead of the model ({code[1].decode()})",
            hint=_AGAIN,
            broken=True,
        )
    if text[:1] == b"{" and (b'"nbformat"' in text or b'"cell_type"' in text):
        return Sniffed(
            what="a Jupyter notebook",
            hint="Pack the file to which the notebook saves its model (joblib.dump, save_model, ...).",
        )
    if len(text) > 60 and re.fullmatch(rb"(gASV|gAWV|gAN|gAJ|UEsDB|H4sI)[A-Za-z0-9+/=\s]+", text):
        return Sniffed(
            what="a binary file written as base64 text",
            hint="Decode it (`base64 -d FILE > model.pkl`), then try again.",
            broken=True,
        )
    return None


def _ends_as_zip(path: Path) -> bool:
    with path.open("rb") as file:
        return ends_as_zip(file, path.stat().st_size)


def _is_text(head: bytes) -> bool:
    try:
        text = head.decode("utf-8")
    except UnicodeDecodeError as error:
        if len(head) < HEAD or error.start < HEAD - 3:  # not only a character that is cut at the end of the head
            return False
        text = head[: error.start].decode("utf-8")
    return not any(ord(letter) < 32 and letter not in "\t\r\n\f" for letter in text)


def _is_json(path: Path, text: bytes) -> bool:
    if not text.startswith((b"{", b"[")):
        return False
    if path.stat().st_size > 1 << 20:
        return True  # too long to parse for a message
    try:
        json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        return False
    return True
