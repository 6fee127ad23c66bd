"""Everything that a build needs from the user is told at once, with one command line that answers it."""

from __future__ import annotations

import hashlib
import json
import pickle
import sys
from pathlib import Path
from types import ModuleType

import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from mlpack.artifacts.model import Finding, ModelInfo, Safety
from mlpack.cli.app import run
from mlpack.cli.output.console import Console
from mlpack.cli.output.model import show
from mlpack.errors import MissingCodeError, UnsafeModelError
from mlpack.formats.base import installed_formats
from mlpack.pipeline.inspect import inspect
from mlpack.pipeline.prepare import Examined, PrepareOptions, examine_model, prepare
from mlpack.workspace import Workspace

CLEAN = "import unidecode\nimport words\n\n\ndef area(d):\n    return d\n"
NET = """
from torch import nn
class Net(nn.Module):
    def __init__(self, width=1):
        super().__init__()
        self.body = nn.Linear(width, 1)
class Sized(nn.Module):
    def __init__(self, width):
        self.body = nn.Linear(width, 1)
class Head(nn.Module):
    def __init__(self):
        self.head = nn.Linear(1, 1)
"""


def examined(path: Path, **more: object) -> Examined:
    options = PrepareOptions(folder=path.parent, index=lambda: "https://index.example", **more)  # type: ignore[arg-type]  # the test names real fields
    return examine_model(inspect(path, formats=list(installed_formats().values())), options)


def pickled(folder: Path, module: str, model: object = None) -> Path:
    """A model that names the function `area` of a module of the user, fitted on a table if `model` is one; "two": a bundle."""
    space: dict[str, object] = {}
    exec("def area(d):\n    return d\n", space)
    function = space["area"]
    function.__module__ = module
    known = sys.modules.get(module)
    sys.modules[module] = ModuleType(module)
    sys.modules[module].area = function  # type: ignore[attr-defined]  # a module made here
    try:
        first = FunctionTransformer(function)
        if isinstance(model, pd.DataFrame):
            fitted = make_pipeline(ColumnTransformer([("area", first, ["a", "b"])]), LinearRegression()).fit(
                model, [1.0]
            )
        else:
            fitted = make_pipeline(first, LinearRegression()).fit([[1.0, 2.0]], [1.0])
        path = folder / "area.pkl"
        path.write_bytes(pickle.dumps({"a": fitted, "b": fitted} if isinstance(model, str) else fitted))
    finally:
        del sys.modules[module]
        if known is not None:
            sys.modules[module] = known
    return path


def without_width() -> DummyClassifier:
    """A fitted model that does not record how many columns it takes."""
    model = DummyClassifier().fit([[1.0], [2.0]], [0, 1])
    vars(model).pop("n_features_in_", None)
    return model


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_files_to_include_are_followed(folder: Path) -> None:
    """What a file near the model needs in turn is in the same list: another file, and a package that nothing provides."""
    model = pickled(folder, "clean")
    (folder / "clean.py").write_text(CLEAN)
    (folder / "words.py").write_text("import shapes\n")
    (folder / "shapes.py").write_text("")
    needs = examined(model).needs
    assert [one.shown.option for one in needs] == [
        "--include clean.py", "--include words.py", "--include shapes.py", "--require unidecode"
    ]  # fmt: skip
    assert [one.shown.code for one in needs] == ["missing_code"] * 3 + ["missing_package"]
    with pytest.raises(MissingCodeError) as refused:
        prepare(inspect(model, formats=list(installed_formats().values())), PrepareOptions(folder=folder))
    options = "--include clean.py --include words.py --include shapes.py --require unidecode"
    assert refused.value.command == f"mlpack build area.pkl {options}"
    files = tuple(folder / name for name in ("clean.py", "words.py", "shapes.py"))
    answered = examined(model, include=files, requirements=("unidecode",))
    assert answered.needs == ()
    assert answered.prepared is not None


def test_needs_of_different_kinds_are_one_list(folder: Path) -> None:
    """A bundle with code that nothing defines and several objects: each has its option; placeholders are told as such."""
    needs = [one.shown for one in examined(pickled(folder, "clean", "two")).needs]
    assert [(one.code, one.option) for one in needs] == [("missing_code", "--include FILE"), ("ambiguous", "--entry a")]
    assert needs[0].placeholders == ("FILE",)


