"""Distribution: what is known of one distribution on the index beside its own metadata; the model formats declare them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Distribution:
    """Facts about the distribution `name` (normalised) that its metadata do not tell.

    `cpu` is the distribution of the same versions without CUDA, `gpu` the requirement that brings CUDA along ("" for none).
    `cpu_index` is an index of builds for CPUs whose versions end in `+cpu`; it is used where the user's sources have none.
    `needless` is what it requires for several GPUs and never loads on a CPU. `bounds` are (release, constraint): releases
    before that one cannot be imported without the constraint. `system_libraries` are Debian packages that it loads at run
    time and slim images lack. `test_folders` are its top-level packages whose test folders the image leaves out.
    """

    name: str
    cpu: str = ""
    gpu: str = ""
    cpu_index: str = ""
    needless: tuple[str, ...] = ()
    bounds: tuple[tuple[str, str], ...] = ()
    system_libraries: tuple[str, ...] = ()
    test_folders: tuple[str, ...] = ()

    @property
    def cpu_page(self) -> str:
        """The page of `cpu_index` that lists this distribution alone; "" without an index."""
        return f"{self.cpu_index}/{self.name}/" if self.cpu_index else ""
