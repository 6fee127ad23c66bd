"""Pickles in archives, as SageMaker's model.tar.gz holds them: recognised, packed unpacked, and judged whatever lies beside them."""

from __future__ import annotations

import gzip
import io
import pickle
import tarfile
import zipfile
from pathlib import Path

import pytest
from sklearn.linear_model import LogisticRegression

from mlpack.artifacts.model import ModelInfo
from mlpack.discovery.model_files import model_files
from mlpack.discovery.opaque import opaque_model
from mlpack.errors import ModelError, UnknownFormatError, UnreadableModelError
from mlpack.formats.sklearn import SklearnFormat
from mlpack.pipeline.inspect import inspect
from mlpack.readers.pickles.files import read_pickles
from tests.hostile import P2
from tests.unit.test_packed import tarred, zipped

EVIL = P2 + b"cos\nsystem\n(X\x04\0\0\0truetR."
EVIL_0 = b"cos\nsystem\n(S'true'\ntR."


@pytest.fixture(scope="module")
def model() -> bytes:
    """A fitted classifier of two columns."""
    return pickle.dumps(LogisticRegression().fit([[0, 1], [1, 0], [2, 2]], ["a", "b", "b"]))


def look(path: Path) -> ModelInfo:
    return inspect(path, formats=[SklearnFormat()])


@pytest.mark.parametrize("name", ["model.pkl", "out/clf.joblib", "sklearn-model"])
@pytest.mark.parametrize("make", [zipped, tarred])
def test_a_pickle_in_an_archive_is_the_model(tmp_path: Path, model: bytes, make: object, name: str) -> None:
    """Beside the code and notes that usually lie there; the image gets the pickle alone, byte for byte."""
    path = make(
        tmp_path / "model.any", **{name: model, "code/inference.py": b"def model_fn(d): ...\n", "notes": b"Hi."}
    )  # type: ignore[operator]
    info = look(path)
    assert (info.packed, info.path, info.root_class.rpartition(".")[2]) == (name, path, "LogisticRegression")
    assert (info.safety.verdict, info.classes, info.size) == ("safe", ("a", "b"), len(model))
    (file,) = model_files(info, None)
    assert (file.member, file.size, file.name) == (
        name,
        len(model),
        f"model/{name.rpartition('/')[2].replace('-', '_')}",
    )


def test_a_compressed_pickle_in_an_archive(tmp_path: Path, model: bytes) -> None:
    """A pickle in gzip in a plain tar, and in a zip's compressed member, is the same model."""
    with tarfile.open(tmp_path / "m.tar", "w") as archive:
        told = tarfile.TarInfo("model.pkl.gz")
        data = gzip.compress(model)
        told.size = len(data)
        archive.addfile(told, io.BytesIO(data))
    assert (look(tmp_path / "m.tar").packed, look(tmp_path / "m.tar").compression) == ("model.pkl.gz", "gzip")
    with zipfile.ZipFile(tmp_path / "m.zip", "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("model.pkl", model)
    assert look(tmp_path / "m.zip").packed == "model.pkl"


@pytest.mark.parametrize("evil", [EVIL, EVIL_0, gzip.compress(EVIL)], ids=["pickle", "text", "gzip"])
@pytest.mark.parametrize("make", [zipped, tarred])
def test_a_dangerous_pickle_beside_the_model_is_told(tmp_path: Path, model: bytes, make: object, evil: bytes) -> None:
    """Who unpacks the archive has it too: the verdict is of all of it, and names the callable."""
    path = make(tmp_path / "m.any", **{"model.pkl": model, "vocabulary.bin": evil})  # type: ignore[operator]
    info = look(path)
    assert (info.packed, info.safety.verdict) == ("model.pkl", "dangerous")
    assert "os.system" in [one.callable for one in info.safety.findings]


@pytest.mark.parametrize("evil", [EVIL, EVIL_0, gzip.compress(EVIL)], ids=["pickle", "text", "gzip"])
@pytest.mark.parametrize("mode", ["w", "w:gz", "w:xz"])
def test_a_dangerous_pickle_in_a_tar_is_seen(tmp_path: Path, mode: str, evil: bytes) -> None:
    """Alone in a tar, compressed or not: no model, dangerous; also when a predictor of the user's own would open it."""
    path = tmp_path / "m.tar.any"
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]  # one of the modes above
        told = tarfile.TarInfo("data/weights")
        told.size = len(evil)
        archive.addfile(told, io.BytesIO(evil))
    with pytest.raises(UnknownFormatError) as failed:
        look(path)
    assert failed.value.info["safety"]["verdict"] == "dangerous"
    assert "os.system" in failed.value.message
    assert opaque_model(path, failed.value).safety.verdict == "dangerous"


def test_archives_in_a_tar_are_judged(tmp_path: Path) -> None:
    """A zip of pickles in a tar, as a .pt in a model.tar.gz; archives in archives have an end."""
    inner = zipped(tmp_path / "inner.zip", **{"a/data.pkl": EVIL}).read_bytes()
    pickles = read_pickles(tarred(tmp_path / "one.tar.gz", **{"model.pt": inner}))
    assert pickles is not None
    assert (pickles.safety.verdict, pickles.members[0].name) == ("dangerous", "model.pt/a/data.pkl")
    for depth in range(5):
        inner = zipped(tmp_path / f"{depth}.zip", **{"model.pt": inner}).read_bytes()
    with pytest.raises(ModelError, match="archives are nested deeper"):
        look(tarred(tmp_path / "deep.tar.gz", **{"model.pt": inner}))


def test_a_tar_that_is_cut_off_or_holds_a_broken_pickle(tmp_path: Path, model: bytes) -> None:
    """Its own problem is told, and the member's with its name."""
    whole = tarred(tmp_path / "m.tar.gz", **{"model.pkl": model}).read_bytes()
    (tmp_path / "cut.tar.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UnreadableModelError, match="cut off"):
        look(tmp_path / "cut.tar.gz")
    with pytest.raises(UnreadableModelError, match=r"in 'model\.pkl': it is cut off"):
        look(tarred(tmp_path / "half.tar.gz", **{"model.pkl": model[: len(model) // 2]}))
