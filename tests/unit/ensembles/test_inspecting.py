"""`mlpack ensemble inspect` on real files: what it shows, and errors with file, line, member and remedy."""

from __future__ import annotations

import json
import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_diabetes, load_iris
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.tree import DecisionTreeClassifier

from mlpack.cli.app import run
from tests.ports import free_port


class Evil:
    """What runs a command while it is unpickled."""

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.system, ("true",)


@pytest.fixture(scope="module")
def models() -> dict[str, bytes]:
    """Pickles: two classifiers on the same rows, one that knows two classes only, one on other rows, a regressor."""
    data = load_iris(as_frame=True)
    x, y = data.data, data.target_names[data.target]
    other = load_diabetes(as_frame=True)
    return {
        "linear": pickle.dumps(LogisticRegression(max_iter=500).fit(x, y)),
        "tree": pickle.dumps(DecisionTreeClassifier(max_depth=2).fit(x, y)),
        "two": pickle.dumps(DecisionTreeClassifier(max_depth=2).fit(x[:100], y[:100])),
        "narrow": pickle.dumps(DecisionTreeClassifier(max_depth=2).fit(x.iloc[:, :2], y)),
        "numbers": pickle.dumps(DecisionTreeClassifier(max_depth=2).fit(x, data.target)),
        "shuffled": pickle.dumps(DecisionTreeClassifier(max_depth=2).fit(x[x.columns[::-1]], y)),
        "renamed": pickle.dumps(DecisionTreeClassifier(max_depth=2).fit(x.set_axis(list("abcd"), axis=1), y)),
        "regressor": pickle.dumps(LinearRegression().fit(x, data.target)),
        "both": pickle.dumps(LinearRegression().fit(x, np.c_[data.target, data.target])),
        "other": pickle.dumps(LinearRegression().fit(other.data, other.target)),
    }


@pytest.fixture
def folder(models: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with the models."""
    for name, data in models.items():
        (tmp_path / f"{name}.pkl").write_bytes(data)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def inspect(capsys: pytest.CaptureFixture[str], folder: Path, text: str, *words: str) -> tuple[int, Any, str]:
    """The exit code, the JSON document and the messages for this ensemble.yaml."""
    (folder / "ensemble.yaml").write_text(text, encoding="utf-8")
    code = run(["ensemble", "inspect", "--json", *words])
    out, err = capsys.readouterr()
    return code, json.loads(out), err


def members(*lines: str, reduce: str = "soft_vote") -> str:
    return f"name: e\nreduce: {reduce}\nmembers:\n" + "".join(f"  - {{{line}}}\n" for line in lines)


def test_members_that_fit_are_shown(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Their verdicts, weights and classes, and what the ensemble answers; the text is for people."""
    text = members("name: linear, model: linear.pkl, weight: 2", "name: two, model: two.pkl, required: false")
    code, found, _ = inspect(capsys, folder, text)
    assert code == 0
    assert [one["name"] for one in found["signatures"]] == ["predict", "predict_proba"]
    assert found["signatures"][0]["classes"] == ["setosa", "versicolor", "virginica"]
    assert [(one["name"], one["weight"], one["required"], one["verdict"]) for one in found["members"]] == [
        ("linear", 2, True, "safe"), ("two", 1, False, "safe"),
    ]  # fmt: skip
    assert found["members"][1]["classes"] == ["setosa", "versicolor"]
    assert run(["ensemble", "inspect"]) == 0
    assert "4 columns: sepal length (cm)" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("lines", "reduce", "line", "told"),
    [
        (("name: a, model: linear.pkl", "name: b, model: narrow.pkl"), "soft_vote", 5, "a has 4 columns"),
        (("name: a, model: linear.pkl", "name: b, model: renamed.pkl"), "soft_vote", 5, "b has 4 columns: a, b, c, d"),
        (("name: a, model: linear.pkl", "name: b, model: numbers.pkl"), "soft_vote", 5, "b has the classes [0, 1, 2]"),
        (("name: a, model: linear.pkl", "name: b, model: regressor.pkl"), "soft_vote", 5, "the member b has no classes"),
        (("name: a, model: regressor.pkl", "name: b, model: linear.pkl"), "mean", 5, "the member b answers class labels"),
        (("name: a, model: regressor.pkl", "name: b, model: numbers.pkl"), "median", 5, "the member b answers class labels"),
        (("name: a, model: regressor.pkl", "name: b, model: both.pkl"), "mean", 5, "b has the output predict [-1, 2]"),
        (("name: a, model: regressor.pkl", "name: b, model: other.pkl"), "mean", 5, "b has 10 columns"),
        (("name: a, model: missing.pkl",), "mean", 4, "no file"),
        (("name: a, model: linear.pkl", "name: a, model: tree.pkl"), "hard_vote", 5, "is there twice, see line 4"),
        (("name: a, model: linear.pkl", "name: b, model: ensemble.yaml"), "hard_vote", 5, "is an ensemble itself"),
        (("name: a, model: linear.pkl, weight: 0",), "soft_vote", 3, "do not sum to more than 0"),
    ],
)  # fmt: skip
def test_members_that_do_not_fit_are_an_error(
    folder: Path, capsys: pytest.CaptureFixture[str], lines: tuple[str, ...], reduce: str, line: int, told: str
) -> None:
    """With the file, the line, both sides, and what to do."""
    code, found, _ = inspect(capsys, folder, members(*lines, reduce=reduce))
    assert code == 2
    assert f"ensemble.yaml:{line}: " in found["error"]["message"]
    assert told in found["error"]["message"]
    assert found["error"]["hint"]


