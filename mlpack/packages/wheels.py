"""Parse a wheel's file name: the Pythons and platforms that it supports."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass

from mlpack.packages.names import normalise

PLATFORMS = {"linux/amd64": "x86_64", "linux/arm64": "aarch64"}


@dataclass(frozen=True, kw_only=True)
class Wheel:
    """The parts of a wheel's file name (PEP 427): normalised distribution, version, compatibility tags."""

    filename: str
    name: str
    version: str
    pythons: tuple[str, ...]
    abis: tuple[str, ...]
    platforms: tuple[str, ...]

    def fits(self, python: str, platform: str) -> bool:
        """Whether CPython `python` ("3.11") on `platform` ("linux/amd64") with the base image's libc can load it."""
        return self.fits_platform(python, platform) and any(
            _fits_python(tag, abi, python) for tag in self.pythons for abi in self.abis
        )

    def fits_platform(self, python: str, platform: str) -> bool:
        """Whether its binaries run on the platform, whatever the Python's version is."""
        return any(_fits_platform(tag, PLATFORMS[platform], glibc(python)) for tag in self.platforms)


@functools.lru_cache(maxsize=100_000)  # a page of thousands of files is searched once for each Python
def parse_wheel(filename: str) -> Wheel | None:
    """The wheel that a file name describes, None if it is not the name of a wheel."""
    parts = filename.removesuffix(".whl").split("-")
    if not filename.endswith(".whl") or len(parts) not in (5, 6):
        return None
    return Wheel(
        filename=filename,
        name=normalise(parts[0]),
        version=parts[1].replace("_", "-"),
        pythons=tuple(parts[-3].split(".")),
        abis=tuple(parts[-2].split(".")),
        platforms=tuple(parts[-1].split(".")),
    )


def glibc(python: str) -> tuple[int, int]:
    """The glibc version of the slim base image for a Python: bookworm's, or bullseye's for older Pythons."""
    return (2, 31) if _minor(python) <= 9 else (2, 36)


def manylinux(python: str, platform: str) -> str:
    """Uv's name of the target: `x86_64-manylinux_2_36`."""
    major, minor = glibc(python)
    return f"{PLATFORMS[platform]}-manylinux_{major}_{minor}"


def _fits_python(tag: str, abi: str, python: str) -> bool:
    """PEP 425 for CPython: its own tag, older tags with the stable ABI, or `py3` tags without an ABI."""
    found = re.fullmatch(r"(cp|py)(\d)(\d*)", tag)
    if found is None or found[2] != "3":
        return False
    minor, wanted = int(found[3] or 0), _minor(python)
    if found[1] == "py":
        return abi == "none" and minor <= wanted
    if abi == "abi3":
        return minor <= wanted
    return minor == wanted and abi in ("none", f"cp3{wanted}", f"cp3{wanted}m")


def _fits_platform(tag: str, machine: str, libc: tuple[int, int]) -> bool:
    """PEP 600: `manylinux_X_Y` runs on glibc X.Y and newer; the older names are aliases."""
    if tag in ("any", f"linux_{machine}"):
        return True
    aliases = {"manylinux1": (2, 5), "manylinux2010": (2, 12), "manylinux2014": (2, 17)}
    found = re.fullmatch(r"(manylinux\d+|manylinux_(\d+)_(\d+))_(x86_64|aarch64)", tag)
    if found is None or found[4] != machine:
        return False
    needed = (int(found[2]), int(found[3])) if found[2] else aliases.get(found[1])
    return needed is not None and needed <= libc


def _minor(python: str) -> int:
    return int(python.split(".")[1])
