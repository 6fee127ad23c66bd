"""The time that companions are taken from."""

from datetime import datetime, timezone
from typing import Any

import pytest

from mlpack.packages.era import CAPS, Era, find_era, was_released
from mlpack.packages.index.pages import IndexFile

NOW = datetime(2026, 11, 21, tzinfo=timezone.utc)


def era(uploads: dict[str, str | None], **changes: Any) -> Era:
    """The era of distributions at version 1.2.2, uploaded when `uploads` says."""
    files = {
        name: (IndexFile(filename=f"{name.replace('-', '_')}-1.2.2-py3-none-any.whl", url="u", upload_time=time),)
        for name, time in uploads.items()
    }
    values: dict[str, Any] = {"python": "3.11", "platform": "linux/amd64", "numpy_major": None, "now": NOW}
    return find_era(dict.fromkeys(uploads, "1.2.2"), files, **{**values, **changes})


def test_the_cutoff_is_a_little_after_the_release() -> None:
    """Fourteen days after the upload, to the second; the reason names release and cut-off."""
    found = era({"scikit-learn": "2023-03-09T09:57:10.488123Z"})
    assert found.cutoff == "2023-03-23T09:57:10Z"
    assert "2023-03-09" in found.reasons[0]
    assert "2023-03-23" in found.reasons[0]


def test_the_newest_of_several_decides() -> None:
    """With two recorded versions the set is of the later one's time."""
    found = era({"scikit-learn": "2023-03-09T09:57:10Z", "lightgbm": "2023-07-01T00:00:00Z"})
    assert found.cutoff == "2023-07-15T00:00:00Z"


def test_a_current_framework_is_of_today() -> None:
    """What came out within the window has no cut-off, and the reason says so."""
    found = era({"scikit-learn": "2026-11-15T00:00:00Z"})
    assert found.cutoff is None
    assert "recent" in found.reasons[0]


@pytest.mark.parametrize(
    ("uploaded", "numpy_major", "constraints"),
    [
        ("2023-03-09T00:00:00Z", None, ("numpy<2",)),
        ("2025-03-09T00:00:00Z", None, ()),
        ("2025-03-09T00:00:00Z", 1, ("numpy<2",)),
        ("2025-03-09T00:00:00Z", 2, ("numpy>=2",)),
        (None, 1, ("numpy<2",)),
    ],
)
def test_numpys_side_follows_the_file_then_the_date(
    uploaded: str | None, numpy_major: int | None, constraints: tuple[str, ...]
) -> None:
    """The file's own word on numpy wins; without it a framework from before numpy 2 stays before it."""
    assert era({"scikit-learn": uploaded}, numpy_major=numpy_major).constraints == constraints


def test_a_file_of_numpy_2_gets_a_time_with_numpy_2() -> None:
    """A framework from weeks before numpy 2, with a file that numpy 2 wrote, is taken as of numpy 2."""
    found = era({"scikit-learn": "2024-04-09T00:00:00Z"}, numpy_major=2)
    assert found.cutoff == "2024-06-30T00:00:00Z"


def test_an_index_without_times_gets_the_known_caps_and_says_so() -> None:
    """No upload time: scikit-learn's caps by its minor version, named in the reason; others get today's, named too."""
    found = era({"scikit-learn": None})
    assert found.cutoff is None
    assert found.caps == CAPS[1, 2]
    assert "has no date for scikit-learn" in found.reasons[0]
    assert "numpy<1.25" in found.reasons[0]
    assert "no upper bounds are known" in era({"lightgbm": None}).reasons[0]


def test_no_python_is_tried_before_it_was_out() -> None:
    """Companions of a time before a Python cannot have wheels for it."""
    assert was_released("3.9", "2021-02-01T00:00:00Z")
    assert not was_released("3.11", "2022-02-01T00:00:00Z")
    assert was_released("3.14", None)