def test_columns_of_another_order_or_other_names(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Values go to a member by the names of its columns; `match_columns: place` is for one that names them otherwise."""
    plan = folder / ".mlpack" / "ensembles" / "e" / "ensemble.json"
    code, _, _ = inspect(capsys, folder, members("name: a, model: linear.pkl", "name: b, model: shuffled.pkl"))
    assert code == 0
    orders = [one["queries"]["predict_proba"]["order"] for one in json.loads(plan.read_text())["members"]]
    assert orders == [[], [3, 2, 1, 0]]
    other = "name: b, model: renamed.pkl, match_columns: place"
    code, found, _ = inspect(capsys, folder, members("name: a, model: linear.pkl", other))
    assert (code, found["signatures"][0]["columns"][0]) == (0, "sepal length (cm)")


def test_a_file_that_is_no_model_names_its_member(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The error of the line, with the place in ensemble.yaml."""
    (folder / "bad.pkl").write_bytes(b"no model")
    code, found, _ = inspect(capsys, folder, members("name: a, model: linear.pkl", "name: b, model: bad.pkl"))
    assert code == 3
    assert "ensemble.yaml:5: the member b: " in found["error"]["message"]


def test_a_dangerous_member_is_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An ensemble is as safe as its members."""
    evil = LogisticRegression()
    evil.classes_ = Evil()
    (folder / "evil.pkl").write_bytes(pickle.dumps(evil))
    code, found, _ = inspect(capsys, folder, members("name: a, model: linear.pkl", "name: b, model: evil.pkl"))
    assert (code, found["error"]["code"]) == (3, "unsafe")
    assert "the member b: " in found["error"]["message"]


def test_a_url_that_does_not_answer_is_an_error_or_with_offline_a_warning(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Offline it is taken for a service like the first member; the model must then be in the URL."""
    url = f"http://127.0.0.1:{free_port()}"
    text = members("name: a, model: linear.pkl", f"name: b, url: '{url}/v2/models/churn'")
    code, found, _ = inspect(capsys, folder, text)
    assert (code, found["error"]["code"]) == (2, "member_unreachable")
    assert "ensemble.yaml:5: " in found["error"]["message"]
    code, found, err = inspect(capsys, folder, text, "--offline")
    assert code == 0
    assert "the member b does not answer" in err
    assert found["members"][1]["classes"] == ["setosa", "versicolor", "virginica"]
    code, found, _ = inspect(
        capsys, folder, members("name: a, model: linear.pkl", f"name: b, url: '{url}'"), "--offline"
    )
    assert code == 2
    assert "does not tell which model is meant" in found["error"]["message"]
    code, found, _ = inspect(capsys, folder, members(f"name: b, url: '{url}/v2/models/churn'"), "--offline")
    assert code == 2
    assert "no member can be inspected" in found["error"]["message"]


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("def combine(outputs, weights):\n    return {}\n", "has no function `reduce` with two parameters"),
        ("def reduce(outputs):\n    return {}\n", "has no function `reduce` with two parameters"),
        ("def reduce(outputs, weights:\n", "reduce.py"),
        ("OUTPUTS = {'best': 'FLOAT'}\ndef reduce(outputs, weights):\n    return {}\n", "which is not a data type"),
    ],
)
def test_an_own_reducer_is_read_and_not_run(
    folder: Path, capsys: pytest.CaptureFixture[str], source: str, told: str
) -> None:
    """A mistake in it is an error before anything is built."""
    (folder / "reduce.py").write_text(source, encoding="utf-8")
    code, found, _ = inspect(capsys, folder, members("name: a, model: linear.pkl", reduce="reduce.py"))
    assert code == 2
    assert told in found["error"]["message"]


def test_an_own_reducer_declares_its_outputs(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """OUTPUTS become the ensemble's; without them its rows are any JSON values."""
    text = members("name: a, model: linear.pkl", reduce="reduce.py")
    body = "raise SystemExit\ndef reduce(outputs, weights):\n    return {}\n"
    (folder / "reduce.py").write_text(f"OUTPUTS = {{'best': 'FP64'}}\n{body}", encoding="utf-8")
    _, found, _ = inspect(capsys, folder, text)
    assert [(one["name"], one["dtype"]) for one in found["signatures"][0]["outputs"]] == [("best", "FP64")]
    (folder / "reduce.py").write_text(body, encoding="utf-8")
    _, found, _ = inspect(capsys, folder, text)
    assert found["signatures"][0]["raw"] == ["predict"]
