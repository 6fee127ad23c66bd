"""Plugins are found by name, built in or from another package, and imported only when asked for."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from mlpack.errors import UsageError
from mlpack.formats.sklearn import SklearnFormat
from mlpack.plugins import BUILT_IN, load, names


def _package(folder: Path, points: str) -> None:
    """An installed package with entry points, as pip leaves it."""
    info = folder / "stranger-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: stranger\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(points)
    (folder / "stranger.py").write_text("class Room:\n    class Target: pass\n")


def test_built_in_ones() -> None:
    """Every built-in name leads to a class."""
    assert load("formats", "sklearn") is SklearnFormat
    for kind, table in BUILT_IN.items():
        assert set(table) <= set(names(kind))
        for name in table:
            assert isinstance(load(kind, name), type)


def test_an_unknown_name_lists_the_others() -> None:
    """The failure names what there is."""
    with pytest.raises(UsageError) as caught:
        load("engines", "podman")
    assert "podman" in caught.value.message
    assert caught.value.hint.startswith("Available engines: docker")


def test_another_packages_plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An entry point is a name like ours; it cannot take the name of a built-in one; a broken one is a usage error."""
    points = "[mlpack.targets]\nmoon = stranger:Room.Target\nmars = stranger:Missing\n[mlpack.formats]\nsklearn = stranger:Room\n"
    _package(tmp_path, points)
    monkeypatch.syspath_prepend(str(tmp_path))
    assert names("targets") == (*BUILT_IN["targets"], "mars", "moon")
    assert "stranger" not in sys.modules
    assert load("targets", "moon").__name__ == "Target"
    assert load("formats", "sklearn") is SklearnFormat
    with pytest.raises(UsageError, match="mars"):
        load("targets", "mars")
    monkeypatch.delitem(sys.modules, "stranger")
