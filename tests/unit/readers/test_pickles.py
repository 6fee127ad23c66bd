"""What read_pickles tells of real models and of the wrappings that pickles come in."""

from __future__ import annotations

import io
import os
import pickle
import subprocess
import sys
import zipfile
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from mlpack.errors import UnreadableModelError
from mlpack.readers.pickles.files import read_pickles
from mlpack.readers.pickles.values import Array, Instance, PickleFile

GIB = 1 << 30


def _read(path: Path) -> PickleFile:
    told = read_pickles(path)
    assert told is not None
    return told


def _pipeline() -> Pipeline:
    frame = pd.DataFrame({"age": [20.0, 30.0, 40.0, 50.0], "city": ["x", "y", "x", "y"]})
    columns = ColumnTransformer([("n", StandardScaler(), ["age"]), ("c", OneHotEncoder(), ["city"])])
    return Pipeline([("prep", columns), ("model", LogisticRegression())]).fit(
        frame, np.array(["no", "yes", "no", "yes"], dtype=object)
    )


@pytest.mark.parametrize("how", ["pickle", "joblib"])
def test_a_fitted_pipeline_can_be_read_without_running_it(how: str, tmp_path: Path) -> None:
    """Names, classes, categories and the recorded version lie open in the values."""
    path = tmp_path / "model"
    if how == "joblib":
        joblib.dump(_pipeline(), path)
    else:
        path.write_bytes(pickle.dumps(_pipeline()))
    told = _read(path)
    assert (told.container, told.safety.verdict, told.problem) == (how, "safe", "")
    assert isinstance(told.root, Instance)
    assert told.root.class_name == "sklearn.pipeline.Pipeline"
    (_, prep), (_, model) = told.root.attributes()["steps"]
    assert model.class_name == "sklearn.linear_model._logistic.LogisticRegression"
    assert model.attributes()["classes_"].values() == ["no", "yes"]
    assert prep.attributes()["feature_names_in_"].values() == ["age", "city"]
    assert prep.attributes()["transformers_"][1][1].attributes()["categories_"][0].values() == ["x", "y"]
    assert "_sklearn_version" in model.attributes()


def test_numpy_generation_is_told(tmp_path: Path) -> None:
    """The two numpy generations write their arrays under different module names."""
    path = tmp_path / "array.pkl"
    data = pickle.dumps(np.arange(3), 2)
    path.write_bytes(data)
    assert _read(path).numpy_major == 2
    path.write_bytes(data.replace(b"numpy._core.", b"numpy.core."))
    assert (_read(path).numpy_major, _read(path).safety.verdict) == (1, "safe")


@pytest.mark.parametrize("protocol", range(2, 6))
def test_an_array_of_records_is_read(protocol: int, tmp_path: Path) -> None:
    """Its elements have names and types of their own, in a plain array and in numpy's array of records."""
    path = tmp_path / "table.pkl"
    plain = np.array([(1, 2.5)], dtype=[("a", "<i4"), ("b", "<f8")])
    for table in (plain, plain.view(np.recarray)):
        path.write_bytes(pickle.dumps({"table": table}, protocol))
        told = _read(path)
        assert (told.safety.verdict, told.problem) == ("safe", "")
        assert told.root["table"].fields == (("a", "<i4"), ("b", "<f8"))


def test_every_pickle_of_a_stream_is_read(tmp_path: Path) -> None:
    """A file of several pickles holds them all; what follows and is none is said, and is no fault."""
    path = tmp_path / "several.pkl"
    path.write_bytes(pickle.dumps({"part": 1}) + pickle.dumps([1, 2, 3]) + b"\x00trailing")
    told = _read(path)
    assert [member.root for member in told.members] == [{"part": 1}, [1, 2, 3]]
    assert (told.safety.verdict, told.problem) == ("safe", "")
    assert len(told.notes) == 1


