"""Which distributions a Keras file needs: Keras 3 itself, tf-keras for what Keras 2 wrote, or what the user says."""

from __future__ import annotations

import re
from dataclasses import dataclass

from mlpack.artifacts.model import Requirement

_FIRST_TF_KERAS = (2, 16)  # before it, TensorFlow brought Keras 2 along, under the same number
_FIRST_IN_TENSORFLOW = (2, 5)


@dataclass(frozen=True, kw_only=True)
class Needs:
    """The distributions, those that are never installed, and whether tf-keras takes Keras's place."""

    requirements: tuple[Requirement, ...]
    excludes: tuple[str, ...] = ()
    legacy: bool = False


def needs_of(version: str | None, word: str | None) -> Needs:
    """What a file of that version needs; `word` is the user's (`keras==3.3.3`, `tensorflow==2.12.0`) and comes first.

    A file of Keras 2 is read by the newest tf-keras, unless the user names the TensorFlow or Keras that made it.
    """
    name, _, said = (word or "").replace(" ", "").partition("==")
    line = _number(said)[:2]
    if name in ("keras", "tensorflow") and said and _FIRST_IN_TENSORFLOW <= line < _FIRST_TF_KERAS:
        return _as_it_was(name, said, line)
    if name == "keras" and said:
        version = said
    if not _is_legacy(version):
        keras = Requirement(
            module="keras", distribution="keras", version=_exact(version), newest=version is None, constraint=">=3"
        )
        tensorflow = Requirement(module="tensorflow", distribution="tensorflow", constraint=">=2.16.1", newest=True)
        return Needs(requirements=(keras, tensorflow))
    recorded = _number(version or "")[:2]
    own = recorded >= _FIRST_TF_KERAS
    bound = f"=={recorded[0]}.{recorded[1]}.*" if own else ">=2.16.1"
    return Needs(
        requirements=(
            Requirement(
                module="keras",
                distribution="tf-keras",
                version=_exact(version) if own else None,
                newest=not own,
                reads=f"Keras {'.'.join(map(str, _number(version)))}" if version else "",
            ),
            Requirement(module="tensorflow", distribution="tensorflow", constraint=bound, newest=True),
        ),
        excludes=("tensorflow",),  # tf-keras requires it, and its wheel would overwrite tensorflow-cpu's files
        legacy=True,
    )


def _as_it_was(name: str, version: str, line: tuple[int, ...]) -> Needs:
    """TensorFlow before 2.16, with the Keras of its own number."""
    # Keras came out some days before the TensorFlow of its number, whose candidates are not meant.
    pinned = version if name == "tensorflow" else f"{line[0]}.{line[1]}.0"
    tensorflow = Requirement(module="keras", distribution="tensorflow", version=pinned)
    # TensorFlow 2.12 requires jax, which serving never imports and which had no wheels at that time.
    return Needs(requirements=(tensorflow,), excludes=("jax", "jaxlib") if line == (2, 12) else ())


def _is_legacy(version: str | None) -> bool:
    """Whether Keras 2 (or 1) wrote the file; one without a version is Keras 3's."""
    return version is not None and _number(version) < (3,)


def _exact(version: str | None) -> str | None:
    """The release as the index knows it: Keras in TensorFlow called itself 2.2.4-tf."""
    return None if version is None else version.partition("-")[0]


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version.partition("-")[0])[:3])
