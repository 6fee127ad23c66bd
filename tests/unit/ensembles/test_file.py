"""ensemble.yaml: every mistake is an error with file, line and what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlpack.ensembles.file import read_ensemble
from mlpack.errors import ConfigError

GOOD = """\
name: churn
reduce: soft_vote
members:
  - {name: linear, model: linear.pkl, weight: 1}
  - {name: forest, model: forest.onnx, weight: 2, timeout_s: 0.5, required: false}
  - {name: boosted, image: "registry.example.com/ml/boosted@sha256:0"}
  - {name: remote, url: "https://models.example.com/v2/models/churn"}
"""


def written(tmp_path: Path, text: str) -> Path:
    """The file, beside two model files."""
    for name in ("linear.pkl", "forest.onnx", "reduce.py"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "ensemble.yaml").write_text(text, encoding="utf-8")
    return tmp_path / "ensemble.yaml"


def test_a_file_is_read(tmp_path: Path) -> None:
    """Paths are relative to it; a folder stands for the file in it."""
    file = written(tmp_path, GOOD)
    for place in (file, tmp_path):
        found, lines = read_ensemble(place)
        assert [one.name for one in found.members] == ["linear", "forest", "boosted", "remote"]
        assert found.members[0].model == tmp_path / "linear.pkl"
        assert (found.members[1].weight, found.members[1].timeout_s, found.members[1].required) == (2, 0.5, False)
        assert lines["members", "1"] == 5


WRONG = {
    "no member": ("name: a\nreduce: mean\nmembers: []\n", 3, "no members"),
    "an unknown reducer": (GOOD.replace("soft_vote", "sum"), 2, "unknown reducer `sum`"),
    "an unknown key": (GOOD.replace("timeout_s", "timeout"), 5, "unknown key"),
    "two of one name": (GOOD.replace("name: forest", "name: linear"), 5, "twice"),
    "a bad name": (GOOD.replace("name: forest", "name: My_Forest"), 5, "lower-case"),
    "the coordinator's name": (GOOD.replace("name: forest", "name: coordinator"), 5, "own service"),
    "no source": (GOOD.replace("model: linear.pkl, ", ""), 4, "exactly one of model, image and url"),
    "two sources": (GOOD.replace("model: linear.pkl", "model: linear.pkl, image: a"), 4, "exactly one"),
    "a missing file": (GOOD.replace("linear.pkl", "none.pkl"), 4, "no file"),
    "no http": (GOOD.replace("https://models", "ftp://models"), 7, "http://"),
    "a negative weight": (GOOD.replace("weight: 2", "weight: -2"), 5, "greater than or equal to 0"),
    "weights of 0": (GOOD.replace("weight: 1", "weight: 0").replace("weight: 2", "weight: 0")
                     .replace('sha256:0"', 'sha256:0", weight: 0').replace('churn"', 'churn", weight: 0'), 3, "more than 0"),
    "required weights of 0": (GOOD.replace("weight: 1", "weight: 0").replace('sha256:0"', 'sha256:0", weight: 0')
                              .replace('churn"', 'churn", weight: 0'), 3, "more than 0"),
    "weights without use": (GOOD.replace("soft_vote", "median"), 4, "has no weights"),
    "no time": (GOOD.replace("timeout_s: 0.5", "timeout_s: 0"), 5, "greater than 0"),
    "a threshold without a cascade": (GOOD + "threshold: 0.9\n", 8, "only a cascade"),
    "a cascade without a threshold": (GOOD.replace("soft_vote", "cascade").replace(", weight: 1", "").replace(", weight: 2", ""),
                                      2, "needs a threshold"),
    "a threshold above 1": (GOOD.replace("soft_vote", "cascade") + "threshold: 1.5\n", 8, "less than or equal to 1"),
    "a meta-model without a stack": (GOOD + "meta: linear\n", 8, "only a stack"),
    "a stack without a meta-model": (GOOD.replace("soft_vote", "stack").replace(", weight: 1", "").replace(", weight: 2", ""),
                                     2, "needs a meta-model"),
    "an unknown meta-model": (GOOD.replace("soft_vote", "stack").replace(", weight: 1", "").replace(", weight: 2", "")
                              + "meta: other\n", 8, "no member `other`"),
    "an optional member of a stack": (GOOD.replace("soft_vote", "stack").replace(", weight: 1", "").replace(", weight: 2", "")
                                      + "meta: linear\n", 5, "cannot be optional"),
    "no reduce.py": (GOOD.replace("soft_vote", "other.py"), 2, "no file"),
    "an ensemble in an ensemble": (GOOD.replace("linear.pkl", "ensemble.yaml"), 4, "ensemble itself"),
    "a key twice": (GOOD + "name: b\n", 8, "duplicate of line 1"),
}  # fmt: skip


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("weight: 1}", "weight: .inf}", "finite"),
        ("weight: 1}", "classes: [0, 0, 1]}", "a class is there twice"),
        ("https://models", "https://user:secret@models", "has no login"),
        ("https://models.example.com", "http://[::1", "no URL"),
        ("https://models.example.com", "http://host:99999", "no URL"),
        ("models/churn", "models/churn?key=1", "has no login, query"),
        ("name: remote,", "name: remote, audience: 'https://a',", None),
        ("name: linear", "name: churn", "is also the name of the ensemble"),
        ("name: linear", "name: churn-forest", "is also the name of the container of another member"),
        ("weight: 1}", "deploy: {compose: 5}}", "compose must contain keys and values"),
        ("reduce: soft_vote", "reduce: soft_vote\nserve: {workers: 2}", "a coordinator has one worker"),
    ],
)
def test_what_would_break_later_is_refused(tmp_path: Path, old: str, new: str, problem: str | None) -> None:
    """With its line; a secret is not repeated in the file of the image."""
    assert old in GOOD
    file = written(tmp_path, GOOD.replace(old, new))
    if problem is None:
        read_ensemble(file)
        return
    with pytest.raises(ConfigError, match=problem) as failed:
        read_ensemble(file)
    assert failed.value.message.startswith(f"{file}:")


@pytest.mark.parametrize("name", WRONG)
def test_a_mistake_has_its_line(tmp_path: Path, name: str) -> None:
    """And a remedy."""
    text, line, problem = WRONG[name]
    file = written(tmp_path, text)
    with pytest.raises(ConfigError) as failed:
        read_ensemble(file)
    assert failed.value.message.startswith(f"{file}:{line}:"), failed.value.message
    assert problem in failed.value.message
    assert failed.value.hint


def test_a_file_of_ones_own_reduces(tmp_path: Path) -> None:
    """It may use weights."""
    found, _ = read_ensemble(written(tmp_path, GOOD.replace("soft_vote", "reduce.py")))
    assert (found.reducer, found.reduce_file) == ("custom", tmp_path / "reduce.py")


def test_no_file(tmp_path: Path) -> None:
    """Neither there nor in the folder."""
    for place in (tmp_path, tmp_path / "none.yaml"):
        with pytest.raises(ConfigError, match="no file"):
            read_ensemble(place)
