"""Damaged files: whatever is cut off or changed, reading ends with an answer and never calls it safe when it was not read."""

from __future__ import annotations

import gzip
import io
import pickle
import random
from pathlib import Path

import joblib
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from mlpack.readers.pickles.files import read_pickles

VALUE = {"labels": np.array(["no", "yes"], dtype=object), "weights": np.arange(5.0), "n": [1, 2.5, ("a", None)]}


def _joblib() -> bytes:
    buffer = io.BytesIO()
    joblib.dump({**VALUE, "model": LogisticRegression()}, buffer)
    return buffer.getvalue()


def _npz() -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, a=VALUE["labels"], b=VALUE["weights"])  # type: ignore[arg-type]  # arrays by name
    return buffer.getvalue()


SAMPLES = {
    "protocol0": pickle.dumps(VALUE, 0),
    "protocol2": pickle.dumps(VALUE, 2),
    "protocol5": pickle.dumps(VALUE, 5),
    "joblib": _joblib(),
    "gzip": gzip.compress(_joblib()),
    "npz": _npz(),
}


@pytest.mark.parametrize("name", SAMPLES)
def test_cut_off_files_are_never_safe(name: str, tmp_path: Path) -> None:
    """A file cut off at any byte is told as cut off, or as no pickle at all."""
    data = SAMPLES[name]
    path = tmp_path / "cut"
    step = max(1, len(data) // 120)
    for length in range(0, len(data), step):
        path.write_bytes(data[:length])
        told = read_pickles(path)
        # gzip's last eight bytes are a checksum that no loader waits for
        if told is not None and not (name == "gzip" and length >= len(data) - 8):
            assert told.safety.verdict != "safe", length
            assert told.problem, length


@pytest.mark.parametrize("name", SAMPLES)
def test_changed_files_end_with_an_answer(name: str, tmp_path: Path) -> None:
    """Bytes changed anywhere lead to an answer, not to an error, and what is told of can be shown."""
    rng = random.Random(name)
    path = tmp_path / "changed"
    for _ in range(150):
        data = bytearray(SAMPLES[name])
        for _ in range(rng.choice([1, 1, 2, 8])):
            data[rng.randrange(len(data))] = rng.randrange(256)
        path.write_bytes(data)
        told = read_pickles(path)
        if told is not None:
            assert repr(told)
            assert told.safety.verdict in ("safe", "unknown", "dangerous")
            assert not (told.problem and told.safety.verdict == "safe")


def test_random_opcodes_end_with_an_answer(tmp_path: Path) -> None:
    """Streams of random opcodes end with an answer."""
    rng = random.Random(1)
    codes = b"(.012FGIJKLMNPQRSTUVX]abcdeghijlopqrstu})\x81\x82\x85\x86\x87\x88\x89\x8a\x8c\x8f\x90\x91\x92\x93\x94\x95\x96\x97\x98"
    path = tmp_path / "random"
    for _ in range(400):
        body = bytes(rng.choice(codes) if rng.random() < 0.8 else rng.randrange(8) for _ in range(rng.randrange(1, 60)))
        path.write_bytes(b"\x80\x04" + body)
        assert read_pickles(path) is not None
