"""What is said of a file that is recognised and not served: Known, and the words for each kind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

PREDICTOR = "a predictor of your own can serve it: `predictor: predict.py`"


@dataclass(frozen=True, kw_only=True)
class Known:
    """A kind of file: its short name, what it is in words, what to do with it, and what was read of this one."""

    kind: str
    what: str
    advice: str
    framework: str | None = None
    version: str | None = None
    details: Mapping[str, Any] = field(default_factory=dict)


def gguf(details: Mapping[str, Any]) -> Known:
    """A language model for llama.cpp."""
    return Known(
        kind="gguf",
        what="GGUF model of llama.cpp",
        advice=f"llama.cpp's own server answers it; with `requirements: [llama-cpp-python]` {PREDICTOR}.",
        details=details,
    )


def coreml(details: Mapping[str, Any]) -> Known:
    """A model for Apple's systems."""
    return Known(
        kind="coreml",
        what="Core ML model",
        advice="Core ML runs on Apple's systems alone: export the model to ONNX, TorchScript or a SavedModel where it was "
        "made, and pack that.",
        details=details,
    )


def fasttext(details: Mapping[str, Any]) -> Known:
    """Word vectors or a classifier of texts."""
    return Known(
        kind="fasttext",
        what="fastText model",
        advice=f"With `requirements: [fasttext]` (its `load_model` and `predict`) {PREDICTOR}.",
        details=details,
    )


def graphdef(details: Mapping[str, Any]) -> Known:
    """A frozen graph of TensorFlow 1."""
    return Known(
        kind="graphdef",
        what="frozen TensorFlow graph (GraphDef)",
        framework="tensorflow",
        advice="Convert it to a SavedModel, which names its inputs and outputs, and pack that: in TensorFlow, import it with "
        "tf.compat.v1.import_graph_def and write it with tf.compat.v1.saved_model.simple_save.",
        details=details,
    )


def pmml(details: Mapping[str, Any]) -> Known:
    """A model in the Data Mining Group's XML."""
    return Known(
        kind="pmml",
        what="PMML model",
        advice="Pack the model that it was written from; or with `requirements: [pypmml]` and `apt: [default-jre-headless]` "
        f"{PREDICTOR}.",
        details=details,
    )


def spacy(version: str | None, constraint: str, details: Mapping[str, Any]) -> Known:
    """A language pipeline of spaCy."""
    wanted = f'"spacy{constraint}"' if constraint else "spacy"
    return Known(
        kind="spacy",
        what="spaCy pipeline",
        advice=f"With `requirements: [{wanted}]` (`spacy.load` of its folder) {PREDICTOR}.",
        framework="spacy",
        version=version,
        details=details,
    )


def other(kind: str, what: str, advice: str, details: Mapping[str, Any] | None = None) -> Known:
    """Any other kind."""
    return Known(kind=kind, what=what, advice=advice, details=details or {})
