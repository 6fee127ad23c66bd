"""Read files with pickles (plain, compressed, joblib, npy, npz, zip, tar) as data, and give the verdict."""

from __future__ import annotations

import gc
import re
import stat
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from mlpack.errors import UnreadableModelError
from mlpack.readers.archives.polyglots import second_format, zip_after
from mlpack.readers.archives.tars import is_tar, tar_members
from mlpack.readers.archives.zips import MAGICS as ZIP
from mlpack.readers.archives.zips import ZipMember, open_inner, open_member, read_directory
from mlpack.readers.encodings.npy import MAGIC as NPY
from mlpack.readers.encodings.npy import read_npy
from mlpack.readers.encodings.safetensors import looks_like_safetensors
from mlpack.readers.limits import Budget, CutOffError, Limits
from mlpack.readers.pickles.record import Record
from mlpack.readers.pickles.values import Instance, Member, PickleFile
from mlpack.readers.pickles.walking import Walked, walk
from mlpack.readers.streams import FileSource, Source, compression_of, peek, spooled, unpacked
from mlpack.readers.verdicts.verdict import judge

# Common suffixes of pickles of any framework.
SUFFIXES = (".pkl", ".pickle", ".joblib", ".jbl", ".sav", ".p", ".pk")
_FAULTS = (ValueError, TypeError, LookupError, ArithmeticError, RecursionError, MemoryError, struct.error)
_HEAD = 512  # bytes that identify a tar
_LAYERS = 3  # a pickle may be compressed twice, but not without limit
# Where torch, torch.export and TensorFlow store raw tensor bytes in an archive; no loader unpickles them.
_RAW = re.compile(r"(^|/)(data|\.data|tensors|constants|weights|variables)/[^/]+$")
_PICKLE_NAMES = (".pkl", ".pickle", ".joblib", ".p", ".sav")


def read_pickles(
    path: Path, *, limits: Limits | None = None, on_progress: Callable[[int, int], None] | None = None
) -> PickleFile | None:
    """The pickles of a file as data; None when, by content, it has none.

    Nothing of the file is run or imported. `on_progress(done, total)` gets bytes of the file. `PickleFile.problem` describes
    invalid content; UnreadableModelError is raised for a file that cannot be opened.
    """
    with _opened(path) as (file, size), _no_collection():
        reading = _Reading(path, file, size, limits or Limits(), on_progress)
        try:
            return reading.read()
        except _FAULTS as error:  # an error that the reader does not handle
            raise UnreadableModelError(
                f"{path} cannot be read as a pickle: {type(error).__name__}",
                hint="Save the model again, or fetch the file again.",
            ) from error


@contextmanager
def _opened(path: Path) -> Iterator[tuple[BinaryIO, int]]:
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):  # a pipe or a device would block
            raise UnreadableModelError(f"{path} is not a regular file", hint="Give the path of a model file.")
        file = path.open("rb")
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise UnreadableModelError(
            f"{path} cannot be read: {why}", hint="Check the path and its permissions."
        ) from error
    with file:
        yield file, status.st_size


@contextmanager
def _no_collection() -> Iterator[None]:
    # With millions of live objects and no garbage, collection only costs time.
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