def test_a_sample_beside_the_model_is_named(folder: Path) -> None:
    """Where rows.csv is there, the command line is complete; else the name is a placeholder."""
    path = folder / "plain.pkl"
    path.write_bytes(pickle.dumps(without_width()))
    need = examined(path).needs[0].shown
    assert (need.option, need.placeholders) == ("--sample rows.csv", ("rows.csv",))
    (folder / "sample.csv").write_text("a,b\n1,2\n")
    need = examined(path).needs[0].shown
    assert (need.option, need.placeholders) == ("--sample sample.csv", ())


def test_trust_names_package_version_and_index(folder: Path) -> None:
    """The need for --trust says which package the file names, where it comes from, and what --trust would do."""
    info = inspect(pickled(folder, "tslearn"), formats=list(installed_formats().values()))
    found = examine_model(info, PrepareOptions(folder=folder, index=lambda: "https://index.example"))
    error = found.needs[0].error
    assert isinstance(error, UnsafeModelError)
    assert (
        "the package tslearn (the newest version of its time, as the file records none), from https://index.example"
        in error.message
    )
    assert "it installs it, and the file calls its code in the container" in error.hint
    assert found.needs[0].shown.option == "--trust"
    here = examine_model(info, PrepareOptions(folder=folder, local=True, index=lambda: "https://index.example"))
    assert "from https://index.example; --engine process would load it on this machine" in here.needs[0].error.message
    assert examine_model(info, PrepareOptions(folder=folder, trust=True)).needs == ()


