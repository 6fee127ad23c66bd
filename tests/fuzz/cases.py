"""The values that pass between generators, oracles and the runner: Input, Failure, Outcome, Kind."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from tests.fuzz.loaders.client import Loaders


@dataclass(frozen=True, kw_only=True)
class Input:
    """A generated file: its bytes, the end of its name, and by which rules it was made."""

    data: bytes
    suffix: str
    recipe: str


@dataclass(frozen=True, kw_only=True)
class Failure:
    """A promise that a file breaks. Failures of one `promise`, `loader` and `about` count as one."""

    promise: str  # unlisted, effect, call, crash, exception, slow, memory, different, inspection-effect
    loader: str
    about: str
    detail: str

    @property
    def key(self) -> str:
        """What tells kinds of failures apart."""
        return f"{self.promise} {self.about}".strip()


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What one input gave: inspection's `verdict`, whether a loader read the file to its end, and the failures."""

    verdict: str
    loaded: bool
    failures: tuple[Failure, ...] = ()
    seconds: Mapping[str, float] = field(default_factory=dict)


class Kind(Protocol):
    """A kind of input: makes it from a random number generator, and holds it against the real loaders."""

    groups: tuple[str, ...]  # of loaders that its oracle uses

    def make(self, rng: random.Random) -> Input:
        """An input; the same numbers give the same bytes."""

    def check(self, path: Path, loaders: Mapping[str, Loaders], rng: random.Random) -> Outcome:
        """Inspect the file and load it; `rng` picks loaders that are too slow to run on every file."""


class Always(random.Random):
    """In place of an input's random numbers: every loader runs that otherwise runs on some files only."""

    def random(self) -> float:
        """The smallest number."""
        return 0.0


def generator(kind: str, number: int) -> random.Random:
    """The random numbers of an input: all that it is follows from its kind and number."""
    return random.Random(f"{kind}:{number}")
