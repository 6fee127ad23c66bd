"""Files recognised by their first bytes: GGUF, fastText, PMML and other formats without a loader."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from typing import Any

from mlpack.formats.named.exports import by_export
from mlpack.formats.named.known import PREDICTOR, Known, fasttext, gguf, other, pmml

_FASTTEXT = b"\xba\x16\x4f\x2f"
_FASTTEXT_KINDS = {1: "cbow", 2: "skipgram", 3: "supervised"}
_PMML_MODEL = re.compile(rb"<(?:\w+:)?(\w+Model|Scorecard|NeuralNetwork|TransformationDictionary)\b")
_PMML_VERSION = re.compile(rb"<(?:\w+:)?PMML[^>]*\sversion=[\"']([\d.]+)")
_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_TEXT = 8  # GGUF's type of a string
_R = other("r", "object of R (.rds, .RData)", "R serves it (plumber); or write it as PMML or ONNX in R and convert.")
_MAGIC = (
    (
        4,
        b"ORTM",
        other(
            "ort", "model in onnxruntime's own format (.ort)", f"Pack the .onnx file it was made of, or {PREDICTOR}."
        ),
    ),
    (0, b"X\n\x00\x00\x00", _R),
    (0, b"RDX2\n", _R),
    (0, b"RDX3\n", _R),
    (
        0,
        b"\xac\xed\x00\x05",
        other("java", "Java object (Weka, Spark and H2O write such)", "Export ONNX or PMML where it was made."),
    ),
    (
        0,
        b"ftrt",
        other("tensorrt", "TensorRT engine, made for one GPU", "Pack the ONNX model it was built from."),
    ),
    (
        0,
        b"svm_type ",
        other("libsvm", "LIBSVM model", f"With `requirements: [libsvm-official]` (`svm_load_model`) {PREDICTOR}."),
    ),
    (
        0,
        b"solver_type ",
        other("liblinear", "LIBLINEAR model", f"With `requirements: [liblinear-official]` (`load_model`) {PREDICTOR}."),
    ),
    (0, b"lCRF", other("crfsuite", "CRFsuite model", f"With `requirements: [python-crfsuite]` {PREDICTOR}.")),
)


def by_head(head: bytes) -> Known | None:
    """What a file is by its first bytes; None when they are nobody's here."""
    if head[:4] == b"GGUF":
        return gguf(_gguf(head))
    if head[:4] == _FASTTEXT:
        return fasttext(_fasttext(head))
    recognised = next((known for place, magic, known in _MAGIC if head[place : place + len(magic)] == magic), None)
    return recognised or _by_text(head.lstrip(b"\xef\xbb\xbf \t\r\n"))


def _by_text(text: bytes) -> Known | None:
    """What a file of XML, JSON or plain text is."""
    if text[:1] == b"{" and b'"modelTopology"' in text:
        return other(
            "tfjs",
            "TensorFlow.js model",
            "Pack the SavedModel or Keras file it was converted from (tensorflowjs_converter).",
        )
    if text[:1] != b"<":
        return by_export(text)
    if re.search(rb"<(?:\w+:)?PMML\b", text):
        return pmml(_pmml(text))
    if re.search(rb"<net\s[^>]*\bversion=", text[:1000]):
        return other(
            "openvino",
            "OpenVINO model",
            f"Pack the model it was converted from; or with `requirements: [openvino]` {PREDICTOR}.",
        )
    return None


def _gguf(head: bytes) -> dict[str, Any]:
    """Version, counts and the first plain entries of the header (github.com/ggml-org/ggml, docs/gguf.md)."""
    if len(head) < 24:
        return {}
    version, tensors, entries = struct.unpack_from("<IQQ", head, 4)
    details: dict[str, Any] = {"version": version, "tensors": tensors, "entries": entries}
    if version >= 2:
        details |= {key: value for key, value in _entries(head, entries) if key.startswith("general.")}
    return details


def _entries(head: bytes, count: int) -> Iterator[tuple[str, Any]]:
    """The entries up to the first list, as far as the first bytes go."""
    place = 24
    for _ in range(min(count, 100)):
        try:
            key, place = _string(head, place)
            (kind,) = struct.unpack_from("<I", head, place)
            place += 4
            if kind == _TEXT:
                value, place = _string(head, place)
            elif kind in _SCALARS:
                (value,) = struct.unpack_from("<" + _SCALARS[kind], head, place)
                place += struct.calcsize("<" + _SCALARS[kind])
            else:
                return
        except struct.error:
            return
        yield key, value[:200] if isinstance(value, str) else value


def _string(head: bytes, place: int) -> tuple[str, int]:
    (size,) = struct.unpack_from("<Q", head, place)
    data = head[place + 8 : place + 8 + min(size, len(head))]
    if len(data) < size:
        raise struct.error("cut off")
    return data.decode("utf-8", "replace"), place + 8 + size


def _fasttext(head: bytes) -> dict[str, Any]:
    """The arguments it was trained with (github.com/facebookresearch/fastText, src/args.cc) and its dictionary's counts."""
    try:
        version, dim = struct.unpack_from("<ii", head, 4)
        (kind,) = struct.unpack_from("<i", head, 36)
        size, words, labels = struct.unpack_from("<iii", head, 64)
    except struct.error:
        return {}
    found = {"version": version, "dimensions": dim, "model": _FASTTEXT_KINDS.get(kind, str(kind))}
    return {**found, "entries": size, "words": words, "labels": labels}


def _pmml(text: bytes) -> dict[str, Any]:
    model, version = _PMML_MODEL.search(text), _PMML_VERSION.search(text)
    return {
        **({"version": version[1].decode()} if version else {}),
        **({"model": model[1].decode()} if model else {}),
        "fields": [
            name.decode("utf-8", "replace")
            for name in re.findall(rb"<(?:\w+:)?DataField\s[^>]*?name=[\"']([^\"']+)", text)
        ],
    }
