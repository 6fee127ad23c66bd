"""A user's sample rows, from each kind of file: the same rows, as JSON values."""

import json
from pathlib import Path

import pandas as pd
import pytest

from mlpack.errors import ConfigError
from mlpack.readers.samples import read_sample

ROWS = [
    {"age": 31, "pay": 1.5, "city": "Oslo", "member": True},
    {"age": 40, "pay": None, "city": None, "member": False},
]


@pytest.mark.parametrize("kind", ["csv", "json", "instances.json", "parquet"])
def test_rows_are_the_same_from_each_kind(tmp_path: Path, kind: str) -> None:
    """Numbers are numbers, gaps are null, texts are texts."""
    file = tmp_path / f"rows.{kind}"
    frame = pd.DataFrame(ROWS)
    if kind == "csv":
        frame.to_csv(file, index=False)
    elif kind == "parquet":
        frame.to_parquet(file)
    else:
        file.write_text(json.dumps(ROWS if kind == "json" else {"instances": ROWS}))
    found = read_sample(file)
    assert found == ROWS
    assert json.loads(json.dumps(found, allow_nan=False)) == ROWS


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_only_the_head_is_read(tmp_path: Path, kind: str) -> None:
    """Twenty rows are plenty, however long the file is; a date goes as text."""
    file = tmp_path / f"rows.{kind}"
    frame = pd.DataFrame({"n": range(5000), "day": pd.Timestamp("2026-01-02")})
    frame.to_csv(file, index=False) if kind == "csv" else frame.to_parquet(file)
    found = read_sample(file)
    assert len(found) == 20
    assert found[3]["n"] == 3
    assert str(found[3]["day"]).startswith("2026-01-02")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", b""),
        ("a.csv", b"only,a,header\n"),
        ("a.json", b"{"),
        ("a.json", b'{"rows": []}'),
        ("a.csv", b"\xff\xfe\x00"),
        ("a.parquet", b"PAR1"),
    ],
)
def test_what_is_no_sample_is_told(tmp_path: Path, name: str, content: bytes) -> None:
    """A file without rows, or not of its kind, is a configuration error with a remedy."""
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ConfigError) as told:
        read_sample(tmp_path / name)
    assert told.value.hint


def test_a_missing_sample_is_told(tmp_path: Path) -> None:
    """A path that is not there is a configuration error."""
    for name in ("none.csv", "none.parquet"):
        with pytest.raises(ConfigError, match=name):
            read_sample(tmp_path / name)
