"""XGBoost, LightGBM, CatBoost, skops and scikit-learn's likes: what their files tell, and their loaders' answers."""

from __future__ import annotations

import importlib.metadata
import json
import os
import pickle
import tracemalloc
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest

from mlpack.artifacts.model import ModelInfo
from mlpack.errors import UnknownFormatError, UnreadableModelError
from tests.formats.answering import answers, assert_equal, inspected
from tests.formats.booster_models import Made, asked_numbers, make, mixed

NAMES = (
    "xgb-classes.json", "xgb-classes.ubj", "xgb-named.model", "xgb-classes.pkl", "xgb-soft.ubj", "xgb-hard.json",
    "xgb-dart.json", "xgb-linear.json", "xgb-count.ubj", "xgb-booster.pkl", "xgb-several.ubj", "lgb-table.txt",
    "lgb-booster.pkl", "lgb-classes.pkl", "lgb-plain.model", "cat-classes.cbm", "cat-classes.json", "cat-classes.pkl",
    "cat-one.cbm", "cat-count.cbm", "cat-several.cbm", "cat-three.cbm", "cat-text.cbm", "table.skops", "forest.skops",
    "boosted.skops", "formula.pkl", "glm.pkl", "smote.pkl",
)  # fmt: skip
OWN = tuple(name for name in NAMES if not name.endswith((".pkl", ".skops")))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Made]:
    """Every model with its rows and answers."""
    return make(tmp_path_factory.mktemp("boosters"))


def _version(name: str) -> str:
    return importlib.metadata.version(name)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.filterwarnings("ignore")
def test_it_answers_as_its_own_library(made: dict[str, Made], name: str) -> None:
    """Sixty rows, among them missing, extreme and text values: each method's answers are the library's own."""
    one = made[name]
    info = inspected(one.path)
    assert info.safety.verdict == "safe"
    found = answers(info, one.rows)
    assert set(one.answers) <= set(found)
    for method, wanted in one.answers.items():
        assert_equal(found[method], wanted)


def test_every_model_is_asked(made: dict[str, Made]) -> None:
    """No model is made that no test looks at."""
    assert set(made) == set(NAMES)


@pytest.mark.parametrize(
    ("name", "framework", "task"),
    [
        ("xgb-classes.json", "xgboost", "classifier"),
        ("xgb-classes.ubj", "xgboost", "classifier"),
        ("xgb-booster.pkl", "xgboost", "regressor"),
        ("xgb-count.ubj", "xgboost", "regressor"),
        ("cat-classes.cbm", "catboost", "classifier"),
        ("cat-classes.pkl", "catboost", "classifier"),
        ("cat-one.cbm", "catboost", "regressor"),
    ],
)
def test_the_recorded_version_is_pinned(made: dict[str, Made], name: str, framework: str, task: str) -> None:
    """What the file records, a pickle's inner bytes included, is the version to install."""
    info = inspected(made[name].path)
    version = _version("xgboost-cpu" if framework == "xgboost" else framework)
    assert (info.framework, info.framework_version, info.task) == (framework, version, task)
    requirement = info.requirements[0]
    assert (requirement.distribution, requirement.version, requirement.newest) == (framework, version, False)


def test_what_tells_no_version_gets_the_newest(made: dict[str, Made]) -> None:
    """LightGBM writes the version of its text form alone; statsmodels nothing."""
    for name, framework in (("lgb-table.txt", "lightgbm"), ("lgb-booster.pkl", "lightgbm"), ("glm.pkl", "statsmodels")):
        info = inspected(made[name].path)
        assert (info.framework, info.framework_version) == (framework, None)
        assert info.requirements[0].newest
    assert inspected(made["lgb-table.txt"].path).details["text_version"] == "v4"


