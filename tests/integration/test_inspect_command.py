"""`mlpack inspect` on whatever a disk may hold: one document, exit 0 or 3, never a traceback, and nothing of a file runs."""

from __future__ import annotations

import json
import os
import pickle
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlpack.cli.app import run
from tests.hostile import CANARY, Case, make_hostile
from tests.integration.cli import mlpack

VERDICTS = {"safe", "unknown", "dangerous"}
FIELDS = {
    "path", "format", "framework", "framework_version", "root_class", "task", "signatures", "requirements", "contents",
    "protocol", "compression", "size", "digest", "safety",
}  # fmt: skip


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> list[Case]:
    """The hostile and broken files, in a folder of their own."""
    return make_hostile(tmp_path_factory.mktemp("hostile"))


@pytest.fixture
def _signals() -> Iterator[None]:
    """The command takes SIGTERM for itself; pytest gets it back."""
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.mark.usefixtures("_signals")
def test_every_hostile_file_gets_one_document(
    cases: list[Case], capsys: pytest.CaptureFixture[str], subtests: pytest.Subtests
) -> None:
    """Exit 0 or 3, all fields on either, the verdict that the file deserves, the dangerous callable named, no trace, no canary."""
    for case in cases:
        with subtests.test(case.path.name):
            code = run(["inspect", str(case.path), "--json"])
            out, err = capsys.readouterr()
            document = json.loads(out)
            assert (code, "error" in document) in {(0, False), (3, True)}
            assert "Traceback" not in err
            assert document.keys() >= FIELDS
            assert document["safety"]["verdict"] in VERDICTS
            if case.verdict is not None:
                assert document["safety"]["verdict"] == case.verdict
            if code == 3:
                assert document["error"]["exit"] == 3
                if document["error"]["code"] == "unreadable":  # data that is no model may well be safe
                    assert document["safety"]["verdict"] != "safe"
                assert document["error"]["message"]
                assert document["error"]["hint"]
            if case.callable:
                assert any(case.callable in finding["callable"] for finding in document["safety"]["findings"])
    assert not (cases[0].path.parent / CANARY).exists()
    assert len(list(cases[0].path.parent.iterdir())) == len(cases)


def test_a_dangerous_file_is_told_and_never_built(cases: list[Case], tmp_path: Path) -> None:
    """A person reads what it would call, and not to load it; --fail-on is exit 3; build and render refuse, even with --trust."""
    file = next(case.path for case in cases if case.path.name == "reduce4.pkl")
    shown = mlpack("inspect", file, cwd=tmp_path)
    assert (shown.code, shown.stdout) == (3, ""), "it holds no model besides"
    assert "would call os.system" in shown.stderr
    assert "Do not load" in shown.stderr
    failing = mlpack("inspect", file, "--json", "--fail-on", "dangerous", cwd=tmp_path)
    assert (failing.code, failing.document()["safety"]["verdict"]) == (3, "dangerous")
    for words in (("build", file), ("build", file, "--trust"), ("render", file, "--trust", "-o", "out")):
        refusal = mlpack(*words, "--json", cwd=tmp_path)
        assert refusal.code == 3
        assert refusal.document()["error"]["code"] in {"unsafe", "unknown_format"}
    assert not (tmp_path / "out").exists()
    assert not (file.parent / CANARY).exists()


@pytest.mark.usefixtures("_signals")
def test_what_is_no_model_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Loops, pipes, empty and missing things, pointers and web pages end at once with one sentence and exit 3."""
    (tmp_path / "loop.pkl").symlink_to("loop.pkl")
    (tmp_path / "dangling.pkl").symlink_to("nowhere.pkl")
    os.mkfifo(tmp_path / "pipe.pkl")
    (tmp_path / "empty.pkl").touch()
    (tmp_path / "folder").mkdir()
    (tmp_path / "pointer.pkl").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n")
    (tmp_path / "page.pkl").write_text("<!DOCTYPE html><html><body>Sign in</body></html>")
    monkeypatch.chdir(tmp_path)
    for name in ("loop.pkl", "dangling.pkl", "empty.pkl", "folder", "pointer.pkl", "page.pkl", "absent.pkl"):
        assert run(["inspect", name]) == 3, name
        out, err = capsys.readouterr()
        assert out == ""
        assert err.startswith("error: ")
        assert name in err.splitlines()[0]
        assert name != "pointer.pkl" or "LFS" in err
    piped = mlpack("inspect", "pipe.pkl", cwd=tmp_path)  # a process of its own, because it could wait for ever
    assert (piped.code, piped.stderr[:7]) == (3, "error: ")


@pytest.mark.usefixtures("_signals")
def test_names_that_a_shell_or_an_option_would_take(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Spaces, quotes, `$(...)` and a leading dash are parts of a name; control characters never reach the terminal."""
    monkeypatch.chdir(tmp_path)
    for name in ("with space.pkl", "$(touch x).pkl", "-rf.pkl", "quo'te\".pkl", "red\x1b[31m.pkl"):
        (tmp_path / name).write_bytes(pickle.dumps({"just": "data"}))
        assert run(["inspect", "--", name]) in {0, 3}
        assert "\x1b" not in "".join(capsys.readouterr())
    assert not (tmp_path / "x").exists()


def test_several_models_in_a_folder_are_listed(tmp_path: Path) -> None:
    """A folder with more than one model names them, and serves none of them by guess."""
    for name in ("a.pkl", "b.pkl"):
        (tmp_path / name).write_bytes(pickle.dumps({"just": "data"}))
    done = mlpack("inspect", ".", "--json", cwd=tmp_path)
    assert done.code == 3
    assert {"a.pkl", "b.pkl"} <= set(json.dumps(done.document()).replace('"', " ").replace(",", " ").split())
