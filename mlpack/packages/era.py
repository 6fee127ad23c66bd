"""The cut-off date for a model's dependencies: shortly after the release of the versions that its file records."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

from mlpack.packages.index.pages import IndexFile
from mlpack.packages.names import version_key
from mlpack.packages.pythons import wheels_of

# Measured for all releases of scikit-learn from 0.24.0 to 1.9.1: with 14 days each has a set with wheels; with 30, 1.2.2
# gets pandas 2 and 1.0.2 pandas 1.4; with 60, 1.1.3 gets numpy 1.24 and 1.8.0 pandas 3, which are incompatible.
WINDOW = timedelta(days=14)
# Before this date few wheels existed for the oldest Python with an image (3.9).
EARLIEST = datetime(2021, 2, 1, tzinfo=timezone.utc)
# Release dates of the Pythons: no package has wheels for one before its release (PEPs 619, 664, 693, 719, 745).
PYTHON_RELEASED = {
    "3.10": "2021-10-04",
    "3.11": "2022-10-24",
    "3.12": "2023-10-02",
    "3.13": "2024-10-07",
    "3.14": "2025-10-07",
}
# numpy 2 changed the binary interface: packages built before it cannot use it, and its pickles need it.
NUMPY_2 = datetime(2024, 6, 16, tzinfo=timezone.utc)

# For an index without upload times: by scikit-learn's minor version, the first versions of its dependencies that are too
# new for it (from PyPI's upload times; a test compares them).
CAPS: dict[tuple[int, int], tuple[str, ...]] = {
    (0, 24): ("numpy<1.21", "scipy<1.7", "pandas<1.3", "joblib<1.1"),
    (1, 0): ("numpy<1.23", "scipy<1.8", "pandas<1.4", "joblib<1.2"),
    (1, 1): ("numpy<1.24", "scipy<1.10", "pandas<1.6", "joblib<1.3"),
    (1, 2): ("numpy<1.25", "scipy<1.11", "pandas<2", "joblib<1.3"),
    (1, 3): ("numpy<1.27", "scipy<1.12", "pandas<2.2", "joblib<1.4"),
    (1, 4): ("numpy<2", "scipy<1.14", "pandas<2.3", "joblib<1.5"),
    (1, 5): ("numpy<2.2", "scipy<1.15", "pandas<2.3", "joblib<1.5"),
    (1, 6): ("numpy<2.3", "scipy<1.16", "pandas<2.3", "joblib<1.5"),
    (1, 7): ("numpy<2.4", "scipy<1.17", "pandas<3", "joblib<1.6"),
    (1, 8): ("numpy<2.4", "scipy<1.17", "pandas<3", "joblib<1.6"),
}


@dataclass(frozen=True, kw_only=True)
class Era:
    """The cut-off (RFC 3339, None for today), more constraints, and the reasons; `caps` are for files without a date."""

    cutoff: str | None
    constraints: tuple[str, ...]
    caps: tuple[str, ...]
    reasons: tuple[str, ...]


def find_era(
    pins: Mapping[str, str],
    files: Mapping[str, tuple[IndexFile, ...]],
    *,
    python: str,
    platform: str,
    numpy_major: int | None,
    now: datetime,
) -> Era:
    """The cut-off that follows from the release dates of the recorded versions; the newest of them decides."""
    if not pins:
        return Era(cutoff=None, constraints=_numpy(numpy_major, None), caps=(), reasons=())
    caps = _caps(pins, numpy_major)
    released = {
        name: time
        for name, version in pins.items()
        if (time := _first_upload(wheels_of(version, files[name], python, platform))) is not None
    }
    if len(released) < len(pins):
        return Era(
            cutoff=None,
            constraints=_numpy(numpy_major, None),
            caps=caps,
            reasons=(_undated(set(pins) - set(released), caps),),
        )
    newest = max(released, key=lambda name: (released[name], name))
    which = f"{newest} {pins[newest]}"
    constraints = _numpy(numpy_major, released[newest])
    cutoff = max(released[newest] + WINDOW, EARLIEST)
    if numpy_major == 2:
        cutoff = max(cutoff, NUMPY_2 + WINDOW)
    reasons = (
        f"{which} was released on {released[newest]:%Y-%m-%d}; its dependencies are those of {cutoff:%Y-%m-%d}, "
        "and the web server's packages are the newest."
    )
    if cutoff > now:
        reasons = f"{which} is recent, so all packages are the newest."
    return Era(
        cutoff=None if cutoff > now else cutoff.strftime("%Y-%m-%dT%H:%M:%SZ"),
        constraints=constraints,
        caps=caps,
        reasons=(reasons, *_numpy_reason(constraints, numpy_major, which)),
    )


def _caps(pins: Mapping[str, str], numpy_major: int | None) -> tuple[str, ...]:
    """The known upper bounds for the recorded scikit-learn; none for other frameworks."""
    line = version_key(pins.get("scikit-learn", ""))
    known = CAPS.get((line[0], line[1]), ()) if len(line) >= 2 else ()
    # a file written with numpy 2 needs numpy 2
    return tuple(cap for cap in known if cap != "numpy<2") if numpy_major == 2 else known


def was_released(python: str, cutoff: str | None) -> bool:
    """Whether a Python was released before a cut-off."""
    return cutoff is None or PYTHON_RELEASED.get(python, "") <= cutoff


def _first_upload(files: Iterable[IndexFile]) -> datetime | None:
    """The earliest upload time of the files that fit the target; None if no index has a date."""
    times = []
    for file in files:
        # to the second: Python 3.10 cannot parse every fraction of a second, and all indexes use UTC
        found = re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", file.upload_time or "")
        if found:
            times.append(datetime.fromisoformat(found[0]).replace(tzinfo=timezone.utc))
    return min(times, default=None)


def _numpy(numpy_major: int | None, released: datetime | None) -> tuple[str, ...]:
    """The constraint to numpy 1 or 2: as the file records, else by the framework's release date."""
    if numpy_major == 1 or (numpy_major is None and released is not None and released < NUMPY_2):
        return ("numpy<2",)
    return ("numpy>=2",) if numpy_major == 2 else ()


def _numpy_reason(constraints: tuple[str, ...], numpy_major: int | None, which: str) -> tuple[str, ...]:
    if not constraints:
        return ()
    if numpy_major is None:
        return (f"numpy<2, because {which} was released before numpy 2.",)
    return (f"{constraints[0]}, because the file was written with numpy {numpy_major}.",)


def _undated(names: set[str], caps: tuple[str, ...]) -> str:
    which = " and ".join(sorted(names))
    start = f"The package index has no date for {which}"
    if caps:
        return f"{start}, so known upper bounds apply to its dependencies: {', '.join(caps)}."
    return f"{start} and no upper bounds are known for it, so its dependencies are the newest that fit."
