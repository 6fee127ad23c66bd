"""Find the shared libraries that installed wheels need and the system lacks, and the Debian packages that have them.

It runs in two places: mlpack imports it for the process engine, and a bundle contains a copy, which the build runs in the base
image: `python system_libraries.py OUTPUT`. So it imports only the standard library, and runs on Python 3.9.
"""

from __future__ import annotations

import glob
import os
import re
import shutil
import struct
import sys
import sysconfig
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

WARNING = "mlpack: warning: "  # begins the output lines of a build that mlpack shows to the user as warnings

# Library -> the Debian package that has it, for libraries that wheels do not bring along.
PACKAGES: Mapping[str, str] = {
    "libEGL.so.1": "libegl1",
    "libGL.so.1": "libgl1",
    "libGLU.so.1": "libglu1-mesa",
    "libGLX.so.0": "libglx0",
    "libGLESv2.so.2": "libgles2",
    "libICE.so.6": "libice6",
    "libOpenGL.so.0": "libopengl0",
    "libSM.so.6": "libsm6",
    "libX11-xcb.so.1": "libx11-xcb1",
    "libX11.so.6": "libx11-6",
    "libXcursor.so.1": "libxcursor1",
    "libXext.so.6": "libxext6",
    "libXfixes.so.3": "libxfixes3",
    "libXi.so.6": "libxi6",
    "libXrandr.so.2": "libxrandr2",
    "libXrender.so.1": "libxrender1",
    "libXt.so.6": "libxt6",
    "libasound.so.2": "libasound2",
    "libatomic.so.1": "libatomic1",
    "libblas.so.3": "libblas3",
    "libbz2.so.1.0": "libbz2-1.0",
    "libcrypt.so.1": "libcrypt1",
    "libexpat.so.1": "libexpat1",
    "libfftw3.so.3": "libfftw3-double3",
    "libfontconfig.so.1": "libfontconfig1",
    "libfreetype.so.6": "libfreetype6",
    "libgcc_s.so.1": "libgcc-s1",
    "libgfortran.so.5": "libgfortran5",
    "libgio-2.0.so.0": "libglib2.0-0",
    "libglib-2.0.so.0": "libglib2.0-0",
    "libgmodule-2.0.so.0": "libglib2.0-0",
    "libgobject-2.0.so.0": "libglib2.0-0",
    "libgomp.so.1": "libgomp1",
    "libgthread-2.0.so.0": "libglib2.0-0",
    "libjpeg.so.62": "libjpeg62-turbo",
    "liblapack.so.3": "liblapack3",
    "liblzma.so.5": "liblzma5",
    "libmariadb.so.3": "libmariadb3",
    "libnuma.so.1": "libnuma1",
    "libodbc.so.2": "libodbc2",
    "libopenblas.so.0": "libopenblas0",
    "libpng16.so.16": "libpng16-16",
    "libportaudio.so.2": "libportaudio2",
    "libpq.so.5": "libpq5",
    "libquadmath.so.0": "libquadmath0",
    "libsndfile.so.1": "libsndfile1",
    "libsqlite3.so.0": "libsqlite3-0",
    "libstdc++.so.6": "libstdc++6",
    "libusb-1.0.so.0": "libusb-1.0-0",
    "libuuid.so.1": "libuuid1",
    "libxcb.so.1": "libxcb1",
    "libxkbcommon.so.0": "libxkbcommon0",
    "libxslt.so.1": "libxslt1.1",
    "libz.so.1": "zlib1g",
}
# Packages with another name in some releases: those before Debian 12, and those with 64-bit times (Debian 13, Ubuntu 24.04).
_BEFORE_12 = {"libodbc2": "libodbc1"}
_SINCE_13 = {name: f"{name}t64" for name in ("libasound2", "libglib2.0-0", "libpng16-16", "libxt6")}
# Libraries of NVIDIA's driver, which its container runtime adds; and of modules that their packages load only if they can.
_NOT_INSTALLED = re.compile(
    r"lib(cuda|nvidia-[\w-]+|nvcuvid|tbb|mlx5|rdmacm|ibverbs|mpi|jvm)\.so[\d.]*|libgomp\.so\.1\.0\.0"  # the last: numba
)

_SHARED = re.compile(r"\.so(\.[0-9.]+)?$")
_NAME = re.compile(r"[A-Za-z0-9_.+-]{1,200}")
_HEADER = struct.Struct("<16sHHIQQQIHHH")  # of ELF with 64 bits, little-endian: up to the number of program headers
_SEGMENT = struct.Struct("<IIQQQQQQ")
_LOAD, _DYNAMIC = 1, 2  # types of segments
_NEEDED, _STRINGS, _RPATH, _RUNPATH = 1, 5, 15, 29  # tags of dynamic entries
_MOST_SEGMENTS, _MOST_ENTRIES, _MOST_NAMES, _LONGEST = 128, 4096, 256, 4096