def test_npz_with_objects_and_numbers(tmp_path: Path) -> None:
    """Each array of a .npz is told, those of objects through the pickle inside."""
    path = tmp_path / "arrays.npz"
    np.savez(path, names=np.array(["a", "b"], dtype=object), numbers=np.arange(3))
    told = _read(path)
    assert (told.container, told.safety.verdict) == ("npz", "safe")
    assert {member.name: member.root.values() for member in told.members} == {
        "names.npy": ["a", "b"],
        "numbers.npy": [0, 1, 2],
    }


def test_torch_files_are_judged_without_torch(tmp_path: Path) -> None:
    """A torch archive's storages are raw bytes and its persistent ids are torch's own; the older format is a stream."""
    tensor = (
        b"ctorch._utils\n_rebuild_tensor_v2\n((X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x02t"
        b"QK\x00K\x02\x85K\x01\x85\x89ccollections\nOrderedDict\n)RtR"
    )
    body = b"\x80\x02}X\x01\x00\x00\x00w" + tensor + b"s."
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("archive/data.pkl", body)
        file.writestr("archive/data/0", b"\x80\x02\xff\xff\x00\x00\x00\x00")  # begins like a pickle, and is none
    path = tmp_path / "model.pt"
    path.write_bytes(archive.getvalue())
    told = _read(path)
    assert (told.container, told.safety.verdict, told.problem, len(told.members)) == ("zip", "safe", "", 1)
    head = b"".join(pickle.dumps(value, 2) for value in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}))
    path.write_bytes(head + body + pickle.dumps(["0"], 2) + b"\x80\x3f" + bytes(20))
    told = _read(path)
    assert (told.container, told.safety.verdict, told.problem, len(told.members)) == ("pickle", "safe", "", 5)


def test_arrays_beside_the_pickle_are_read_too(tmp_path: Path) -> None:
    """Before joblib 0.10 arrays lay in files of their own: a missing one is said, one of objects is judged."""
    path = tmp_path / "old.pkl"
    state = b"(dp1\nS'filename'\nS'old.pkl_01.npy'\nsS'subclass'\ncnumpy\nndarray\ns"
    path.write_bytes(
        b"ccopy_reg\n_reconstructor\n(cjoblib.numpy_pickle\nNDArrayWrapper\nc__builtin__\nobject\nNtR" + state + b"b."
    )
    assert "missing" in _read(path).problem
    np.save(tmp_path / "old.pkl_01.npy", np.array(["a"], dtype=object))
    assert (_read(path).safety.verdict, _read(path).problem) == ("safe", "")
    (tmp_path / "old.pkl_01.npy").write_bytes(b"cos\nsystem\n(S'true'\ntR.")
    assert _read(path).safety.verdict == "dangerous"


def test_old_joblib_zfile(tmp_path: Path) -> None:
    """The oldest compressed format of joblib is read."""
    import zlib

    path = tmp_path / "old.z"
    data = pickle.dumps({"a": 1}, 2)
    path.write_bytes(b"ZF" + hex(len(data)).ljust(len(hex(1 << 64))).encode() + zlib.compress(data))
    assert (_read(path).root, _read(path).compression) == ({"a": 1}, "zlib")


