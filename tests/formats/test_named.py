"""Models that are recognised and not served: named, with what is known of them and what to do; look-alikes are left alone."""

from __future__ import annotations

import contextlib
import gzip
import json
import struct
import zipfile
from pathlib import Path

import pytest

from mlpack.artifacts.model import ModelInfo
from mlpack.errors import UnknownFormatError, UnreadableModelError, UnsafeModelError
from mlpack.formats.named import NamedFormat
from mlpack.pipeline.gate import unservable
from mlpack.pipeline.inspect import inspect
from mlpack.pipeline.prepare import PrepareOptions, prepare
from tests.messages import field


def text(value: str) -> bytes:
    return struct.pack("<Q", len(value)) + value.encode()


def look(path: Path) -> ModelInfo:
    return inspect(path, formats=[NamedFormat()])


GGUF = (
    b"GGUF" + struct.pack("<IQQ", 3, 291, 3)
    + text("general.architecture") + struct.pack("<I", 8) + text("llama")
    + text("general.file_type") + struct.pack("<II", 4, 7)
    + text("tokenizer.ggml.tokens") + struct.pack("<IIQ", 9, 8, 0)
)  # fmt: skip
FASTTEXT = struct.pack("<ii", 793712314, 12) + struct.pack("<12id", 100, 5, 5, 1, 5, 1, 3, 3, 0, 0, 0, 100, 1e-4)
FASTTEXT += struct.pack("<iiiqq", 12, 10, 2, 1000, -1)
NODES = [
    field(1, b"x") + field(2, b"Placeholder") + field(5, field(1, b"dtype") + field(2, field(6, 1))),
    field(1, b"W") + field(2, b"Const"),
    field(1, b"out") + field(2, b"MatMul") + field(3, b"x") + field(3, b"W:0"),
]
GRAPHDEF = b"".join(field(1, node) for node in NODES) + field(4, field(1, 440))
COREML = field(1, 7) + field(2, field(1, field(1, b"image")) + field(10, field(1, b"label"))) + field(502, b"")
PMML = b"""<?xml version="1.0"?><PMML xmlns="http://www.dmg.org/PMML-4_4" version="4.4"><Header/>
<DataDictionary><DataField name="age" optype="continuous"/><DataField optype="categorical" name="sex"/></DataDictionary>
<TreeModel functionName="classification"/></PMML>"""