@dataclass(frozen=True)
class Elf:
    """What the dynamic loader reads of a library: the machine, the libraries that it needs, the folders to search first."""

    machine: int
    needed: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()


@dataclass(frozen=True)
class Lacking:
    """Missing libraries, with the top-level folders of the packages that need them; for `unknown` ones no package is known."""

    known: Mapping[str, frozenset[str]] = field(default_factory=dict)
    unknown: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def packages(self, release: str) -> tuple[str, ...]:
        """The Debian packages for the known ones, under their names in a release such as "debian 13"."""
        names = {PACKAGES[library] for library in self.known}
        changed = _changed_names(release)
        return tuple(sorted(changed.get(name, name) for name in names))


def read_elf(path: Path) -> Elf | None:
    """The library's dynamic section; None for any other file, of another word size or byte order, or a damaged one."""
    try:
        if not path.is_file():
            return None
        with path.open("rb") as file:
            return _read(file)
    except (OSError, ValueError, struct.error, OverflowError):
        return None


def find_lacking(site_packages: Path, system: frozenset[str], machine: int | None) -> Lacking:
    """The libraries that the packages in a folder need and that neither they nor the system have.

    `system` are the names of the system's libraries. Files for another `machine` are ignored.
    """
    files = {os.path.realpath(path): path for path in _shared_objects(site_packages)}
    inside = {path.name for path in files.values()}
    known: dict[str, set[str]] = {}
    unknown: dict[str, set[str]] = {}
    for path in files.values():
        elf = read_elf(path)
        if elf is None or (machine is not None and elf.machine != machine):
            continue
        folders = [path.parent / folder for folder in _expanded(elf, path.parent)]
        for name in set(elf.needed) - system:
            if _NOT_INSTALLED.fullmatch(name) or any(_exists(folder / name) for folder in folders):
                continue
            # A library of this name in another package counts only where Debian has none: it may be loaded too late.
            found = known if name in PACKAGES else unknown if name not in inside else None
            if found is not None:
                top = path.relative_to(site_packages).as_posix().partition("/")[0]
                found.setdefault(name, set()).add(re.sub(r"[^A-Za-z0-9_.+-]", "?", top))
    return Lacking(
        known={name: frozenset(known[name]) for name in sorted(known)},
        unknown={name: frozenset(unknown[name]) for name in sorted(unknown)},
    )


def lacking_here(site_packages: Path) -> Lacking:
    """The libraries that the packages in a folder need and this system lacks."""
    python = read_elf(Path(sys.executable).resolve())
    return find_lacking(site_packages, system_libraries(), python.machine if python else None)


def system_libraries(root: Path = Path("/")) -> frozenset[str]:
    """The file names in the folders that the dynamic loader searches."""
    machines = ("x86_64-linux-gnu", "aarch64-linux-gnu")
    folders = [root / place for place in ("lib", "usr/lib", "lib64", "usr/lib64", "usr/local/lib")]
    folders += [root / place / machine for place in ("lib", "usr/lib") for machine in machines]
    folders += [root / line.lstrip("/") for line in _configured(root / "etc/ld.so.conf", root, 3)]
    if root == Path("/"):
        folders += map(Path, filter(None, os.environ.get("LD_LIBRARY_PATH", "").split(":")))
        folders.append(Path(sys.base_prefix) / "lib")  # Python's own library
    return frozenset(path.name for folder in folders if folder.is_dir() for path in folder.iterdir())


def release_of(root: Path = Path("/")) -> str:
    """The distribution and its version, such as "debian 13"; "" where the system does not say."""
    try:
        text = (root / "etc/os-release").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    values = dict(line.partition("=")[::2] for line in text.splitlines())
    return f"{values.get('ID', '')} {values.get('VERSION_ID', '')}".replace('"', "").strip()


def described(libraries: Mapping[str, frozenset[str]]) -> str:
    """The libraries in words: `libGL.so.1 (for cv2), libfoo.so.2 (for bar)`."""
    shown = [f"{name} (for {', '.join(sorted(needing)[:3])})" for name, needing in list(libraries.items())[:8]]
    return ", ".join(shown) + (f" and {len(libraries) - 8} more" if len(libraries) > 8 else "")


