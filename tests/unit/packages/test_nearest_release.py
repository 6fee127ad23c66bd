"""A version that no index has: the error proposes the release that most likely reads the file."""

from __future__ import annotations

import pytest

from mlpack.errors import ResolveError
from mlpack.packages.index.pages import IndexFile
from mlpack.packages.pythons import usable_pythons

PLATFORM = "linux/amd64"
VERSIONS = ("1.8.0", "1.9.0rc1", "1.9.0", "1.9.1", "1.11.0", "1.11.1", "2.0.0.dev1")


@pytest.mark.parametrize(
    ("version", "proposed"),
    [
        ("1.10.dev0", "1.9.1"),
        ("1.11.dev0", "1.11.0"),
        ("1.9.5", "1.9.1"),
        ("1.9.dev0+git20250101", "1.9.0"),
        ("1.2.0", "1.8.0"),
        ("2.0.0.dev0", "1.11.1"),
    ],
)
def test_the_nearest_release_is_proposed(version: str, proposed: str) -> None:
    """Its own release, else the newest of its series, else the one before it, else the one after it."""
    files = tuple(
        IndexFile(filename=f"scikit_learn-{one}-py3-none-any.whl", url=f"https://index.example/{one}")
        for one in VERSIONS
    )
    with pytest.raises(ResolveError, match="on the package index") as caught:
        usable_pythons({"scikit-learn": version}, {"scikit-learn": files}, PLATFORM, None)
    assert f"--framework scikit-learn=={proposed} " in caught.value.hint
    assert ("development version" in caught.value.message) == ("dev" in version)
