"""A format of another package, the one of docs/new-format.md: inspected, rendered and served, with nothing in mlpack changed."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from mlpack.artifacts.bundle import Bundle
from mlpack.artifacts.model import ModelInfo
from mlpack.cli.app import app
from mlpack.config import Config
from mlpack.errors import UsageError
from mlpack.formats.base import Artifact, Format, distributions_for, installed_formats
from mlpack.packages.distributions import Distribution
from mlpack.pipeline.inspect import inspect
from mlpack.pipeline.render import render, write
from mlpack.plugins import BUILT_IN
from tests import built_in
from tests.contract.served import started
from tests.new_format import CARD, install
from tests.unit.locks import make_lock


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with a scorecard among other files; the package is installed while the test runs."""
    (tmp_path / "site").mkdir()
    install(tmp_path / "site")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    models = tmp_path / "models"
    models.mkdir()
    (models / "churn.card").write_text(CARD)
    (models / "notes.txt").write_text("about the model")
    yield models
    for name in [one for one in sys.modules if one.partition(".")[0] == "scorecards"]:
        del sys.modules[name]


def rendered(folder: Path) -> Bundle:
    """The bundle of the scorecard in the folder, with a lock made by hand."""
    formats = installed_formats()
    info = inspect(folder, formats=list(formats.values()))
    format_ = formats[info.format]
    return render(
        make_lock(info.path, info=info),
        config=Config(name="churn"),
        loader=format_.loader,
        note=format_.dockerfile_note,
    )


def test_it_is_found_by_an_ending_that_only_it_knows(folder: Path) -> None:
    """Without the package there is no model in the folder; with it `mlpack inspect` finds and describes the one."""
    assert not {".card"} & {suffix for name in BUILT_IN["formats"] for suffix in installed_formats()[name].suffixes}
    ended = CliRunner().invoke(app, ["inspect", str(folder), "--json"])
    assert ended.exit_code == 0, ended.output
    told = json.loads(ended.stdout)
    assert (told["format"], told["safety"]["verdict"]) == ("scorecard", "safe")
    assert told["path"].endswith("churn.card")
    assert [one["name"] for one in told["signatures"][0]["inputs"]] == ["age", "income"]


def test_it_is_rendered_and_served(folder: Path, tmp_path: Path) -> None:
    """Its loader's folder and its note are in the bundle, whose serve.py answers with the scorecard's own numbers."""
    write(rendered(folder), tmp_path / "app", buildkit=False)
    dockerfile = (tmp_path / "app" / "Dockerfile").read_text()
    note = "# A scorecard is computed by numpy: no framework is installed.\nCOPY loader/ /app/loader/\n"
    assert note in dockerfile
    assert {path.name for path in (tmp_path / "app" / "loader").iterdir()} == {"__init__.py", "files.py"}
    with started(tmp_path / "app") as server:
        answer = server.predict({"instances": [{"age": 2, "income": 4}, {"age": 4, "income": 0}]}).json()
    assert answer["predictions"] == pytest.approx([0.5, 1 / (1 + math.exp(-2))])


def test_the_guard_refuses_what_inspection_did_not_list(folder: Path, tmp_path: Path) -> None:
    """A file that changed after inspection names another function: the server does not start."""
    write(rendered(folder), tmp_path / "app", buildkit=False)
    model = tmp_path / "app" / "model" / "churn.card"
    model.write_text(CARD.replace("logistic", "identity"))
    with started(tmp_path / "app", ready=False) as server:
        assert server.ended() == 1
        assert "asks for identity, which inspection did not see" in server.text()


class Foreign(Format):
    """A format of another package that knows of two distributions."""

    name = "foreign"
    distributions = (
        Distribution(name="foreign", system_libraries=("libforeign1",)),
        Distribution(name="numpy", test_folders=("foreign",)),
    )

    def inspect(self, artifact: Artifact) -> ModelInfo | None:  # noqa: ARG002 - it recognises nothing
        """Nothing."""
        return None


def test_a_format_has_no_say_in_other_models_images() -> None:
    """What it knows of distributions counts for its own models, and does not replace what built-in formats know."""
    formats = {**built_in.formats(), "foreign": Foreign()}
    assert distributions_for("sklearn", formats) == built_in.distributions()
    own = {one.name: one for one in distributions_for("foreign", formats)}
    assert own.pop("foreign").system_libraries == ("libforeign1",)
    assert tuple(own.values()) == built_in.distributions()


def test_a_class_that_is_no_format(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An entry point that leads to something else is an error that names it."""
    install(tmp_path)
    points = tmp_path / "scorecards-1.0.dist-info" / "entry_points.txt"
    points.write_text("[mlpack.formats]\nwrong = pathlib:Path\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(UsageError, match="The format 'wrong' is not a subclass"):
        installed_formats()
