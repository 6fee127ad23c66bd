"""Which release of XGBoost reads a model: the one that it records, or the last of its line."""

from __future__ import annotations

from mlpack.artifacts.model import Requirement

# The old binary form tells major and minor only; this is the last release of each line that wrote it.
_LAST = {
    (1, 0): "1.0.2", (1, 1): "1.1.1", (1, 2): "1.2.1", (1, 3): "1.3.3", (1, 4): "1.4.2", (1, 5): "1.5.2", (1, 6): "1.6.2",
    (1, 7): "1.7.6", (2, 0): "2.0.3", (2, 1): "2.1.4", (3, 0): "3.0.5",
}  # fmt: skip
_BINARY_UNTIL = "<2"  # what was written before 1.0 records nothing, and was only ever read by 0.x and 1.x without doubt


def xgboost_version(recorded: tuple[int, ...]) -> str | None:
    """The release to install for a recorded version; None when none is recorded."""
    if len(recorded) >= 3:
        return ".".join(map(str, recorded[:3]))
    return _LAST.get((recorded[0], recorded[1])) if len(recorded) == 2 else None


def xgboost_requirement(recorded: tuple[int, ...], *, binary: bool) -> Requirement:
    """XGBoost as the file needs it."""
    version = xgboost_version(recorded)
    return Requirement(
        module="xgboost",
        distribution="xgboost",
        version=version,
        constraint=_BINARY_UNTIL if binary and version is None else "",
        newest=version is None,
    )
