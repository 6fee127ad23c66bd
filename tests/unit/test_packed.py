"""Models in folders and archives: found, rendered without unpacking, told apart, refused when hostile."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
import zipfile
from pathlib import Path

import pytest

from mlpack.artifacts.model import ModelInfo, Safety, Signature, TensorSpec
from mlpack.errors import AmbiguousFormatError, UnreadableModelError, UnsafeModelError
from mlpack.formats.base import Artifact, Format
from mlpack.pipeline.inspect import inspect
from mlpack.readers.bundle_files import content_of
from tests import built_in
from tests.unit.locks import make_lock, render_lock

ROWS = Signature(
    name="predict",
    method="predict",
    layout="tensors",
    inputs=(TensorSpec(name="x", dtype="FP32", shape=(-1, 2)),),
    outputs=(TensorSpec(name="y", dtype="FP32", shape=(-1,)),),
)


class Boxes(Format):
    """A format for these tests: a folder with `box.cfg`, or a file that begins with BOX."""

    name = "boxes"
    loader = Path(__file__)

    def inspect(self, artifact: Artifact) -> ModelInfo | None:
        """What it is; a box whose first byte after the mark is ! is broken."""
        head = artifact.head
        if not head and artifact.tree is not None and "box.cfg" in artifact.tree:
            head = artifact.tree.read("box.cfg", 16)
        if not head.startswith(b"BOX"):
            return None
        if head[3:4] == b"!":
            raise UnreadableModelError(f"{artifact.name} is a broken box.")
        return ModelInfo(
            path=artifact.path, format=self.name, framework=None, framework_version=None, root_class="box", task=None,
            signatures=(ROWS,), safety=Safety(verdict="safe"), size=artifact.size,
        )  # fmt: skip


def zipped(path: Path, **files: bytes) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def tarred(path: Path, **files: bytes) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def look(path: Path) -> ModelInfo:
    return inspect(path, formats=[Boxes()])


def shipped(info: ModelInfo) -> dict[str, bytes]:
    """The model's files as the engine would get them, and where the card says that the model is."""
    bundle = render_lock(make_lock(info.path, info=info), name="box")
    found = {file.name: b"".join(content_of(file)) for file in bundle.files if file.name.startswith("model/")}
    card = next(file.content for file in bundle.files if file.name == "model.json")
    assert card is not None
    return {**found, "the card's": json.loads(card)["model"]["file"].encode()}


BOX = {"box.cfg": b"BOX", "parts/a": b"one", "parts/b": b"two" * 1000}


@pytest.mark.parametrize("make", [zipped, tarred])
@pytest.mark.parametrize(("folder", "packed"), [("", ""), ("box", "box"), ("exports/box", "exports/box")])
def test_an_archive_of_one_model_is_that_model(tmp_path: Path, make: object, folder: str, packed: str) -> None:
    """Whatever folder it lies in, it is found, and its files travel unpacked under one root."""
    assert callable(make)
    prefix = f"{folder}/" if folder else ""
    info = look(make(tmp_path / "it.tar.gz", **{prefix + name: content for name, content in BOX.items()}))
    assert (info.format, info.packed) == ("boxes", packed)
    root = "model/box" if folder else "model/it"
    assert shipped(info) == {f"{root}/{name}": content for name, content in BOX.items()} | {"the card's": root.encode()}


def test_a_compressed_file_is_the_file(tmp_path: Path) -> None:
    """What was gzipped travels as it was before."""
    path = tmp_path / "a.box.gz"
    path.write_bytes(gzip.compress(b"BOX" + b"x" * 5000))
    info = look(path)
    assert info.packed == "a.box"
    assert shipped(info) == {"model/a.box": b"BOX" + b"x" * 5000, "the card's": b"model/a.box"}


def test_a_folder_in_a_folder_is_found(tmp_path: Path) -> None:
    """A model's folder two levels down is the model; its files travel from where they lie."""
    for name, content in BOX.items():
        target = tmp_path / "export" / "1" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    info = look(tmp_path / "export")
    assert (info.path, info.packed) == (tmp_path / "export" / "1", None)
    assert shipped(info)["model/1/parts/b"] == BOX["parts/b"]


@pytest.mark.parametrize("suffix", [".bin", ".ckpt", ".pt2", ".mar", ".onnx"])
def test_a_folder_of_one_file_is_the_file(tmp_path: Path, suffix: str) -> None:
    """Beside a configuration, whatever it may be called."""
    (tmp_path / f"weights{suffix}").write_bytes(b"BOX1")
    (tmp_path / "config.json").write_text("{}")
    info = inspect(tmp_path, formats=[*built_in.formats().values(), Boxes()])
    assert (info.format, info.path.name) == ("boxes", f"weights{suffix}")


def test_two_models_are_told_apart_and_a_broken_one_is_said(tmp_path: Path) -> None:
    """Several: named, none is guessed. One that is broken: its own sentence, not that of an unknown file."""
    both = {f"{one}/{name}": content for one in "ab" for name, content in BOX.items()}
    with pytest.raises(AmbiguousFormatError, match="contains 2 models: a, b"):
        look(zipped(tmp_path / "two.zip", **both))
    with pytest.raises(UnreadableModelError, match="broken box"):
        look(zipped(tmp_path / "bad.zip", **{"a/box.cfg": b"BOX!"}))


def test_an_archive_that_leads_out_is_refused(tmp_path: Path) -> None:
    """Neither a zip nor a tar with such names is taken apart, be there a model in it or not."""
    for make in (zipped, tarred):
        with pytest.raises(UnsafeModelError, match=r"lead out of the folder"):
            look(make(tmp_path / "evil", **{"../../x": b"BOX", **BOX}))


def test_an_archive_that_changed_is_not_sent(tmp_path: Path) -> None:
    """Between the rendering and the sending it became another: said, and nothing else is built from it."""
    path = zipped(tmp_path / "it.zip", **BOX)
    info = look(path)
    bundle = render_lock(make_lock(path, info=info), name="box")
    zipped(path, **{**BOX, "parts/a": b"new"})
    file = next(file for file in bundle.files if file.name.endswith("parts/a"))
    with pytest.raises(UnreadableModelError, match="its content is different"):
        list(content_of(file))
    path.unlink()
    with pytest.raises(UnreadableModelError):
        list(content_of(file))