def test_categories_come_with_their_values(made: dict[str, Made]) -> None:
    """A column of categories is declared with what training knew; texts as texts, numbers as numbers."""
    for name in ("xgb-classes.ubj", "xgb-classes.pkl", "lgb-table.txt", "lgb-booster.pkl", "lgb-classes.pkl"):
        signature = inspected(made[name].path).signatures[0]
        types = {spec.name: spec.dtype for spec in signature.inputs}
        assert types == {"n": "FP64", "k": "FP64", "c": "BYTES", "i": "FP64", "b": "FP64"}, name
        assert signature.categories == {"c": ("w" if name.startswith("xgb") else "süß", "u", "v"), "i": (0, 1, 2, 3)}, (
            name
        )


@pytest.mark.filterwarnings("ignore")
def test_categories_that_xgboost_loses(tmp_path: Path) -> None:
    """XGBoost 3 writes categories that are not ASCII so that their names are lost: their codes are asked for."""
    import xgboost

    table = mixed()
    model = xgboost.XGBClassifier(n_estimators=3, enable_categorical=True).fit(table, table["k"] > 0)
    model.save_model(tmp_path / "m.ubj")
    (tmp_path / "m.pkl").write_bytes(pickle.dumps(model))
    for name in ("m.ubj", "m.pkl"):
        info = inspected(tmp_path / name)
        assert {spec.name: spec.dtype for spec in info.signatures[0].inputs}["c"] == "FP64"
        assert any("categories in c" in warning for warning in info.warnings)


@pytest.mark.parametrize("name", ["xgb-classes.ubj", "cat-classes.cbm", "cat-classes.pkl"])
@pytest.mark.filterwarnings("ignore")
def test_a_value_that_the_model_cannot_take(made: dict[str, Made], name: str) -> None:
    """XGBoost refuses a category that training did not know, CatBoost a missing one: the client is told, by name."""
    one = made[name]
    bad = [{**one.rows[0], "c": None if name.startswith("cat") else "unheard of"}]
    with pytest.raises(ValueError, match=r"unheard of|category|cat_feature") as raised:
        answers(inspected(one.path), bad)
    assert type(raised.value).__name__ == "InputError"


def test_a_booster_that_stopped_early_says_so(made: dict[str, Made], tmp_path: Path) -> None:
    """The scikit-learn interface answers with its best round, the Booster with all; the difference is told."""
    assert inspected(made["xgb-classes.json"].path).options["rounds"] > 0
    document = json.loads(made["xgb-dart.json"].path.read_text())
    document["learner"]["attributes"]["best_iteration"] = "3"
    (tmp_path / "m.json").write_text(json.dumps(document))
    info = inspected(tmp_path / "m.json")
    assert any("round 3, the best one" in warning for warning in info.warnings)
    assert "rounds" not in info.options


def test_the_old_binary_form(tmp_path: Path) -> None:
    """Header, objective and booster as XGBoost 0.x to 2.x wrote them: read, and pinned to the last release of its line."""
    import struct

    head = struct.pack("<fIiiiIII", 0.5, 25, 3, 0, 0, 1, 6, 1).ljust(136, b"\0")
    names = b"".join(struct.pack("<Q", len(text)) + text for text in (b"multi:softprob", b"gbtree"))
    (tmp_path / "old.model").write_bytes(head + names + bytes(400))
    info = inspected(tmp_path / "old.model")
    assert (info.framework_version, info.n_features_in, info.signatures[0].outputs[0].shape) == ("1.6.2", 25, (-1, 3))
    assert any("binary form" in warning for warning in info.warnings)


def _refused_or_read(path: Path) -> ModelInfo | None:
    """What inspect says; None when it refuses the file as it should."""
    try:
        return inspected(path)
    except (UnreadableModelError, UnknownFormatError):
        return None