class _Reading:
    """The state of reading one file."""

    def __init__(
        self, path: Path, file: BinaryIO, size: int, limits: Limits, on_progress: Callable[[int, int], None] | None
    ) -> None:
        self.path, self.file, self.size = path, file, size
        self.end = size  # end of the part that may be a pickle
        self.budget = Budget(limits, size)
        self.on_progress = on_progress
        self.held = 0  # end of the pickle at the start of the file
        self.container, self.problem = "pickle", ""
        self.members: list[Member] = []
        self.notes: dict[str, None] = {}
        self.record = Record()
        self.found = False
        self.inside = 0  # number of enclosing archives
        self.compression: str | None = None

    def read(self) -> PickleFile | None:
        """The file's pickles, or None."""
        self.file.seek(0)
        head = self.file.read(_HEAD)
        self.problem = second_format(self.file, self.size)
        if head[:4] in ZIP:
            self._zip()
        elif is_tar(head):
            self._tar(None)
        else:
            if looks_like_safetensors(head, self.size):  # gigabytes of tensors, which are not pickles
                self.end = 8 + int.from_bytes(head[:8], "little")
            self._layer(self._whole, head, "", 0)
            self.problem = self.problem or zip_after(self.file, self.size, self.held)
        if not self.found and not self.problem:
            return None
        for why in self.record.outside:
            self.problem = self.problem or f"cannot be loaded as a plain pickle: {why}"
        return PickleFile(
            container=self.container,
            compression="zlib" if self.compression == "zfile" else self.compression,
            members=tuple(self.members),
            globals=tuple(self.record.names),
            safety=judge(self.record, self.problem),
            protocol=self.members[0].protocol if self.members else None,
            numpy_major=self.record.numpy_major,
            pythons=self.record.pythons,
            problem=self.problem,
            notes=tuple(self.notes),
        )

    def _whole(self) -> Source:
        progress = self.on_progress
        report = (lambda done: progress(done, self.size)) if progress else None
        return FileSource(self.file, 0, self.end, report)

    def _layer(self, make: Callable[[], Source], head: bytes, name: str, depth: int) -> None:
        """Read the stream that `make` opens, by its first bytes `head`: compressed, a .npy, or a pickle."""
        compression = (
            None if not name and not depth and looks_like_safetensors(head, self.size) else compression_of(head)
        )
        if compression and depth < _LAYERS:
            self._compressed(make, compression, name, depth)
        elif head.startswith(NPY):
            self._npy(make, name)
        else:
            walked = walk(make, self.budget, name=name)
            self.held = walked.end if not name and not depth else 0
            self._take(walked, name)

    def _compressed(self, make: Callable[[], Source], compression: str, name: str, depth: int) -> None:
        def inner() -> Source:
            return unpacked(make(), compression, self.budget)

        try:
            head, _ = peek(inner(), _HEAD)
        except CutOffError as stopped:
            if not _has_pickle_name(name):
                return  # a zip member that begins like this by chance
            self.problem = self.problem or str(stopped)
            head = b""
        if not depth and not name:
            self.compression = compression
        if is_tar(head) and not name:
            self._tar(inner())
        elif head:
            self._layer(inner, head, name, depth + 1)

    def _npy(self, make: Callable[[], Source], name: str) -> None:
        if not name:
            self.container = "npy"
        self.found = True
        try:
            source = make()
            array, has_pickle = read_npy(source, self.budget.limits.kept_array)
        except CutOffError as stopped:
            self.problem = self.problem or str(stopped)
            return
        if not has_pickle:
            self.members.append(Member(name=name, root=array, protocol=0))
            return
        start = source.place if isinstance(source, FileSource) and not name else 0
        walked = walk(lambda: source, self.budget, name=name, inside=".npy")
        self.held = start and start + walked.end
        walked.sure = True
        self._take(walked, name)
        if not walked.recognised:
            self.problem = self.problem or "the .npy contains objects, but no pickle of them follows"

    def _take(self, walked: Walked, name: str) -> None:
        """Add the result of a walk, if it was a pickle."""
        if not _is_pickle(walked, name):
            return
        self.found = True
        self.members += walked.members
        self.record.merge(walked.record)
        self.notes.update(dict.fromkeys(walked.notes))
        if walked.joblib and not name:
            self.container = "joblib"
        where = f"in {name!r}: " if name else ""
        if walked.problem:
            self.problem = self.problem or where + walked.problem
        for wrapper in walked.wrappers:
            self._side_file(wrapper)

    def _side_file(self, wrapper: Instance) -> None:
        """Read a side file with an array (joblib before 0.10), which is loaded with the pickle."""
        filename = wrapper.attributes().get("filename")
        if not isinstance(filename, str) or Path(filename).name != filename or "\\" in filename:
            self.record.dangerous(wrapper.class_name, "it loads a file from another folder")
            return
        side = self.path.parent / filename
        if not side.is_file():
            self.problem = self.problem or f"it has an array in the file {filename!r}, which is missing"
            return
        self.notes[f"an array is in the file {filename!r} next to it"] = None
        with _opened(side) as (file, size):
            inner = _Reading(side, file, size, self.budget.limits, None)
            outcome = inner.read()
        self.record.merge(inner.record)
        if outcome and outcome.problem:
            self.problem = self.problem or f"in {filename!r}: {outcome.problem}"

    def _zip(self) -> None:
        self.container = "zip"
        directory = read_directory(self.file, self.size, self.budget.limits.members)
        self.problem = self.problem or directory.problem or ("" if directory.members else "the zip archive is empty")
        for number, member in enumerate(directory.members):
            if self.on_progress and not number % 1000:
                self.on_progress(min(member.start, self.size), self.size)
            if member.escapes:
                self.found = True
                self.record.dangerous(
                    member.name[:200], "the archive member's name points outside the extraction folder"
                )
            if not member.size:
                continue
            try:
                self._member(member)
            except CutOffError as stopped:
                self.problem = self.problem or f"in {member.name!r}: {stopped}"
                self.found = self.found or _has_pickle_name(member.name)

    def _tar(self, source: Source | None) -> None:
        """Read the members of a tar; `source` is the decompressed tar, if it is compressed."""
        self.container = "tar"
        try:
            for member in tar_members(self.file, source):
                if member.name is None:
                    self.found = True
                    self.record.dangerous(
                        member.written[:200], "the archive member's name points outside the extraction folder"
                    )
                elif member.size:
                    self._tarred(member.name, member.source)
        except CutOffError as stopped:
            self.problem = self.problem or str(stopped)

    def _tarred(self, name: str, source: Source) -> None:
        """Read a tar's member; one that may be read twice is copied first."""
        head, source = peek(source, _HEAD)
        if head[:4] not in ZIP and not head.startswith((NPY, b"\x80")) and compression_of(head) is None:
            self._take(walk(lambda: source, self.budget, name=name, inside=".tar"), name)
            return
        with spooled(source) as (file, size):
            if head[:4] in ZIP:
                self._inner(name, file, size)
            else:
                self._layer(lambda: FileSource(file, 0, size), head, name, 0)

    def _member(self, member: ZipMember) -> None:
        """Read a member if it is a pickle, or an archive of pickles, by content, whatever its name."""

        def make() -> Source:
            return open_member(self.file, member, self.budget)

        head, _ = peek(make(), _HEAD)
        if head[:4] in ZIP:
            self._inner_zip(member)
        elif head:
            self._layer(make, head, member.name, 0)
        if head.startswith(NPY) and member.name.endswith(".npy"):
            self.container = "npz"

    def _inner_zip(self, member: ZipMember) -> None:
        """Read an archive inside the archive; torch.export stores sample inputs in one."""
        file, size = open_inner(self.file, member, self.budget)
        self._inner(member.name, file, size)

    def _inner(self, name: str, file: BinaryIO, size: int) -> None:
        if self.inside >= _LAYERS:
            self.problem = self.problem or f"in {name!r}: archives are nested deeper than {_LAYERS}"
            return
        inner = _Reading(self.path, file, size, self.budget.limits, None)
        inner.budget, inner.inside = self.budget, self.inside + 1
        outcome = inner.read()
        self.record.merge(inner.record)
        self.found = self.found or inner.found
        self.members += [replace(one, name=f"{name}/{one.name}".rstrip("/")) for one in inner.members]
        if outcome is not None and outcome.problem:
            self.problem = self.problem or f"in {name!r}: {outcome.problem}"


def _is_pickle(walked: Walked, name: str) -> bool:
    named = bool(walked.record.names)
    if not walked.recognised:
        return bool(name) and _has_pickle_name(name) and (named or not walked.stuck)
    # Tensor bytes in a zip may look like a pickle; without a lookup of a name they are not one.
    return not walked.problem or named or _has_pickle_name(name) or (walked.sure and not _RAW.search(name))


def _has_pickle_name(name: str) -> bool:
    # The file itself, or a zip member with a pickle's name.
    return not name or name.endswith(_PICKLE_NAMES)
