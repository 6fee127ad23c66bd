"""Distribution: facts about a distribution that its metadata lack; the model formats declare them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Distribution:
    """Facts about the distribution `name` (normalised) that are not in its metadata.

    `cpu` is the distribution of the same versions without CUDA, `gpu` the requirement that installs CUDA ("" for none).
    `cpu_index` is an index of CPU builds whose versions end in `+cpu`; it is used when the user's sources have none.
    `needless` are its requirements that a CPU build never loads. `bounds` are (release, constraint): releases before that
    one cannot be imported without the constraint. `system_libraries` are Debian packages that it loads at run time and
    slim images lack. `test_folders` are its top-level packages whose test folders the image leaves out.
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