@pytest.mark.parametrize("name", OWN)
def test_a_file_that_is_cut_off(made: dict[str, Made], name: str, tmp_path: Path) -> None:
    """Wherever it is cut, it is told as such and never served as whole."""
    content = made[name].path.read_bytes()
    for part in (0.05, 0.3, 0.6, 0.9, 0.995):
        path = tmp_path / name
        path.write_bytes(content[: int(len(content) * part)])
        info = _refused_or_read(path)
        if info is not None:
            # All trees are there: what follows are LightGBM's notes, and how CatBoost splits texts, which its own loader misses.
            assert name.startswith(("lgb", "cat-text")), (name, part)
            assert info.details["trees"]


@pytest.mark.parametrize("name", OWN)
def test_broken_bytes_are_no_crash(made: dict[str, Made], name: str, tmp_path: Path) -> None:
    """Bytes changed at random places: an answer or a refusal, never another exception."""
    content = made[name].path.read_bytes()
    random = np.random.default_rng(0)
    for _ in range(60):
        changed = bytearray(content)
        for place in random.integers(0, min(len(content), 6000), 4):
            changed[place] = random.integers(0, 256)
        path = tmp_path / name
        path.write_bytes(bytes(changed))
        _refused_or_read(path)


@pytest.mark.parametrize("name", ["xgb-soft.ubj", "xgb-dart.json", "lgb-plain.model", "cat-three.cbm"])
@pytest.mark.parametrize("suffix", [".gz", ".zip"])
def test_it_may_be_packed(made: dict[str, Made], name: str, suffix: str, tmp_path: Path) -> None:
    """Gzipped, or alone in a zip, it is the same model."""
    import gzip
    import zipfile

    content = made[name].path.read_bytes()
    path = tmp_path / f"{name}{suffix}"
    if suffix == ".gz":
        path.write_bytes(gzip.compress(content))
    else:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(name, content)
    packed, plain = inspected(path), inspected(made[name].path)
    assert (packed.format, packed.signatures) == (plain.format, plain.signatures)


def test_json_that_is_no_model(tmp_path: Path) -> None:
    """Settings, and texts that begin like a model's, are no model; the message says what was seen."""
    for number, text in enumerate(
        ('{"version": 3, "threshold": 0.5}', '{"learner": "me"}', '{"learner": {"a": 1}}', "[1, 2]")
    ):
        path = tmp_path / f"{number}.json"
        path.write_text(text)
        with pytest.raises((UnknownFormatError, UnreadableModelError)) as raised:
            inspected(path)
        assert "JSON" in raised.value.message or "XGBoost" in raised.value.message


@pytest.mark.parametrize("name", ["xgb-dart.json", "xgb-soft.ubj"])
def test_two_gigabytes_cost_little(made: dict[str, Made], name: str, tmp_path: Path) -> None:
    """The trees' bytes are stepped over: a file of 2 GiB is read in a few megabytes of memory."""
    content = made[name].path.read_bytes()
    place = content.index(b"trees") + 200
    path = tmp_path / name
    with path.open("wb") as file:
        file.write(content[:place])
        file.seek(2 << 30)
        file.write(content[place:])
    tracemalloc.start()
    info = inspected(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    os.truncate(path, 0)
    assert info.n_features_in == 4
    assert peak < 64 << 20


@pytest.mark.filterwarnings("ignore")
def test_a_booster_in_a_bundle(made: dict[str, Made], tmp_path: Path) -> None:
    """A bare Booster is an entry like any other, also in joblib's form and compressed."""
    booster = pickle.loads(made["xgb-booster.pkl"].path.read_bytes())
    path = tmp_path / "bundle.joblib"
    joblib.dump({"model": booster, "threshold": 0.4}, path, compress=3)
    assert inspected(path).signatures == ()
    info = inspected(path, entry="model")
    assert info.framework_version == _version("xgboost-cpu")
    loaded = joblib.load(path)["model"]
    import xgboost

    wanted = loaded.predict(xgboost.DMatrix(asked_numbers(), feature_names=["a", "b", "c", "d"]))
    options: dict[str, Any] = {**info.options, "entry": "model"}
    from dataclasses import replace

    assert_equal(answers(replace(info, options=options), made["xgb-booster.pkl"].rows)["predict"], wanted)
