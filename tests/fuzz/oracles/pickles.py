"""Pickles: every name that an unpickler, joblib, numpy or torch looks up must be among those that inspection listed."""

from __future__ import annotations

import importlib.util
import random
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

from tests.fuzz.cases import Input, Outcome
from tests.fuzz.generators import pickles as generated
from tests.fuzz.inspection import Seen, Watch, pickles
from tests.fuzz.loaders.client import Loaders, Reached
from tests.fuzz.oracles.reaching import broken_promises

_ALWAYS = ("pickle", "joblib")
_PLAIN = ("pickle", "pickle.py", "pickle*")
_REALLY = ("pickle*", "joblib*")  # with the real objects of all allowed names


class Pickles:
    """Pickle files of all kinds."""

    groups: tuple[str, ...] = ("pickles", "torch")

    def __init__(self, watch: Watch) -> None:
        self._watch = watch

    def make(self, rng: random.Random) -> Input:
        """A file that holds pickles."""
        return generated.make(rng)

    def check(self, path: Path, loaders: Mapping[str, Loaders], rng: random.Random) -> Outcome:
        """Inspect it, load it with each loader, compare the names."""
        seen = self._watch.run(lambda: pickles(path))
        wanted = list(_ALWAYS)
        wanted += ["pickle.py"] if rng.random() < 0.3 else []
        wanted += ["joblib.mmap"] if rng.random() < 0.1 else []
        wanted += ["numpy"] if rng.random() < 0.15 or path.suffix in (".npy", ".npz") else []
        reached = loaders["pickles"].run(path, wanted)
        if seen.verdict == "safe":
            reached += loaders["pickles"].run(path, _REALLY, real=sorted(seen.globals))
        if seen.accepted and seen.facts.container == "joblib":
            reached = [_up_to_an_import_error(seen, one) if one.loader in _PLAIN else one for one in reached]
        if "torch" in loaders and rng.random() < 0.1:
            reached += loaders["torch"].run(path, ["torch"])
        return outcome(seen, reached)


def _up_to_an_import_error(seen: Seen, one: Reached) -> Reached:
    """What a loader without joblib reaches until it finds in an array's bytes a module that there is not.

    The loaders here have a stand-in for each module, and go on; inspection stops there, as Python does.
    """
    for place, event in enumerate(one.events):
        if event[0] == "global" and (event[1], event[2]) not in seen.globals and not _is_installed(event[1]):
            return replace(one, events=one.events[:place], signal=0)
    return one


@cache
def _is_installed(module: str) -> bool:
    root = {"__builtin__": "builtins", "copy_reg": "copyreg"}.get(module, module).partition(".")[0]
    try:
        return root in sys.modules or importlib.util.find_spec(root) is not None
    except (ImportError, ValueError):
        return False


def outcome(seen: Seen, reached: Sequence[Reached]) -> Outcome:
    """The outcome where only names and effects are compared."""
    failures = (*seen.failures, *broken_promises(seen, reached))
    loaded = any(one.status == "loaded" for one in reached)
    return Outcome(verdict=seen.verdict, loaded=loaded, failures=failures)
