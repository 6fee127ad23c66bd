"""How far a reader goes with a file before it says that the file is hostile."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from mlpack.errors import UnreadableModelError

KIB, MIB = 1 << 10, 1 << 20


class CutOffError(Exception):
    """Reading stops here: the text says why (a sentence without its full stop)."""


@contextmanager
def reading_errors(name: str, what: str) -> Iterator[None]:
    """What stops the reading of a file that began like `what`, as UnreadableModelError."""
    try:
        yield
    except CutOffError as stopped:
        raise UnreadableModelError(
            f"{name} begins like {what}, and cannot be read: {stopped}.",
            hint="Save the model again, or fetch the file again.",
        ) from stopped


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Bounds in bytes and counts; what grows with the file's own size on disk never hits an honest file.

    An honest model decompresses to more than `output` only when its file is large too, so the bound on output is the larger
    of `output` and `output_ratio` times the file's size; the same holds for the opcodes walked and the objects made.
    """

    kept_array: int = 64 * KIB
    kept_text: int = 1 * MIB
    kept_models: int = 32 * MIB  # of models in a framework's own form within a pickle, in all
    output: int = 512 * MIB
    output_ratio: int = 100
    walked: int = 4 * MIB
    walked_ratio: int = 16
    objects: int = 2_000_000
    bytes_per_object: int = 8
    members: int = 100_000


class Budget:
    """What is left to spend on one file, shared by all its members: bytes of output, bytes of opcodes, objects."""

    def __init__(self, limits: Limits, size: int) -> None:
        self.limits, self.size = limits, size
        self.output = max(limits.output, limits.output_ratio * size)
        self.walked = limits.walked + limits.walked_ratio * size
        self.objects = limits.objects + size // limits.bytes_per_object

    def spend_output(self, count: int) -> None:
        """Count decompressed bytes; raises CutOffError when they are out of all proportion to the file."""
        self.output -= count
        if self.output < 0:
            raise CutOffError("it decompresses to far more than its size allows (a decompression bomb)")

    def spend_walk(self, count: int, objects: int) -> None:
        """Count bytes of opcodes walked and objects made; raises CutOffError when they are out of all proportion."""
        self.walked -= count
        self.objects -= objects
        if self.walked < 0 or self.objects < 0:
            raise CutOffError("it unpacks to far more objects than its size allows")
