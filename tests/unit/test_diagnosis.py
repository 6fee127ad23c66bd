"""Remedies for what the serving runtime logs when a model does not start."""

from __future__ import annotations

import json

import pytest

from mlpack.artifacts.diagnosis import diagnose, unverified


@pytest.mark.parametrize(
    ("facts", "hint"),
    [
        ({"start_failure": "load", "exception": "ModuleNotFoundError", "module": "lifelines.utils"}, "[lifelines]"),
        (
            {
                "start_failure": "load",
                "exception": "OSError",
                "message": "the model cannot be loaded: OSError: libgomp.so.1: cannot open shared object file: No such file",
            },
            "libgomp.so.1",
        ),
        (
            {
                "start_failure": "load",
                "exception": "AttributeError",
                "message": "the model cannot be loaded: AttributeError: Can't get attribute 'Scorer' on <module '__main__'>",
            },
            "defines Scorer",
        ),
        ({"start_failure": "load", "exception": "AttributeError"}, "--framework"),
        ({"start_failure": "load", "exception": "ZeroDivisionError", "at": "predict.py:7"}, "predict.py:7"),
        ({"start_failure": "sample", "exception": "TypeError", "at": "tm.py:26"}, "predictor: predict.py"),
        ({"start_failure": "sample", "exception": "ValueError"}, "--sample"),
        ({"start_failure": "sample", "wrong_answer": True}, "predictor: predict.py"),
        ({"start_failure": "made_up_rows", "wrong_answer": True}, "predictor: predict.py"),
        ({"start_failure": "card"}, "sample"),
        ({"start_failure": "made_up_rows", "exception": "ValueError"}, "--sample"),
    ],
)
def test_the_remedy_fits_the_failure(facts: dict[str, str], hint: str) -> None:
    """The last failure of the log counts; docker compose puts a name before each line."""
    earlier = json.dumps({"severity": "INFO", "message": "listening"})
    log = f"{earlier}\nmodel_1  | {json.dumps({'message': 'it failed', **facts})}\nmodel_1  | stopped"
    found = diagnose(log)
    assert found is not None
    assert hint in found.hint
    assert facts.get("message", "it failed").startswith(found.reason.partition(" (")[0])


def test_a_log_without_a_failure_has_no_diagnosis() -> None:
    """That of other servers, a broken line, and a payload that only contains the word."""
    for log in ("", "Traceback", '{"start_failure"', '["start_failure"]', '{"start_failure": "load", "message": 3}'):
        assert diagnose(log) is None


def test_a_ready_service_may_have_answered_nothing() -> None:
    """A server of others says nothing of it."""
    for answer in ("OK", "", "[false]", '{"ready": true}', '{"ready": true, "verified": true}'):
        assert unverified(answer) is None
    found = unverified('{"ready": true, "verified": false, "reason": "predict failed"}')
    assert found is not None
    assert "predict failed" in found.reason
    assert "--sample" in found.hint


def test_the_package_that_failed_is_named_with_an_earlier_release() -> None:
    """Also where only made-up rows failed: a sample would not help."""
    facts = {"message": "it failed", "start_failure": "sample", "package": "feature-engine==1.2.0"}
    found = diagnose(json.dumps(facts))
    assert found is not None
    assert "`--require 'feature-engine<1.2.0'`" in found.hint
    log = json.dumps({**facts, "start_failure": "made_up_rows"})
    served = unverified('{"ready": true, "verified": false, "reason": "it failed"}', log)
    assert served is not None
    assert served.hint == found.hint


def test_a_traceback_in_a_message_is_shown_by_its_end() -> None:
    """TorchScript's message is a traceback of pages: its first line and the exception that it ends with are shown."""
    reason = (
        "forward failed: NotImplementedError: it failed.\nTraceback:\n  File 1\nRuntimeError: no 'CUDA' backend\nCPU: a"
    )
    found = unverified(json.dumps({"ready": True, "verified": False, "reason": reason}))
    assert found is not None
    assert found.reason.endswith("NotImplementedError: it failed. RuntimeError: no 'CUDA' backend")
