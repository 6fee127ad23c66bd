"""What a torch file needs: torch itself at its recorded version or the newest that reads it, and the packages it names."""

from __future__ import annotations

import sys

from mlpack.artifacts.model import Requirement
from mlpack.formats.base import Artifact
from mlpack.packages.names import version_key
from mlpack.readers.distributions import DISTRIBUTIONS, PYTHON2
from mlpack.readers.pickles.values import PickleFile

_NUMPY_2 = (2, 3)  # torch before 2.3 was compiled for numpy 1


def version_of(artifact: Artifact, recorded: str | None = None) -> str | None:
    """The version of torch: the file's own (without `+cu121`), else the user's word (`torch==2.3.1`), else None."""
    name, _, word = (artifact.framework or "").partition("==")
    said = word.strip() if name.strip().lower() in ("torch", "pytorch") and word.strip() else None
    return recorded.partition("+")[0] if recorded else said


def requirements_of(
    version: str | None, pickle: PickleFile | None = None, *, also: tuple[str, ...] = ()
) -> tuple[tuple[Requirement, ...], tuple[str, ...]]:
    """The distributions, torch first, and the modules that none is known for (`__main__`, the user's own)."""
    modules = {name.module.partition(".")[0] for name in pickle.globals} if pickle is not None else set()
    modules -= PYTHON2 | set(sys.stdlib_module_names) | {"torch", "numpy", "__torch__"}
    missing = tuple(sorted(module for module in modules if module not in DISTRIBUTIONS))
    others = sorted({DISTRIBUTIONS[module]: module for module in (*modules, *also) if module in DISTRIBUTIONS}.items())
    torch = Requirement(module="torch", distribution="torch", version=version, newest=version is None)
    numpy = Requirement(module="numpy", distribution="numpy", constraint="<2" if _old(version) else "")
    return (
        torch,
        numpy,
        *(Requirement(module=module, distribution=name) for name, module in others if name not in ("torch", "numpy")),
    ), missing


def _old(version: str | None) -> bool:
    known = version_key(version or "")[:2]
    return len(known) == 2 and known < _NUMPY_2
