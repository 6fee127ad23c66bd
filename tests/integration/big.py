"""Models of any size that cost no time: a real pickle with one array that is a hole in the file."""

from __future__ import annotations

import pickle
import struct
import uuid
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression

MARK = b"the array's bytes stand here, as many as the file is to be long."


def write_big_model(path: Path, size: int) -> None:
    """A fitted classifier of three features, with an array of `size` zero bytes beside its coefficients; each file is another."""
    rows = np.asarray([[0.0, 0.0, 1.0], [0.0, 1.0, 1.0], [4.0, 4.0, 0.0], [5.0, 4.0, 0.0]])
    model = LogisticRegression().fit(rows, ["small", "small", "large", "large"])
    model.run_ = uuid.uuid4().hex  # no engine has seen it
    model.ballast_ = np.frombuffer(MARK, dtype=np.uint8).copy()
    text = pickle.dumps(model, protocol=5)
    # Frames only help reading ahead; without the one around all of it, lengths inside may change.
    assert text[2:3] == pickle.FRAME
    text = text[:2] + text[11:]
    before, array, after = text.partition(pickle.BYTEARRAY8 + struct.pack("<Q", len(MARK)) + MARK)
    shape = pickle.BININT1 + bytes([len(MARK)]) + pickle.TUPLE1
    assert array
    assert shape in after
    after = after.replace(shape, pickle.BININT + struct.pack("<i", size) + pickle.TUPLE1, 1)
    with path.open("wb") as file:
        file.write(before + pickle.BYTEARRAY8 + struct.pack("<Q", size))
        file.seek(size, 1)
        file.write(after)
