"""HDF5 without h5py: the same names, shapes and attributes that h5py tells, and nothing but CutOffError for broken files."""

import io
import random
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from mlpack.readers.hdf5 import Hdf5
from mlpack.readers.limits import CutOffError

DTYPES = {"float16": "FP16", "float32": "FP32", "float64": "FP64", "int8": "INT8", "int64": "INT64", "uint16": "UINT16"}


def written(libver: str = "earliest", groups: int = 40) -> bytes:
    """A file as Keras writes one: nested groups, weights, texts of both kinds."""
    buffer = io.BytesIO()
    with h5py.File(buffer, "w", libver=libver) as file:
        file.attrs["model_config"] = '{"class_name": "Ünï"}' * 4000  # longer than an object header may be
        file.attrs["keras_version"] = np.bytes_(b"2.2.4-tf")
        file.attrs["backend"] = b"tensorflow"
        if libver == "earliest":
            file.attrs["layer_names"] = np.array([b"dense", b"dense_1"])
            file.attrs["epochs"] = np.int32(-3)
            file.attrs["rates"] = np.array([0.5, 0.25])
        for place in range(groups if libver == "earliest" else 6):
            group = file.create_group(f"model_weights/layer_{place}/inner")
            for name in DTYPES if place == 0 else ("float32",):
                group.create_dataset(f"{name}:0", data=np.zeros((place + 1, 3), dtype=name))
    return buffer.getvalue()


def read(data: bytes) -> Hdf5:
    return Hdf5(io.BytesIO(data), len(data))


@pytest.mark.parametrize("libver", ["earliest", "latest"])
def test_it_tells_what_h5py_tells(libver: str) -> None:
    """Every dataset by path, type and shape, and every attribute, in files of the oldest and the newest layout."""
    data = written(libver)
    wanted: dict[str, tuple[str, tuple[int, ...]]] = {}

    def visit(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            wanted[name] = (DTYPES[str(item.dtype)], item.shape)

    with h5py.File(io.BytesIO(data), "r") as file:
        file.visititems(visit)
    found = read(data)
    assert {name: (one.dtype, one.shape) for name, one in found.walk()} == wanted
    told = found.root.attributes()
    assert told["model_config"] == '{"class_name": "Ünï"}' * 4000
    assert (told["keras_version"], told["backend"]) == ("2.2.4-tf", "tensorflow")
    if libver == "earliest":
        assert told["layer_names"] == ["dense", "dense_1"]
        assert (told["epochs"], told["rates"]) == (-3, [0.5, 0.25])


def test_a_group_with_many_members_is_read(tmp_path: Path) -> None:
    """A group whose index has several levels, as one with hundreds of layers has."""
    path = tmp_path / "many.h5"
    with h5py.File(path, "w") as file:
        for place in range(700):
            file.create_dataset(f"layer_{place:04d}", data=np.zeros(place % 5))
    with path.open("rb") as stream:
        assert len(list(Hdf5(stream, path.stat().st_size).walk())) == 700


def test_a_storage_that_is_not_read_is_told() -> None:
    """Where the newest layout keeps many members in another storage, it is no empty group."""
    buffer = io.BytesIO()
    with h5py.File(buffer, "w", libver="latest") as file:
        for place in range(20):
            file.create_group(f"layer_{place}")
    with pytest.raises(CutOffError, match="dense"):
        list(read(buffer.getvalue()).walk())


def test_broken_files_raise_nothing_else() -> None:
    """Cut at any place, with any byte changed, or with its signature alone, a file is an answer or a CutOffError, soon."""
    data = written(groups=3)
    rng = random.Random(3)
    broken = [data[:8] + b"\0" * 40, *(data[: rng.randrange(len(data))] for _ in range(60))]
    for _ in range(600):
        changed = bytearray(data)
        for _ in range(rng.randrange(1, 5)):
            changed[rng.randrange(len(changed))] = rng.randrange(256)
        broken.append(bytes(changed))
    refused = 0
    for one in broken:
        try:
            found = read(one)
            found.root.attributes()
            list(found.walk())
        except CutOffError:  # noqa: PERF203  # each file is judged alone
            refused += 1
    assert refused > 60


def test_groups_that_hold_themselves_end(tmp_path: Path) -> None:
    """A link back to a group that holds it is followed once."""
    path = tmp_path / "loop.h5"
    with h5py.File(path, "w") as file:
        inner = file.create_group("a/b")
        inner["up"] = file["a"]
        inner.create_dataset("w", data=[1.0])
    with path.open("rb") as stream:
        assert [name for name, _ in Hdf5(stream, path.stat().st_size).walk()] == ["a/b/w"]
