"""Text that came out of a file is only read: no terminal and no CI system obeys it, and it starts no line."""

from __future__ import annotations

import json
import pickle
import sys
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from mlpack.artifacts.prepared import Prepared
from mlpack.artifacts.report import Check, Report
from mlpack.cli.app import run
from mlpack.cli.output import ci_summary as summary
from mlpack.cli.output.checks import write_junit
from mlpack.cli.output.console import Console
from mlpack.errors import MlpackError
from mlpack.shown import shown, shown_json, shown_lines
from tests.hostile import look_up
from tests.unit.locks import make_lock, render_lock

EVIL = "a\n::error::x\r::stop-commands::y\x1b[31m\u202ez\u2028##[error]w##vso[task.complete]\x9bq\u200b"
NAME = EVIL.replace("/", "")


def is_plain(text: str) -> bool:
    """Whether each line is our own: no control but the line ends, and none begins as a command would."""
    lines = text.split("\n")
    return all(line.isprintable() and not line.lstrip().startswith("::") for line in lines)


def is_harmless(text: str) -> bool:
    """Whether nothing of it is obeyed when it is printed."""
    return is_plain(text) and "##[" not in text and "##vso[" not in text


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("a b\u00e5\u4e2d", "a b\u00e5\u4e2d"),
        ("a\nb\tc", "a\\nb\\tc"),
        ("\x1b[2J\x9b", "\\x1b[2J\\x9b"),
        ("\u202eabc\u200b\ufeff", "\\u202eabc\\u200b\\ufeff"),
        ("\ud800\U000e0001", "\\ud800\\U000e0001"),
        ("::error::x", "\\x3a:error::x"),
        ("  ::error::x", "  \\x3a:error::x"),
        ("a ::b", "a ::b"),
        ("x ##[error]y ##vso[z", "x #\\x23[error]y #\\x23vso[z"),
        ("## [title]", "## [title]"),
    ],
)
def test_one_line_is_one_line(text: str, seen: str) -> None:
    """What is not seen, or is obeyed, becomes an escape; all else stays as it is."""
    assert shown(text) == seen
    assert is_harmless(shown(text))


def test_lines_stay_lines() -> None:
    """A log keeps its lines, each made harmless by itself."""
    assert shown_lines("a\n\tb\r\n::error::c") == ["a", "    b", "\\x3a:error::c"]


def test_json_means_the_same() -> None:
    """A document is harmless to print and is read as what it was."""
    value = {EVIL: [EVIL, "\u00e5", "\U000e0001", "\ud800"]}
    text = shown_json(json.dumps(value, indent=2, ensure_ascii=False))
    assert is_harmless(text)
    assert "\u00e5" in text
    assert json.loads(text) == value


def pipeline(folder: Path) -> Path:
    frame = pd.DataFrame([[0.0, 1.0], [1.0, 0.0]], columns=["::" + EVIL, EVIL])
    model = Pipeline([(EVIL, StandardScaler()), ("b", LogisticRegression())])
    model.fit(frame, np.array([EVIL, "::error::b"]))
    return written(folder / f"{NAME}.pkl", pickle.dumps(model))


def unknown(folder: Path) -> Path:
    name = EVIL.encode("utf-8").decode()
    return written(folder / "m.pkl", b"\x80\x04" + look_up(name, EVIL) + b")\x81.")


def dangerous(folder: Path) -> Path:
    return written(folder / "m.pkl", b"\x80\x04" + look_up("os", EVIL) + b")R.")


def archive(folder: Path) -> Path:
    with zipfile.ZipFile(folder / f"::error::{NAME}.zip", "w") as file:
        for name in (NAME, f"::error::{NAME}.pkl"):
            file.writestr(name, pickle.dumps(LogisticRegression().fit([[0.0], [1.0]], [0, 1])))
    return folder / f"::error::{NAME}.zip"


def bundle(folder: Path) -> Path:
    model = LogisticRegression().fit([[0.0], [1.0]], [0, 1])
    return written(folder / "m.pkl", pickle.dumps({EVIL: model, "::b": model, "c": EVIL}))


def xgboost(folder: Path) -> Path:
    model = {
        "learner": {
            "attributes": {EVIL: EVIL}, "feature_names": [EVIL, "::b"], "feature_types": [EVIL, "float"],
            "gradient_booster": {"model": {"gbtree_model_param": {"num_trees": "0"}, "trees": []}, "name": EVIL},
            "learner_model_param": {"base_score": "5E-1", "num_class": "0", "num_feature": "2", "num_target": "1"},
            "objective": {"name": EVIL},
        },
        "version": [2, 1, 0],
    }  # fmt: skip
    return written(folder / "m.json", json.dumps(model).encode())