@pytest.mark.parametrize(
    ("name", "content", "kind", "known", "advised"),
    [
        ("m.gguf", GGUF, "gguf", {"version": 3, "tensors": 291, "general.architecture": "llama", "general.file_type": 7}, "llama"),
        ("lid.ftz", FASTTEXT, "fasttext", {"dimensions": 100, "model": "supervised", "words": 10, "labels": 2}, "fasttext"),
        ("f.pb", GRAPHDEF, "graphdef", {"inputs": [{"name": "x", "dtype": "float32"}], "outputs": ["out"], "nodes": 3}, "SavedModel"),
        ("m.mlmodel", COREML, "coreml", {"model": "ML program", "inputs": ["image"], "outputs": ["label"]}, "ONNX"),
        ("m.pmml", PMML, "pmml", {"version": "4.4", "model": "TreeModel", "fields": ["age", "sex"]}, "pypmml"),
        ("m.ort", b"\x20\0\0\0ORTM" + bytes(40), "ort", {}, ".onnx"),
        ("m.rds", b"X\n\0\0\0\x03" + bytes(40), "r", {}, "PMML"),
        ("weka.model", b"\xac\xed\x00\x05sr" + bytes(40), "java", {}, "ONNX"),
        ("m.engine", b"ftrt" + bytes(40), "tensorrt", {}, "ONNX"),
        ("svm.model", b"svm_type c_svc\nkernel_type rbf\n", "libsvm", {}, "libsvm-official"),
        ("linear.model", b"solver_type L2R_LR\nnr_class 2\n", "liblinear", {}, "liblinear-official"),
        ("crf.model", b"lCRF" + bytes(40), "crfsuite", {}, "python-crfsuite"),
        ("model.json", b'{"modelTopology": {"node": []}}', "tfjs", {}, "SavedModel"),
        ("ov.xml", b'<?xml version="1.0"?><net name="n" version="11">', "openvino", {}, "openvino"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("packed", [False, True])
def test_files(
    tmp_path: Path, name: str, content: bytes, kind: str, known: dict[str, object], advised: str, packed: bool
) -> None:
    """Each is told by its content, plain or gzipped, says what little is known of it, and what to do; a build repeats that."""
    path = tmp_path / (f"{name}.gz" if packed else name)
    path.write_bytes(gzip.compress(content) if packed else content)
    info = inspect(path, formats=[NamedFormat()])
    assert info.format == kind
    assert info.safety.verdict != "safe"
    assert not info.signatures
    assert {key: info.details[key] for key in known} == known
    assert advised in info.advice
    need = unservable(info, cwd=tmp_path)
    assert need is not None
    assert advised in need.error.hint


@pytest.mark.parametrize("container", ["folder", "zip"])
def test_folders(tmp_path: Path, container: str) -> None:
    """spaCy's pipelines and Core ML's packages are told by their files, and a spaCy pipeline says which spaCy it needs."""
    meta = {"lang": "en", "name": "core", "version": "3.7.1", "pipeline": ["ner"], "labels": {"ner": ["ORG", "GPE"]}, "spacy_version": ">=3.7.2,<3.8.0"}  # fmt: skip
    spacy = {"meta.json": json.dumps(meta).encode(), "config.cfg": b"[nlp]\n", "vocab/strings.json": b"[]"}
    package = {"Manifest.json": b"{}", "Data/com.apple.CoreML/model.mlmodel": COREML}
    for kind, files in (("spacy", spacy), ("coreml", package)):
        info = look(written(tmp_path / kind, files, container))
        assert info.format == kind
    info = look(written(tmp_path / "again", spacy, container))
    assert (info.framework, info.details["language"], info.details["labels"]) == ("spacy", "en", {"ner": 2})
    assert '"spacy>=3.7.2,<3.8.0"' in info.advice


@pytest.mark.parametrize("container", ["folder", "zip"])
def test_weights_in_several_files(tmp_path: Path, container: str) -> None:
    """One model, not one for each file: with its architecture where config.json tells it; a checkpoint of TensorFlow's too."""
    shards = {f"pytorch_model-0000{n}-of-00002.bin": b"x" for n in (1, 2)} | {"pytorch_model.bin.index.json": b"{}"}
    info = look(written(tmp_path / "bare", shards, container))
    assert (info.format, info.details["shards"], info.details["architectures"]) == ("sharded", 2, [])
    config = {"config.json": b'{"architectures": ["BertModel"], "model_type": "bert"}'}
    info = look(written(tmp_path / "told", {**shards, **config}, container))
    assert (info.details["architectures"], info.details["model_type"]) == (["BertModel"], "bert")
    assert "transformers" in info.advice
    variables = {"ck-1.index": b"x", "ck-1.data-00000-of-00001": b"y", "checkpoint": b"z"}
    info = look(written(tmp_path / "variables", variables, container))
    assert (info.format, info.safety.verdict) == ("tf_checkpoint", "unknown")
    assert "saved_model" in info.advice


def test_a_predictor_does_not_take_a_dangerous_pickle_along(tmp_path: Path) -> None:
    """What is only recognised is not read to its end; where code of the user's own would open it, its pickles are judged."""
    shards = {"pytorch_model-00001-of-00001.bin": b"cos\nsystem\n(S'true'\ntR.", "pytorch_model.bin.index.json": b"{}"}
    folder = written(tmp_path / "m", shards, "folder")
    predictor = tmp_path / "predict.py"
    predictor.write_text(
        'INPUTS = {"x": "FP32"}\n\n\ndef load(path):\n    ...\n\n\ndef predict(model, inputs):\n    return inputs\n'
    )
    with pytest.raises(UnsafeModelError, match=r"os\.system"):
        prepare(look(folder), PrepareOptions(predictor=predictor, trust=True))
    (folder / "pytorch_model-00001-of-00001.bin").write_bytes(b"not a pickle")
    assert prepare(look(folder), PrepareOptions(predictor=predictor)).info.format == "sharded"


def written(folder: Path, files: dict[str, bytes], container: str) -> Path:
    """The files in a folder, or in a zip."""
    if container == "zip":
        with zipfile.ZipFile(folder.with_suffix(".zip"), "w") as archive:
            for name, content in files.items():
                archive.writestr(name, content)
        return folder.with_suffix(".zip")
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


@pytest.mark.parametrize(
    "content",
    [
        GGUF[:20], FASTTEXT[:30], GRAPHDEF[:30], COREML[:12], b"<html>", b"<a><PMMLX/></a>", field(1, field(1, b"x") + field(2, b"lower")),
        field(1, b"\x08\x01"), b"\x08\x01\x12\x00", bytes(100),
    ],
)  # fmt: skip
def test_look_alikes_and_damaged_files(tmp_path: Path, content: bytes) -> None:
    """What is cut off or only begins alike is named, or unknown; never a traceback."""
    path = tmp_path / "m.bin"
    path.write_bytes(content)
    with contextlib.suppress(UnknownFormatError, UnreadableModelError):
        assert not look(path).signatures