def test_inspect_and_build_show_the_same_list(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Under "to build" of inspect is what build refuses; JSON has both; the exit code is the first need's."""
    pickled(folder, "clean", "two")
    (folder / "clean.py").write_text("def area(d):\n    return d\n")
    assert run(["inspect", "area.pkl", "--json"]) == 0
    told = json.loads(capfd.readouterr().out)["to_build"]
    assert told["command"] == "mlpack build area.pkl --include clean.py --entry a"
    assert run(["build", "area.pkl", "--json", "--gpu", "--name", "my model"]) == 3
    error = json.loads(capfd.readouterr().out)["error"]
    assert error["needs"] == told["needs"]
    assert error["code"] == "missing_code"
    assert error["command"] == "mlpack build area.pkl --name 'my model' --gpu --include clean.py --entry a"
    assert run(["inspect", "area.pkl"]) == 0
    shown = capfd.readouterr().out
    assert "1. area.pkl needs `area` from `clean`" in shown
    assert "This answers all of it (replace a):\n    mlpack build area.pkl --include clean.py --entry a" in shown
    assert run(["build", "area.pkl"]) == 3
    assert "error: 2 things are needed from you:\n  1. area.pkl needs `area`" in capfd.readouterr().err


def test_inspect_takes_the_options_of_build(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """With --include and --predictor, inspect shows the model as build will pack it."""
    pickled(folder, "clean")
    (folder / "clean.py").write_text("def area(d):\n    return d\n")
    (folder / "predict.py").write_text("INPUTS = {'size': 'FP64'}\ndef predict(model, inputs):\n    return [1]\n")
    assert run(["inspect", "area.pkl", "--include", "clean.py", "--predictor", "predict.py", "--json"]) == 0
    told = json.loads(capfd.readouterr().out)
    assert told["to_build"] == {"needs": [], "command": ""}
    assert [one["name"] for one in told["signatures"][0]["inputs"]] == ["size"]
    assert told["safety"]["findings"][0]["why"] == "in your own code: clean"


def test_the_command_that_built_the_file_before_is_shown(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """A file of the same digest: its last command line is printed with the needs, and applied by nobody."""
    model = pickled(folder, "clean")
    workspace = Workspace(folder)
    digest = hashlib.sha256(model.read_bytes()).hexdigest()
    assert run(["build", "area.pkl"]) == 3
    assert "built before" not in capfd.readouterr().err
    workspace.note_command(digest, model.stat().st_size, "mlpack build area.pkl --include old.py")
    assert run(["build", "area.pkl"]) == 3
    assert "This file was built before with: mlpack build area.pkl --include old.py" in capfd.readouterr().err
    model.write_bytes(model.read_bytes()[:-1] + b"0.")
    assert run(["build", "area.pkl"]) == 3
    assert "built before" not in capfd.readouterr().err


def test_few_commands_are_kept(folder: Path) -> None:
    """The newest hundred, each model once."""
    workspace = Workspace(folder)
    for number in range(105):
        workspace.note_command(str(number), number, f"build {number}")
    workspace.note_command("50", 50, "build again")
    kept = workspace.commands()
    assert len(kept) == 100
    assert list(kept)[-1] == "50"
    assert kept["50"] == ("build again", 50)


def test_a_sample_that_tells_no_inputs_is_told(folder: Path) -> None:
    """Rows of several kinds: the message does not ask for a sample that is there."""
    path = folder / "plain.pkl"
    path.write_bytes(pickle.dumps(without_width()))
    info = inspect(path, formats=list(installed_formats().values()), sample=[[1], "text"])
    (need,) = examine_model(info, PrepareOptions(folder=folder, sample=[[1], "text"])).needs
    assert need.error.message.endswith("and the sample rows are not of one kind")
    assert need.shown.option == ""


def test_one_reason_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    """What several callables of a package have in common is told once; further ones are counted."""
    findings = tuple(Finding(callable=f"odd.C{number}", why="code of `odd`", verdict="unknown") for number in range(9))
    more = Finding(callable="builtins.getattr", why="calls a method", verdict="unknown")
    info = ModelInfo(
        path=Path("m.pkl"), format="sklearn", framework=None, framework_version=None, root_class="odd.C1", task=None,
        signatures=(), safety=Safety(verdict="unknown", findings=(*findings, more)), size=1,
    )  # fmt: skip
    show(Console(), info, {}, (), "")
    shown = capsys.readouterr().out
    assert "  odd.C0, odd.C1, odd.C2, odd.C3, odd.C4, odd.C5 and 3 more (--json has all): code of `odd`\n" in shown
    assert "  builtins.getattr: calls a method\n" in shown


def test_a_sample_is_not_asked_for_where_none_helps(folder: Path) -> None:
    """The hint is that of the notice: a model that was never fitted needs to be fitted."""
    path = folder / "plain.pkl"
    path.write_bytes(pickle.dumps(LinearRegression()))
    (need,) = examined(path).needs
    assert need.error.message.endswith("it was never fitted")
    assert need.error.hint == "Fit it before you save it."
    assert need.shown.option == ""


def test_a_sample_at_hand_is_suggested_for_assumed_types(folder: Path) -> None:
    """Code of the user may need types that the file does not record: where rows lie beside the model, the command line has them."""
    path = pickled(folder, "clean", pd.DataFrame({"a": [1.0], "b": [2.0]}))
    (folder / "clean.py").write_text("def area(d):\n    return d\n")
    (answer,) = (one.shown.option for one in examined(path).needs)
    assert answer == "--include clean.py"
    (folder / "rows.csv").write_text("a,b\n1,2\n")
    assert [one.shown.option for one in examined(path).needs] == ["--include clean.py", "--sample rows.csv"]
    assert examined(path, include=(folder / "clean.py",)).needs == ()


def test_the_class_of_weights_is_found_beside_them(folder: Path) -> None:
    """A state dict's command line names the only torch module near it that sets its attributes and is made without arguments."""
    path = folder / "weights.safetensors"
    header = json.dumps({"module.body.weight": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
    path.write_bytes(len(header).to_bytes(8, "little") + header + bytes(4))
    assert examined(path).needs[0].shown.option == ""
    (folder / "net.py").write_text(NET)
    (folder / "rows.json").write_text("[[1.0]]")
    options = "--entry net:Net --include net.py --sample rows.json"
    assert examined(path).needs[0].shown.option == options
    assert examined(path, local=True).needs[0].shown.option == f"{options} --trust"
    (folder / "other.py").write_text(NET)
    assert examined(path).needs[0].shown.option == ""