def lightgbm(folder: Path) -> Path:
    name = EVIL.replace("\n", "").replace("\r", "")
    text = f"tree\nversion={name}\nnum_class=1\nnum_tree_per_iteration=1\nmax_feature_idx=1\nobjective={name}\n"
    return written(
        folder / "m.txt", f"{text}feature_names=::{name} b\nfeature_infos=[0:1] {name}\n\nend of trees\n".encode()
    )


def mlflow(folder: Path) -> Path:
    flavour = {"python_function": {"loader_module": EVIL}, EVIL: {"x": EVIL}}
    written(folder / "m" / "MLmodel", json.dumps({"flavors": flavour, "mlflow_version": EVIL, "::x": EVIL}).encode())
    return folder / "m"


def nothing(folder: Path) -> Path:
    return folder / f"::error::{NAME}"


def text(folder: Path) -> Path:
    return written(folder / f"::error::{NAME}.txt", EVIL.encode())


def written(path: Path, data: bytes) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(
    "make",
    [pipeline, unknown, dangerous, archive, bundle, xgboost, lightgbm, mlflow, nothing, text],
)
@pytest.mark.parametrize("words", [["inspect"], ["inspect", "--json"], ["build"], ["init"]])
def test_no_file_speaks_through_us(
    make: Callable[[Path], Path], words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: Any
) -> None:
    """Whatever a file's names hold, each line that is printed is ours, and has nothing to obey in it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLPACK_ENGINE", "none")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")  # no build goes further than to ask for packages
    code = run([*words, str(make(tmp_path))])
    out, err = capfd.readouterr()
    assert "Traceback" not in err, err
    assert code != 1, err
    assert is_harmless(out), out
    assert is_harmless(err), err
    assert out + err
    for file in tmp_path.rglob("mlpack.yaml"):
        assert is_plain(file.read_text())


def test_no_file_speaks_through_what_is_rendered(tmp_path: Path) -> None:
    """Dockerfile, serve.py and the rest hold its names in comments, labels and JSON: each harmless to print."""
    path = written(tmp_path / f"::error::{NAME}.pkl", b"\x80\x04N.")
    lock = make_lock(path)
    signature = replace(lock.info.signatures[0], columns=(EVIL, "::b"), classes=(EVIL, "::error::b"), name=EVIL)
    info = replace(
        lock.info, root_class=EVIL, framework=EVIL, framework_version=EVIL, signatures=(signature,), classes=(EVIL,),
        steps=((EVIL, EVIL),), warnings=(EVIL,),
    )  # fmt: skip
    evil = replace(lock, prepared=Prepared(info=info), reasons=(EVIL,))
    for file in render_lock(evil, loader=Path(__file__)).files:
        if file.content is not None and file.name != "loader.py" and not file.name.startswith("mlpack/"):
            assert is_plain(file.content.decode()), file.name


def test_no_log_speaks_through_us(tmp_path: Path, capfd: Any) -> None:
    """What a check says, a failure's long text, our own bug, a test's pages: harmless, and the log's lines stay apart."""
    console = Console()
    error = MlpackError(EVIL, hint="::" + EVIL, detail="one\n::error::two\n\ttab")
    console.failure(error)
    console.bug(ValueError(EVIL))
    console.table([(EVIL, "::b"), ("::c", EVIL)], header=("a", "b"))
    for say in (console.text, console.note, console.warn):
        say("::" + EVIL)
    with console.progress(EVIL):
        pass
    out, err = capfd.readouterr()
    assert is_harmless(out)
    assert is_harmless(err)
    assert "one\n\\x3a:error::two\n    tab\n" in err
    report = Report(checks=(Check(name="a", ok=False, seconds=0, detail=EVIL, hint="::" + EVIL),), image_size=0)
    write_junit(report, tmp_path / "junit.xml")
    assert is_harmless((tmp_path / "junit.xml").read_text())
    assert is_harmless(summary.test_summary(report))
    assert is_harmless(summary.failure_summary("a", error))


@pytest.mark.skipif(sys.platform == "win32", reason="file names")
def test_a_usage_error_is_one_line(capfd: Any) -> None:
    """A word of the command line that is not known is quoted as one line."""
    assert run(["inspect", "x", f"--{EVIL}"]) == 2
    assert is_harmless(capfd.readouterr().err)
