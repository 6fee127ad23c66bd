"""Requests and messages that are printed for people to use: short enough to paste and to read."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest

from mlpack.artifacts.service import Revision, Service
from mlpack.cli.output.console import Console
from mlpack.cli.output.deployment import show_service
from mlpack.cli.output.running import curl_line
from mlpack.shown import first_sentence
from mlpack.workspace import Workspace

LONG = (
    "The user-provided container failed to start and listen on the port defined by PORT=8080. Logs for this revision might "
    "contain more information.\nLogs URL: https://console.example/logs"
)


def test_a_long_body_is_written_to_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A curl command of an image model sends a file, which holds the row; a short row stands in the command."""
    monkeypatch.chdir(tmp_path)
    file = Workspace(tmp_path).request_file
    card = {"sample": [[0.25] * 3000]}
    words = shlex.split(curl_line(card, "http://127.0.0.1:8080", file))
    assert words[-1] == "@.mlpack/request.json"
    assert json.loads((tmp_path / words[-1][1:]).read_text()) == {"instances": card["sample"]}
    assert shlex.split(curl_line({"sample": [[1]]}, "http://127.0.0.1:8080", file))[-1] == '{"instances": [[1]]}'


def service(message: str) -> Service:
    failed = Revision(name="iris-2", percent=0, image="iris:2", ready=False, message=message)
    return Service(
        target="cloudrun", name="iris", url="https://iris.example", ready=False, open_to_all=True, revisions=(failed,)
    )


def test_status_shows_the_first_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    """The table has one sentence of a revision's message; --verbose adds the whole of it below."""
    show_service(Console(), service(LONG))
    out, err = capsys.readouterr()
    assert "PORT=8080." in out
    assert "Logs for" not in out
    assert "`mlpack status --verbose`" in err
    show_service(Console(), service(LONG), verbose=True)
    out, err = capsys.readouterr()
    assert "iris-2:\n  The user-provided container" in out
    assert "Logs URL: https://console.example/logs" in out
    assert err == ""
    show_service(Console(), service("It is full."))
    assert "--verbose" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("One. Two.", "One."),
        ("at example.com: e.g. this one", "at example.com: e.g. this one"),
        ("line\nmore", "line"),
        ("", ""),
        ("x" * 200, "x" * 159 + "\N{HORIZONTAL ELLIPSIS}"),
    ],
)
def test_first_sentences(text: str, first: str) -> None:
    """A sentence ends before a capital letter or a line end; a very long one is cut."""
    assert first_sentence(text) == first
