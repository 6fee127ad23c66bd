"""Formats that are recognised but not served: their names, a few facts, and advice."""

from __future__ import annotations

from mlpack.artifacts.model import ModelInfo, Safety
from mlpack.formats.base import Artifact, Format, Kind
from mlpack.formats.named.files import by_head
from mlpack.formats.named.folders import by_files
from mlpack.formats.named.known import Known
from mlpack.formats.named.messages import may_be_coreml, may_be_graphdef, read_coreml, read_graphdef
from mlpack.readers.limits import CutOffError


class NamedFormat(Format):
    """Kinds of model files without a loader."""

    name = "named"
    loader = None
    suffixes = (".gguf", ".ftz", ".mlmodel", ".pmml", ".ort")
    suffixes_in_archives = (".pb",)
    kinds = (
        Kind(name="GGUF", reads="version, architecture, number of tensors"),
        Kind(name="Core ML `.mlmodel`, `.mlpackage`", reads="kind of model, inputs and outputs"),
        Kind(name="fastText `.bin`, `.ftz`", reads="kind of model, dimensions, words, labels"),
        Kind(name="frozen TensorFlow graph `.pb`", reads="placeholders, outputs, operators"),
        Kind(name="PMML", reads="version, model, fields"),
        Kind(name="spaCy folder", reads="language, pipeline, labels, the spaCy it needs"),
        Kind(
            name="OpenVINO, TensorRT, TensorFlow.js, `.ort`, CRFsuite, LIBSVM, LIBLINEAR, H2O MOJO, Spark ML, R and Java "
            "objects, TensorFlow checkpoints, weights in several files",
            reads="its kind",
        ),
        Kind(
            name="XGBoost's `save_config`; XGBoost, LightGBM, scikit-learn trees as JSON, text, drawings; CatBoost as code",
            reads="its kind",
            serves="nothing: it is no model; the message says how to save the model",
        ),
    )

    def inspect(self, artifact: Artifact) -> ModelInfo | None:
        """The kind of the file or folder; None when it is none of these."""
        known = _known(artifact)
        if known is None:
            return None
        return ModelInfo(
            path=artifact.path,
            format=known.kind,
            framework=known.framework,
            framework_version=known.version,
            root_class=known.what,
            task=None,
            signatures=(),
            safety=Safety(verdict="unknown"),  # recognised, but not read to the end
            size=artifact.size,
            details=dict(known.details),
            advice=known.advice,
        )


def _known(artifact: Artifact) -> Known | None:
    if not artifact.head:
        return by_files(artifact.tree) if artifact.tree is not None else None
    if artifact.pickle is not None and artifact.pickle.members:
        return None
    known = by_head(artifact.head)
    if known is not None:
        return known
    read = read_coreml if may_be_coreml(artifact.head) else read_graphdef if may_be_graphdef(artifact.head) else None
    if read is None:
        return None
    try:
        with artifact.open() as source:
            return read(source)
    except CutOffError:
        return None  # a broken file is reported as unknown
