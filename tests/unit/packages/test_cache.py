"""Locks kept by what they were made from."""

from dataclasses import replace
from pathlib import Path

import pytest

from mlpack.artifacts.lock import LocalWheel, Lock
from mlpack.artifacts.prepared import Prepared
from mlpack.packages.cache import cache_key, keep_lock, load_lock
from tests.unit.packages.models import sklearn_model


@pytest.fixture
def lock(tmp_path: Path) -> Lock:
    """A lock with every field filled."""
    wheel = tmp_path / "six-1-py3-none-any.whl"
    wheel.write_bytes(b"wheel")
    return Lock(
        prepared=Prepared(info=sklearn_model("1.2.2")), python="3.11", platform="linux/amd64", base="python:3.11-slim", base_digest="sha256:1",
        requirements="six==1\n", installer="uv==1\n", reasons=("a", "b"), cutoff="2023-03-23T00:00:00Z",
        local_wheels=(LocalWheel(filename=wheel.name, path=wheel, sha256="ab"),), apt=("libgomp1",),
    )  # fmt: skip


def test_a_kept_lock_comes_back_whole(tmp_path: Path, lock: Lock) -> None:
    """All of it, for the model that asks now."""
    keep_lock(tmp_path / "locks", "k", lock)
    other = Prepared(info=replace(lock.info, path=Path("elsewhere.pkl")))
    assert load_lock(tmp_path / "locks", "k", other) == replace(lock, prepared=other)
    assert load_lock(tmp_path / "locks", "other", other) is None


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", '{"python": "3.11"}', '{"local_wheels": [], "nonsense": 1}', "\0"]
)
def test_a_broken_entry_is_no_entry(tmp_path: Path, lock: Lock, text: str) -> None:
    """A cut off or foreign file in the cache is as good as none."""
    keep_lock(tmp_path, "k", lock)
    (tmp_path / "k.json").write_text(text)
    assert load_lock(tmp_path, "k", lock.prepared) is None


def test_a_lock_whose_wheel_went_away_is_asked_anew(tmp_path: Path, lock: Lock) -> None:
    """A lock that could not be built any more is not given."""
    keep_lock(tmp_path, "k", lock)
    lock.local_wheels[0].path.unlink()
    assert load_lock(tmp_path, "k", lock.prepared) is None


def test_keeping_leaves_nothing_else(tmp_path: Path, lock: Lock) -> None:
    """Entries appear whole under their name; where nothing can be written, the lock is simply not kept."""
    keep_lock(tmp_path / "locks", "k", lock)
    keep_lock(tmp_path / "locks", "k", lock)
    assert [path.name for path in (tmp_path / "locks").iterdir()] == ["k.json"]
    (tmp_path / "file").write_text("")
    keep_lock(tmp_path / "file" / "locks", "k", lock)


def test_every_input_makes_its_own_key() -> None:
    """Another value or another input is another question; the order of inputs is not."""
    assert cache_key({"a": 1, "b": 2}) == cache_key({"b": 2, "a": 1})
    assert len({cache_key({"a": 1}), cache_key({"a": 2}), cache_key({"b": 1})}) == 3
