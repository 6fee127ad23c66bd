"""inspect on everything a path can be: each ends in one clear sentence, and nothing is ever run."""

from __future__ import annotations

import base64
import gzip
import json
import os
import pickle
import socket
import struct
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from mlpack.artifacts.model import ModelInfo
from mlpack.errors import (
    AmbiguousFormatError,
    ModelError,
    UnknownFormatError,
    UnreadableModelError,
    UnsafeModelError,
)
from mlpack.formats.base import Artifact
from mlpack.formats.sklearn import SklearnFormat
from mlpack.pipeline.inspect import document, failure_document, inspect, sha256_of
from mlpack.plugins import BUILT_IN, load

MODEL = LogisticRegression().fit([[0.0, 1.0], [1.0, 0.0]], [0, 1])
PICKLED = pickle.dumps(MODEL)
KEYS = {
    "path", "format", "framework", "framework_version", "root_class", "task", "signatures", "requirements", "contents",
    "protocol", "compression", "size", "digest", "safety",
}  # fmt: skip


class Bomb:
    """Touches a file when it is unpickled, so that a test sees whether that happened."""

    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> Any:
        return (os.system, (f"touch {self.canary}",))


def look(path: Path, **options: Any) -> ModelInfo:
    return inspect(path, formats=[SklearnFormat()], **options)


def failure(path: Path, kind: type[ModelError] = UnreadableModelError) -> tuple[ModelError, dict[str, Any]]:
    """The error that a path ends in and its document, which is one, complete, with a message and a remedy."""
    with pytest.raises(kind) as caught:
        look(path)
    told = json.loads(json.dumps(failure_document(path, caught.value)))
    assert set(told) >= KEYS | {"error"}
    assert told["error"] == {
        "code": caught.value.code,
        "exit": 3,
        "message": caught.value.message,
        "hint": caught.value.hint,
    }
    assert told["error"]["message"].endswith(".")
    assert "\n" not in told["error"]["message"]
    assert told["error"]["hint"]
    return caught.value, told