def main(output: str) -> None:
    """For the environment of the Python that runs it: write the Debian packages to install to a file, one a line.

    A library that no known package has is a warning.
    """
    lacking = lacking_here(Path(sysconfig.get_paths()["platlib"]))
    names: tuple[str, ...] = ()
    if lacking.known and shutil.which("apt-get") is None:
        _warn(f"the base image lacks {described(lacking.known)}, and has no apt-get to install it")
    else:
        names = lacking.packages(release_of())
    if lacking.unknown:
        _warn(
            f"the base image lacks {described(lacking.unknown)}, and no Debian package with it is known. If the model does not "
            "load, name the package in `apt:` of mlpack.yaml"
        )
    Path(output).parent.mkdir(parents=True, exist_ok=True)
    Path(output).write_bytes("".join(f"{name}\n" for name in names).encode())


def _warn(text: str) -> None:
    sys.stdout.write(f"{WARNING}{text}\n")


def _changed_names(release: str) -> Mapping[str, str]:
    """The packages that have another name in this release; an unknown one counts as new."""
    name, _, version = release.partition(" ")
    number = float(version) if re.fullmatch(r"\d{1,3}(\.\d{1,3})?", version) else None
    if name == "ubuntu":
        return {**({} if number is not None and number < 24 else _SINCE_13), "libjpeg62-turbo": "libjpeg62"}
    if name != "debian" or number is None or number >= 13:
        return _SINCE_13
    return _BEFORE_12 if number < 12 else {}


def _shared_objects(folder: Path) -> Iterator[Path]:
    for parent, _, names in os.walk(folder):
        yield from (Path(parent) / name for name in names if _SHARED.search(name))


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # a name that is too long, which Path.exists raises before Python 3.12
        return False


def _expanded(elf: Elf, origin: Path) -> Iterator[str]:
    for folder in elf.folders:
        yield folder.replace("${ORIGIN}", str(origin)).replace("$ORIGIN", str(origin))


def _configured(file: Path, root: Path, depth: int) -> Iterator[str]:
    """The folders in ld.so.conf and the files that it includes."""
    try:
        lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return
    for line in (text.partition("#")[0].strip() for text in lines):
        if line.startswith("include ") and depth:
            pattern = line[len("include ") :].strip()
            for found in sorted(glob.glob(str(root / pattern.lstrip("/")))):  # noqa: PTH207 - an absolute pattern
                yield from _configured(Path(found), root, depth - 1)
        elif line.startswith("/"):
            yield line


def _read(file: BinaryIO) -> Elf | None:
    head = file.read(_HEADER.size)
    if len(head) < _HEADER.size or head[:6] != b"\x7fELF\x02\x01":
        return None
    _, _, machine, _, _, start, _, _, _, width, count = _HEADER.unpack(head)
    if width != _SEGMENT.size or count > _MOST_SEGMENTS:
        return None
    file.seek(start)
    segments = [_SEGMENT.unpack(file.read(_SEGMENT.size)) for _ in range(count)]
    loads = [(vaddr, offset, size) for kind, _, offset, vaddr, _, size, _, _ in segments if kind == _LOAD]
    place = next(((offset, size) for kind, _, offset, _, _, size, _, _ in segments if kind == _DYNAMIC), None)
    if place is None:
        return Elf(machine=machine)
    file.seek(place[0])
    entries = list(_entries(file.read(min(place[1], _MOST_ENTRIES * 16))))
    address = next((value for tag, value in entries if tag == _STRINGS), 0)
    strings = next((offset + address - vaddr for vaddr, offset, size in loads if vaddr <= address < vaddr + size), None)
    if strings is None:
        return Elf(machine=machine)
    needed = [_text(file, strings + value) for tag, value in entries if tag == _NEEDED][:_MOST_NAMES]
    # The loader ignores RPATH where there is RUNPATH.
    paths = {tag: _text(file, strings + value) for tag, value in entries if tag in (_RPATH, _RUNPATH)}
    folders = (paths.get(_RUNPATH) or paths.get(_RPATH) or "").split(":")
    return Elf(
        machine=machine,
        needed=tuple(filter(_NAME.fullmatch, needed)),
        folders=tuple(filter(None, folders[:_MOST_NAMES])),
    )


def _entries(data: bytes) -> Iterator[tuple[int, int]]:
    for tag, value in struct.iter_unpack("<qQ", data[: len(data) // 16 * 16]):
        if tag == 0:
            return
        yield tag, value


def _text(file: BinaryIO, place: int) -> str:
    file.seek(place)
    return file.read(_LONGEST).partition(b"\0")[0].decode("utf-8", "replace")


if __name__ == "__main__":
    main(sys.argv[1])