def test_what_cannot_be_opened_is_said(tmp_path: Path) -> None:
    """A missing file, a folder, a pipe and a loop of links end with a sentence, and nothing blocks."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to("loop")
    for name in ("missing", ".", "pipe", "loop"):
        with pytest.raises(UnreadableModelError, match=r"cannot be read|not a regular file"):
            read_pickles(tmp_path / name)


def test_progress_is_told_in_bytes_of_the_file(tmp_path: Path) -> None:
    """A compressed file reports how far it is, up to its own size."""
    path = tmp_path / "model.joblib"
    joblib.dump(
        RandomForestClassifier(5).fit(np.random.default_rng(0).normal(size=(500, 5)), np.arange(500) % 3),
        path,
        compress=3,
    )
    calls: list[tuple[int, int]] = []
    read_pickles(path, on_progress=lambda done, total: calls.append((done, total)))
    assert calls
    assert calls[-1] == (path.stat().st_size, path.stat().st_size)


def test_a_gigabyte_of_array_is_stepped_over(tmp_path: Path) -> None:
    """An uncompressed file of 1 GB whose bytes are arrays takes at most a second and 120 MB, interpreter and all."""
    path = tmp_path / "large.joblib"
    wrapped = io.BytesIO()
    joblib.dump({"w": np.zeros(20_000), "end": 1}, wrapped)
    data = wrapped.getvalue()
    zeros = data.find(bytes(100))
    data = data.replace((20_000).to_bytes(2, "little") + b"\x85", b"\x00\x00\x85", 1)
    start = data[:zeros].replace(b"M\x00\x00\x85", b"J" + (GIB // 8).to_bytes(4, "little") + b"\x85")
    with path.open("wb") as file:
        file.write(start)
        file.seek(GIB, 1)
        file.write(data[zeros + 160_000 :])
    program = (
        "import sys, time; from pathlib import Path; from mlpack.readers.pickles.files import read_pickles;"
        "began = time.process_time(); told = read_pickles(Path(sys.argv[1])); took = time.process_time() - began;"
        "print(told.safety.verdict, told.problem or '-', told.root['w'].shape[0], told.root['end'], took,"
        " next(line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')))"
    )
    done = subprocess.run([sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=True)
    verdict, problem, extent, end, took, memory = done.stdout.split()
    assert (verdict, problem, int(extent), end) == ("safe", "-", GIB // 8, "1")
    assert float(took) < 1
    assert int(memory) < 120 * 1024


def test_a_large_compressible_model_is_read_to_its_end(tmp_path: Path) -> None:
    """A model of zeros compresses a thousandfold and is honest all the same."""
    path = tmp_path / "zeros.joblib"
    joblib.dump({"w": np.zeros(12_000_000), "end": 1}, path, compress=3)
    told = _read(path)
    assert (told.safety.verdict, told.problem, told.root["end"]) == ("safe", "", 1)
    assert isinstance(told.root["w"], Array)
    assert told.root["w"].shape == (12_000_000,)


class _Runs:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("true",)


@pytest.mark.parametrize("way", ["joblib", "npy", 0, 2, 5])
def test_arrays_of_numpys_own_strings(tmp_path: Path, way: str | int) -> None:
    """numpy 2's StringDType, as pickles of any protocol, joblib and numpy write it: read, safe, of its shape."""
    array = np.array([["a", "ü" * 300], ["", "b"]], dtype=np.dtypes.StringDType(na_object=None))
    path = tmp_path / "strings"
    if way == "joblib":
        joblib.dump(array, path)
    elif way == "npy":
        with path.open("wb") as file, pytest.warns(UserWarning, match="Custom dtypes"):
            np.save(file, array)
    else:
        path.write_bytes(pickle.dumps(array, protocol=int(way)))
    told = _read(path)
    assert (told.problem, told.safety.verdict) == ("", "safe")
    assert isinstance(told.root, Array)
    assert told.root.shape == (2, 2)


def test_what_stands_for_a_missing_string_is_judged(tmp_path: Path) -> None:
    """It may be any object, so it is a place for code like any other."""
    array = np.array(["a"], dtype=np.dtypes.StringDType(na_object=_Runs()))
    (tmp_path / "strings.pkl").write_bytes(pickle.dumps(array))
    assert _read(tmp_path / "strings.pkl").safety.verdict == "dangerous"


def test_structured_arrays_of_objects_are_data(tmp_path: Path) -> None:
    """Arrays and scalars of structured dtypes with objects, dates and texts in them are safe, by pickle and by joblib."""
    inner = [("x", "i4"), ("y", "O")]
    table = np.zeros(3, [("a", "f8"), ("s", "O"), ("d", "M8[D]"), ("t", "U4"), ("n", inner), ("v", "f4", (2,))])
    table["s"] = ["x", {"k": 1}, None]
    for value in (table, table[0], table.view(np.recarray), table[["a", "s"]]):
        pickled, dumped = tmp_path / "value.pkl", tmp_path / "value.joblib"
        pickled.write_bytes(pickle.dumps(value))
        joblib.dump(value, dumped)
        for path in (pickled, dumped):
            found = read_pickles(path)
            assert found is not None
            assert (found.safety.verdict, found.problem) == ("safe", "")
