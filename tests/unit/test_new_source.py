"""A source of models from another package: every command that takes a model takes its references, with nothing in mlpack changed."""

from __future__ import annotations

import json
import pickle
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from sklearn.linear_model import LinearRegression
from typer.testing import CliRunner

from mlpack.artifacts.model_reference import reference_of
from mlpack.cli.app import app
from mlpack.config import load_config
from mlpack.errors import ModelError, UsageError
from mlpack.pipeline.render import service_name

SOURCE = '''
import shutil
from pathlib import Path
from mlpack.artifacts.progress import Progress
from mlpack.errors import ModelError


class Shelf:
    """Models on a shelf: `shelf://NAME` is a file in a folder of this machine, copied as from a network."""

    name = "shelf"

    def accepts(self, reference):
        return reference.startswith("shelf://")

    def fetch(self, reference, *, folder, on_progress):
        kept = Path(__file__).parent / "kept" / reference.removeprefix("shelf://")
        if not kept.is_file():
            raise ModelError(f"the shelf has no {reference}", hint="Look at what it has.")
        target = folder / "shelf" / kept.name
        target.parent.mkdir(parents=True, exist_ok=True)
        on_progress(Progress(step="fetch", title=kept.name, current=0, total=kept.stat().st_size))
        return Path(shutil.copy(kept, target))
'''
REFERENCE = "shelf://churn.pkl"


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An installed package with the source, a model on its shelf, and an empty working folder."""
    info = tmp_path / "site" / "shelves-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: shelves\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[mlpack.sources]\nshelf = shelves:Shelf\n")
    (tmp_path / "site" / "shelves.py").write_text(SOURCE)
    kept = tmp_path / "site" / "kept"
    kept.mkdir()
    (kept / "churn.pkl").write_bytes(pickle.dumps(LinearRegression().fit([[0.0], [1.0]], [0.0, 2.0])))
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    monkeypatch.chdir(work)
    monkeypatch.setenv("MLPACK_CACHE", str(tmp_path / "cache"))
    yield work
    sys.modules.pop("shelves", None)


def test_a_reference_on_the_command_line(shelf: Path) -> None:
    """Fetched and inspected; a missing model is the source's own error, another scheme names the sources that there are."""
    ended = CliRunner().invoke(app, ["inspect", REFERENCE, "--json"])
    assert ended.exit_code == 0, ended.output
    found = json.loads(ended.stdout)
    assert (found["format"], found["safety"]["verdict"]) == ("sklearn", "safe")
    ended = CliRunner().invoke(app, ["inspect", "shelf://none.pkl", "--json"])
    assert isinstance(ended.exception, ModelError)
    assert "the shelf has no shelf://none.pkl" in ended.exception.message
    ended = CliRunner().invoke(app, ["build", "moon://churn.pkl"])
    assert isinstance(ended.exception, UsageError)
    assert ended.exception.hint == "Installed sources: files, shelf."
    assert not list(shelf.iterdir())


def test_a_reference_in_mlpack_yaml(shelf: Path) -> None:
    """`init` writes it into this folder, and commands without an argument take it from there."""
    ended = CliRunner().invoke(app, ["init", REFERENCE, "--json"])
    assert ended.exit_code == 0, ended.output
    written = yaml.safe_load((shelf / "mlpack.yaml").read_text())
    assert (written["model"], written["name"]) == (REFERENCE, "churn")
    assert load_config(shelf / "mlpack.yaml").model == REFERENCE
    ended = CliRunner().invoke(app, ["inspect", "--json"])
    assert json.loads(ended.stdout)["root_class"].endswith("LinearRegression")


@pytest.mark.parametrize(
    ("reference", "name"),
    [(REFERENCE, "churn"), ("s3://bucket/churn/model.pkl?versionId=3", "churn"), ("no/such/churn.pkl", "churn-pkl")],
)
def test_the_service_is_named_by_the_reference(reference: str, name: str) -> None:
    """As by a path: the file's stem, or its folder's where the stem says nothing."""
    assert service_name(load_config(None), reference_of(reference)) == name


def test_what_is_a_reference() -> None:
    """Text with a scheme; a drive of Windows is none."""
    for reference in ("s3://bucket/model.pkl", "models:/churn/3", "hf://org/name@main"):
        assert reference_of(reference) == reference
    for path in ("model.pkl", "./a:b/model.pkl", "c:/models/model.pkl", "/models/x"):
        assert reference_of(path) == Path(path)
