"""The XGBoost release for a model: the recorded one, or the last of its minor version."""

from __future__ import annotations

from mlpack.artifacts.model import Requirement

# The old binary form records major and minor only; these are the last releases of each minor version.
_LAST = {
    (1, 0): "1.0.2", (1, 1): "1.1.1", (1, 2): "1.2.1", (1, 3): "1.3.3", (1, 4): "1.4.2", (1, 5): "1.5.2", (1, 6): "1.6.2",
    (1, 7): "1.7.6", (2, 0): "2.0.3", (2, 1): "2.1.4", (3, 0): "3.0.5",
}  # fmt: skip
_BINARY_UNTIL = "<2"  # files from before 1.0 record no version, and only 0.x and 1.x read them reliably


def xgboost_version(recorded: tuple[int, ...]) -> str | None:
    """The release to install for a recorded version; None without one."""
    if len(recorded) >= 3:
        return ".".join(map(str, recorded[:3]))
    return _LAST.get((recorded[0], recorded[1])) if len(recorded) == 2 else None


def xgboost_requirement(recorded: tuple[int, ...], *, binary: bool) -> Requirement:
    """The requirement on XGBoost for a file."""
    version = xgboost_version(recorded)
    return Requirement(
        module="xgboost",
        distribution="xgboost",
        version=version,
        constraint=_BINARY_UNTIL if binary and version is None else "",
        newest=version is None,
    )
