"""Two gigabytes of weights cost no memory: HDF5, .keras archives, SavedModels with variables, and with a constant in the graph."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import h5py
import pytest

from tests.unit.formats.saved_models import ADDS, graph, held, number, saved, varint

SIZE = 2_000_000_000
MOST = 150 << 20
LAYERS = [
    {"class_name": "InputLayer", "module": "keras.layers", "config": {"batch_shape": [None, 4], "dtype": "float32", "name": "x"}},
    {"class_name": "Dense", "module": "keras.layers", "config": {"name": "d", "units": 3}},
]  # fmt: skip
CONFIG = json.dumps({"class_name": "Sequential", "module": "keras", "config": {"name": "s", "layers": LAYERS}})
PROGRAM = """
import sys
from pathlib import Path
from mlpack.formats.keras import KerasFormat
from mlpack.formats.savedmodel import SavedModelFormat
from mlpack.pipeline.inspect import inspect

info = inspect(Path(sys.argv[1]), formats=[KerasFormat(), SavedModelFormat()])
assert info.signatures and info.safety.verdict == "safe", info
status = Path("/proc/self/status").read_text()  # getrusage would tell what the parent had when it forked
print(int(status.split("VmHWM:")[1].split()[0]) * 1024)
"""


def hdf5(path: Path) -> Path:
    """A model whose one layer is a hole in the file."""
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = CONFIG
        file.attrs["keras_version"] = "3.15.1"
        how = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        how.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
        how.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
        group = file.create_group("model_weights")
        space = h5py.h5s.create_simple((SIZE // 4,))
        h5py.h5d.create(group.id, b"kernel", h5py.h5t.NATIVE_FLOAT, space, how)
    return path


def archive(path: Path) -> Path:
    """A .keras file: weights are stored in it uncompressed. Its zip is written around a hole by hand."""
    weights = hdf5(path.with_suffix(".h5"))
    with zipfile.ZipFile(path, "w") as members:
        members.writestr("metadata.json", '{"keras_version": "3.15.1"}')
        members.writestr("config.json", CONFIG)
        info = zipfile.ZipInfo("model.weights.h5")
        with members.open(info, "w", force_zip64=True) as member, weights.open("rb") as source:
            member.write(source.read(1 << 20))
    # What follows of the weights is a hole: the directory is moved behind it, and tells the whole length.
    data = path.read_bytes()
    directory = data.index(b"PK\x01\x02")
    size = weights.stat().st_size
    grown = data[directory:].replace((1 << 20).to_bytes(4, "little"), size.to_bytes(4, "little"))
    end = grown.rindex(b"PK\x05\x06")
    place = directory - (1 << 20) + size
    grown = grown[: end + 16] + place.to_bytes(4, "little") + grown[end + 20 :]
    with path.open("wb") as file:
        file.write(data[:directory].replace((1 << 20).to_bytes(8, "little"), size.to_bytes(8, "little"), 2))
        file.seek(place)
        file.write(grown)
    weights.unlink()
    return path


def variables(path: Path) -> Path:
    """A SavedModel beside whose graph the variables lie."""
    shard = "variables/variables.data-00000-of-00001"
    saved(path, graph(ADDS), files={"variables/variables.index": b"i", shard: b""})
    os.truncate(path / shard, SIZE)
    return path


def constant(path: Path) -> Path:
    """A SavedModel with a constant of that size in its graph."""

    def head(field: int, length: int) -> bytes:
        return varint(field << 3 | 2) + varint(length)

    around = head(4, SIZE)  # TensorProto.tensor_content
    for field, before in ((8, b""), (2, held(1, "value")), (5, held(1, "c") + held(2, "Const")), (1, b""), (2, b"")):
        around = before + head(field, len(around) + SIZE) + around
    about = held(1, held(4, "serve"), held(5, "2.21.0"))
    tail = held(5, ADDS)
    path.mkdir()
    with (path / "saved_model.pb").open("wb") as file:
        file.write(number(1, 1) + head(2, len(about) + len(around) + SIZE + len(tail)) + about + around)
        file.seek(SIZE, 1)
        file.write(tail)
    return path


@pytest.mark.parametrize("make", [hdf5, archive, variables, constant])
def test_two_gigabytes(tmp_path: Path, make: Callable[[Path], Path]) -> None:
    """Read in a process of its own, whose memory stays where it is for a small file."""
    path = make(tmp_path / ("m.keras" if make is archive else "m"))
    assert sum(one.stat().st_size for one in (path.rglob("*") if path.is_dir() else [path])) > SIZE
    ended = subprocess.run([sys.executable, "-c", PROGRAM, str(path)], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert int(ended.stdout) < MOST
