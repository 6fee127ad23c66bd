"""Which distributions a Keras file needs: Keras 3 itself, or for what Keras 2 wrote its successor tf-keras."""

from __future__ import annotations

import re

from mlpack.artifacts.model import Requirement

# tf-keras asks for `tensorflow`, whose wheel would land over tensorflow-cpu's files.
EXCLUDES = ("tensorflow",)
_FIRST_TF_KERAS = (2, 16)  # before it, tf-keras's releases are not what TensorFlow takes for Keras 2


def is_legacy(version: str | None) -> bool:
    """Whether Keras 2 (or 1) wrote the file; one without a version is Keras 3's."""
    return version is not None and _number(version) < (3,)


def requirements_of(version: str | None, backend: str | None) -> tuple[Requirement, ...]:
    """The distributions, the pinned one first. A file of Keras 2 is read by the newest tf-keras, on TensorFlow of its line."""
    del backend  # TensorFlow runs what the others' backends saved, too
    if not is_legacy(version):
        keras = Requirement(
            module="keras", distribution="keras", version=_exact(version), newest=version is None, constraint=">=3"
        )
        return keras, Requirement(module="tensorflow", distribution="tensorflow", constraint=">=2.16.1", newest=True)
    line = _number(version or "")[:2]
    if line >= _FIRST_TF_KERAS:
        own = f"=={line[0]}.{line[1]}.*"
        return (
            Requirement(module="keras", distribution="tf-keras", version=_exact(version)),
            Requirement(module="tensorflow", distribution="tensorflow", constraint=own, newest=True),
        )
    return (
        Requirement(module="keras", distribution="tf-keras", newest=True),
        Requirement(module="tensorflow", distribution="tensorflow", constraint=">=2.16.1", newest=True),
    )


def _exact(version: str | None) -> str | None:
    """The release as the index knows it: Keras in TensorFlow called itself 2.2.4-tf."""
    return None if version is None else version.partition("-")[0]


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version.partition("-")[0])[:3])