def test_a_model(tmp_path: Path) -> None:
    """A model's document is one JSON object with all the keys, and its digest only where it was asked for."""
    path = tmp_path / "model.pkl"
    path.write_bytes(PICKLED)
    info = look(path)
    told = json.loads(json.dumps(document(info, None)))
    assert set(told) >= KEYS
    assert "error" not in told
    assert (told["path"], told["format"], told["framework"], told["task"]) == (
        str(path),
        "sklearn",
        "scikit-learn",
        "classifier",
    )
    assert told["size"] == len(PICKLED)
    assert told["digest"] is None
    assert told["safety"] == {"verdict": "safe", "findings": []}
    assert info.warnings == ()
    assert document(info, sha256_of(path))["digest"].startswith("sha256:")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (PICKLED[:12], "cut off"),
        (PICKLED[: len(PICKLED) // 2], "cut off"),
        (PICKLED[:-1], "cut off"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12\n", "git-LFS"),
        (b"<!DOCTYPE html><html><body>404</body></html>", "HTML"),
        (b"\n<html>login</html>", "HTML"),
        (
            b'<?xml version="1.0"?>\n<Error><Code>AccessDenied</Code></Error>',
            "error message of a storage service instead of the model (AccessDenied)",
        ),
        (b"outs:\n- md5: 0a1b\n  size: 12\n  path: model.pkl\n", "DVC pointer"),
        (base64.b64encode(PICKLED), "base64"),
        (b'{"cells": [], "metadata": {}, "nbformat": 4}', "Jupyter notebook"),
        (b"this is not a pickle\n", "plain text"),
        (b'{"a": 1}', "JSON"),
        (b"\x89HDF\r\n\x1a\n" + b"\0" * 40, "HDF5"),
        (b"PK\x03\x04" + b"\0" * 30, "zip"),
        (gzip.compress(PICKLED)[:40], "cut off"),
        (b"\x80\x04\x8e" + struct.pack("<Q", 1 << 60) + b"abc", "cut off"),
        (bytes(range(7, 250)) * 9, "binary data"),
        (b"\x80\x04R.", "not a valid pickle"),
    ],
)
def test_what_is_no_model_says_what_it_is(content: bytes, words: str, tmp_path: Path) -> None:
    """A file named .pkl that is something else, or not whole, is unreadable, never safe, and says what it is."""
    path = tmp_path / "model.pkl"
    path.write_bytes(content)
    error, told = failure(path)
    assert words in error.message
    assert "model.pkl" in error.message
    assert told["safety"]["verdict"] != "safe"
    assert told["size"] == len(content)


@pytest.mark.parametrize(
    ("value", "words", "hint"), [(PICKLED, "saved twice", "'wb'"), (dict, "a class or function by its name", "fitted")]
)
def test_a_pickle_of_what_is_no_model_says_what_it_holds(value: object, words: str, hint: str, tmp_path: Path) -> None:
    """A model's bytes pickled once more, a class in its object's place."""
    path = tmp_path / "model.pkl"
    path.write_bytes(pickle.dumps(value))
    error, _ = failure(path, UnknownFormatError)
    assert words in error.message
    assert hint in str(error.hint)


@pytest.mark.parametrize(
    "name", ["model.safetensors", "model.onnx", "model.pt", "saved_model.pb", "model.h5", "model.ubj"]
)
def test_pointers_are_told_whatever_they_are_called(name: str, tmp_path: Path) -> None:
    """What git-LFS leaves in a model's place names the command that fetches it."""
    (tmp_path / name).write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12\n")
    with pytest.raises(UnreadableModelError, match="git-LFS pointer") as refused:
        inspect(tmp_path / name, formats=[load("formats", one)() for one in BUILT_IN["formats"]])
    assert "git lfs pull" in str(refused.value.hint)


def test_archives_that_are_not_looked_into_say_so(tmp_path: Path) -> None:
    """7-Zip, RAR, Zstandard: to be unpacked first."""
    for head in (b"7z\xbc\xaf\x27\x1c", b"Rar!\x1a\x07", b"\x28\xb5\x2f\xfd"):
        (tmp_path / "model.bin").write_bytes(head + bytes(60))
        error, _ = failure(tmp_path / "model.bin", UnknownFormatError)
        assert "Unpack it" in str(error.hint)


def test_other_files_are_of_no_known_format(tmp_path: Path) -> None:
    """What does not claim to be a pickle and is none is of an unknown format; the known ones are named."""
    path = tmp_path / "data.json"
    path.write_text('{"name": "x"}')
    error, told = failure(path, UnknownFormatError)
    assert "JSON" in error.message
    assert "sklearn" in error.hint
    assert told["safety"]["verdict"] == "unknown"


def test_a_pickle_without_a_model_tells_what_it_holds(tmp_path: Path) -> None:
    """A dictionary of plain things is no model: its verdict, contents and protocol are in the document all the same."""
    path = tmp_path / "data.pkl"
    path.write_bytes(pickle.dumps({"words": [1, 2], "n": 3}, protocol=3))
    error, told = failure(path, UnknownFormatError)
    assert "words" in error.message
    assert told["safety"]["verdict"] == "safe"
    assert told["protocol"] == 3
    assert [one["key"] for one in told["contents"]] == ["words", "n"]


def test_several_pickles_are_counted(tmp_path: Path) -> None:
    """Every pickle of a stream is listed; with a model first, the others are told as a warning."""
    path = tmp_path / "data.pkl"
    path.write_bytes(pickle.dumps({"part": 1}) + pickle.dumps([1, 2]))
    error, told = failure(path, UnknownFormatError)
    assert "2 pickles" in error.message
    assert len(told["contents"]) == 2
    path.write_bytes(PICKLED + pickle.dumps([1, 2]))
    assert any("2 pickles" in warning for warning in look(path).warnings)


def test_a_dangerous_pickle_is_told_and_not_run(tmp_path: Path) -> None:
    """A pickle that would run a command is no model; the verdict names the callable, and nothing ran."""
    path, canary = tmp_path / "evil.pkl", tmp_path / "canary"
    path.write_bytes(pickle.dumps(Bomb(canary)))
    error, told = failure(path, UnknownFormatError)
    assert told["safety"]["verdict"] == "dangerous"
    assert "system" in error.message
    assert all(set(one) >= {"callable", "why"} for one in told["safety"]["findings"])
    assert not canary.exists()


def test_a_model_with_something_dangerous_beside_it(tmp_path: Path) -> None:
    """A real model in a bundle with a payload is described, and dangerous: the verdict alone is no failure."""
    path, canary = tmp_path / "model.pkl", tmp_path / "canary"
    path.write_bytes(pickle.dumps({"model": MODEL, "extra": Bomb(canary)}))
    info = look(path)
    assert info.safety.verdict == "dangerous"
    assert info.framework == "scikit-learn"
    assert not canary.exists()


def test_danger_before_the_break_is_danger(tmp_path: Path) -> None:
    """A dangerous call seen before the place where reading stops makes the file dangerous, not unreadable."""
    path, canary = tmp_path / "evil.pkl", tmp_path / "canary"
    path.write_bytes(pickle.dumps([Bomb(canary), "x" * 500])[:-200])
    error, told = failure(path, UnsafeModelError)
    assert error.code == "unsafe"
    assert told["safety"]["verdict"] == "dangerous"
    assert not canary.exists()


def test_paths_that_are_no_files(tmp_path: Path) -> None:
    """Missing files, dangling and looping links, pipes, sockets and devices end at once with their own sentence."""
    (tmp_path / "dangling.pkl").symlink_to("missing.pkl")
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    os.mkfifo(tmp_path / "fifo.pkl")
    (tmp_path / "through.pkl").symlink_to("fifo.pkl")
    for name, words in {
        "missing.pkl": "does not exist",
        "dangling.pkl": "symbolic link to missing.pkl",
        "a": "is a symbolic link in a loop",
        "fifo.pkl": "named pipe",
        "through.pkl": "named pipe",
        "x" * 300: "too long",
        "nul\0.pkl": "not a valid path",
        "fifo.pkl/inside": "cannot be read",
    }.items():
        assert words in failure(tmp_path / name)[0].message
    assert "character device" in failure(Path("/dev/null"))[0].message


def test_a_socket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A socket is told apart from a file."""
    monkeypatch.chdir(tmp_path)  # a socket's path has few bytes
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("s.pkl")
        assert "socket" in failure(Path("s.pkl"))[0].message


@pytest.mark.skipif(os.getuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    """Missing rights are named as such."""
    path = tmp_path / "model.pkl"
    path.write_bytes(PICKLED)
    path.chmod(0)
    assert "no permission to read" in failure(path)[0].message


def test_a_link_to_a_model_is_told(tmp_path: Path) -> None:
    """A link is followed, and said to be one."""
    (tmp_path / "real.pkl").write_bytes(PICKLED)
    (tmp_path / "model.pkl").symlink_to("real.pkl")
    assert any("symbolic link to real.pkl" in warning for warning in look(tmp_path / "model.pkl").warnings)


@pytest.mark.parametrize(
    ("name", "mismatch"), [("m.txt", True), ("m.h5", True), ("m.sav", False), ("m", False), ("m.gz", False)]
)
def test_the_content_decides_not_the_name(name: str, mismatch: bool, tmp_path: Path) -> None:
    """A model under another kind of name is a model, with a warning."""
    path = tmp_path / name
    path.write_bytes(PICKLED)
    assert any("name ends in" in warning for warning in look(path).warnings) is mismatch


@pytest.mark.parametrize(
    "name", ["-rf.pkl", "name with spaces & ünïcode $(touch x).pkl", "new\nline.pkl", "\udcff.pkl"]
)
def test_odd_names(name: str, tmp_path: Path) -> None:
    """Names of any bytes are read, and shown on one printable line."""
    path = tmp_path / name
    path.write_bytes(PICKLED)
    shown = document(look(path), None)["path"]
    assert shown.isprintable()
    assert shown.encode("utf-8")
    path.write_bytes(b"x")
    failure(path)


def test_folders(tmp_path: Path) -> None:
    """An empty folder is unreadable, one model in it is that model, several are listed and one is asked for."""
    failure(tmp_path)
    (tmp_path / "notes.txt").write_text("about")
    (tmp_path / "inside").mkdir()
    (tmp_path / "inside" / "clf.pkl").write_bytes(PICKLED)
    (tmp_path / "inside" / "clf.pkl_01.npy").write_bytes(b"\x93NUMPY")
    (tmp_path / "loop").symlink_to(".")
    assert look(tmp_path).path == tmp_path / "inside" / "clf.pkl"
    (tmp_path / "data.pkl").write_bytes(pickle.dumps({"a": 1}))
    os.mkfifo(tmp_path / "fifo.pkl")
    assert look(tmp_path).path == tmp_path / "inside" / "clf.pkl"
    joblib.dump(MODEL, tmp_path / "other.joblib")
    error, told = failure(tmp_path, AmbiguousFormatError)
    assert "inside/clf.pkl, other.joblib" in error.message
    assert {one["key"]: one["servable"] for one in told["contents"]} == {
        "data.pkl": False,
        "inside/clf.pkl": True,
        "other.joblib": True,
    }


def test_a_folder_without_models(tmp_path: Path) -> None:
    """Likely files that are no models are listed with what each is."""
    for name in ("a.pkl", "b.pkl"):
        (tmp_path / name).write_bytes(pickle.dumps([1]))
    error, told = failure(tmp_path, UnknownFormatError)
    assert "2 likely files" in error.message
    assert [one["kind"] for one in told["contents"]] == ["unknown_format", "unknown_format"]


def test_two_formats_that_claim_a_file(tmp_path: Path) -> None:
    """A file that two formats know is ambiguous, and both are named."""

    class Second(SklearnFormat):
        """A plugin that claims what is not its own."""

        name = "second"

        def inspect(self, artifact: Artifact) -> ModelInfo | None:
            """Claims it."""
            return super().inspect(artifact)

    path = tmp_path / "model.pkl"
    path.write_bytes(PICKLED)
    with pytest.raises(AmbiguousFormatError, match="two formats"):
        inspect(path, formats=[SklearnFormat(), Second()])


def test_a_zip_of_pickles_has_a_verdict(tmp_path: Path) -> None:
    """A zip with a payload in it is no known model, and dangerous."""
    path = tmp_path / "model.pt"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps(Bomb(tmp_path / "canary"), 2))
    assert failure(path, UnknownFormatError)[1]["safety"]["verdict"] == "dangerous"


def test_numpy_files(tmp_path: Path) -> None:
    """A numpy array is data, no model."""
    path = tmp_path / "a.npy"
    np.save(path, np.arange(3.0))
    failure(path, UnknownFormatError)


def test_deep_and_wide_structures_end(tmp_path: Path) -> None:
    """A hundred thousand lists in lists are refused, and 2^40 logical elements listed, both at once."""
    path = tmp_path / "deep.pkl"
    path.write_bytes(b"\x80\x04" + b"]" * 100_000 + b"a" * 99_999 + b".")
    assert "deep" in failure(path)[0].message
    doubled = b"".join(b"](h" + bytes([i]) + b"h" + bytes([i]) + b"e\x94" for i in range(40))
    path.write_bytes(b"\x80\x04]\x94" + doubled + b".")
    failure(path, UnknownFormatError)


def test_progress_is_told(tmp_path: Path) -> None:
    """Reading tells how far it is, in bytes."""
    path = tmp_path / "model.pkl"
    path.write_bytes(PICKLED)
    told: list[tuple[int, int]] = []
    note: Callable[[int, int], None] = lambda done, total: told.append((done, total))  # noqa: E731 - one line
    look(path, on_progress=note)
    assert told
    assert all(done <= total == len(PICKLED) for done, total in told)


def test_the_digest_of_a_file_and_a_folder(tmp_path: Path) -> None:
    """A file's digest is its sha256; a folder's changes with a name or a byte, and with nothing else."""
    (tmp_path / "f").mkdir()
    file = tmp_path / "f" / "a.bin"
    file.write_bytes(b"abc")
    assert sha256_of(file) == "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    first = sha256_of(tmp_path / "f")
    assert sha256_of(tmp_path / "f") == first
    (tmp_path / "f" / "link").symlink_to("/nowhere")
    second = sha256_of(tmp_path / "f")
    file.rename(tmp_path / "f" / "b.bin")
    assert len({first, second, sha256_of(tmp_path / "f")}) == 3


def test_nothing_of_the_model_is_imported(tmp_path: Path) -> None:
    """Inspecting needs no framework: a process that forbids importing any still tells the model."""
    path = tmp_path / "model.pkl"
    path.write_bytes(PICKLED)
    program = (
        "import sys\n"
        "for name in ('sklearn', 'numpy', 'pandas', 'joblib', 'scipy'): sys.modules[name] = None\n"
        "from pathlib import Path\n"
        "from mlpack.formats.sklearn import SklearnFormat\n"
        "from mlpack.pipeline.inspect import inspect\n"
        "print(inspect(Path(sys.argv[1]), formats=[SklearnFormat()]).task)\n"
    )
    from mlpack import shell

    done = shell.run([sys.executable, "-c", program, str(path)])
    assert done.stdout.strip() == "classifier", done.stderr
