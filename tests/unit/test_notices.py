"""Notices: a code decides, the text is for people."""

import pickle
from dataclasses import replace
from pathlib import Path

from sklearn.linear_model import LogisticRegression

from mlpack.artifacts.notice import NoticeCode, assumed, no_signature, notices, reason_of
from mlpack.errors import ModelError
from mlpack.formats.keras import KerasFormat
from mlpack.formats.sklearn import SklearnFormat
from mlpack.pipeline.gate import unservable
from mlpack.pipeline.inspect import inspect
from tests.unit.formats.test_keras import archive


def test_the_reason_is_found_by_its_code() -> None:
    """A remark that reads like a notice of another kind is not taken for one."""
    looks_like_one = notices(["No signature: because I say so."])
    assert reason_of(looks_like_one) == ""
    found = (*looks_like_one, assumed("It takes numbers."), no_signature("it is empty", "fill it"))
    assert reason_of(found) == "it is empty"
    assert [one.code for one in found] == [NoticeCode.REMARK, NoticeCode.ASSUMED, NoticeCode.NO_SIGNATURE]
    assert found[-1].text == "No signature: it is empty; fill it."


def test_the_refusal_gives_the_reason(tmp_path: Path) -> None:
    """A model that was never fitted: the build's error has the reason of the notice, and inspect's warning its advice too."""
    path = tmp_path / "model.pkl"
    path.write_bytes(pickle.dumps(LogisticRegression()))
    info = inspect(path, formats=[SklearnFormat()])
    assert info.to_json()["warnings"] == ["No signature: it was never fitted; fit it before you save it."]
    need = unservable(info, cwd=tmp_path)
    assert need is not None
    assert isinstance(need.error, ModelError)
    assert need.error.message.endswith("it was never fitted")


def test_a_sample_that_was_given_is_not_asked_for(tmp_path: Path) -> None:
    """The error says that it does not show the inputs, and the command line has no second --sample."""
    path = tmp_path / "m.keras"
    info = inspect(archive(path, {"module": None, "class_name": "Own", "config": {}}), formats=[KerasFormat()])
    info = replace(info, notices=(no_signature("the file does not record its inputs", by_sample=True),))
    without, given = unservable(info, cwd=tmp_path), unservable(info, cwd=tmp_path, sampled=True)
    assert without is not None
    assert given is not None
    assert [one.option for one in without.answers] == ["--sample"]
    assert not given.answers
    assert str(given.error.hint).startswith("The sample rows that were given do not show it.")
