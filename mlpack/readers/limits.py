"""Limits for reading a file, against decompression bombs and other hostile files."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from mlpack.errors import UnreadableModelError

KIB, MIB = 1 << 10, 1 << 20


class CutOffError(Exception):
    """Reading cannot continue; the text is the reason, a sentence without a full stop."""


@contextmanager
def reading_errors(name: str, what: str) -> Iterator[None]:
    """Convert a CutOffError into UnreadableModelError; `what` is the format that the file's first bytes indicate."""
    try:
        yield
    except CutOffError as stopped:
        raise UnreadableModelError(
            f"{name} begins like {what}, but cannot be read: {stopped}.",
            hint="Save the model again, or fetch the file again.",
        ) from stopped


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Limits in bytes and counts, chosen so that ordinary model files never exceed them.

    The limit on decompressed bytes is the larger of `output` and `output_ratio` times the file's size, because only a large
    file decompresses to a large model; the limits on opcodes and objects follow the same rule.
    """

    kept_array: int = 64 * KIB
    kept_text: int = 1 * MIB
    kept_models: int = 32 * MIB  # total bytes of framework-specific models inside a pickle
    output: int = 512 * MIB
    output_ratio: int = 100
    walked: int = 4 * MIB
    walked_ratio: int = 16
    objects: int = 2_000_000
    bytes_per_object: int = 8
    members: int = 100_000


class Budget:
    """The remaining limits of one file, shared by all its members: decompressed bytes, opcode bytes, objects."""

    def __init__(self, limits: Limits, size: int) -> None:
        self.limits, self.size = limits, size
        self.output = max(limits.output, limits.output_ratio * size)
        self.walked = limits.walked + limits.walked_ratio * size
        self.objects = limits.objects + size // limits.bytes_per_object

    def spend_output(self, count: int) -> None:
        """Count decompressed bytes; raises CutOffError above the limit for the file's size."""
        self.output -= count
        if self.output < 0:
            raise CutOffError("it decompresses to too much data for its size (a decompression bomb)")

    def spend_walk(self, count: int, objects: int) -> None:
        """Count opcode bytes and created objects; raises CutOffError above the limit for the file's size."""
        self.walked -= count
        self.objects -= objects
        if self.walked < 0 or self.objects < 0:
            raise CutOffError("it creates too many objects for its size")
