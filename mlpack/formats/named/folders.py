"""Folders recognised by the files in them: spaCy's pipelines, Core ML's packages and other formats without a loader."""

from __future__ import annotations

import json
from typing import Any

from mlpack.formats.named.known import PREDICTOR, Known, coreml, other, spacy
from mlpack.readers.archives.trees import Tree
from mlpack.readers.limits import MIB, CutOffError

# What Hugging Face's libraries write beside weights in several files, and what TensorFlow writes beside its own.
_SHARDED = (
    "model.safetensors.index.json",
    "pytorch_model.bin.index.json",
    "diffusion_pytorch_model.safetensors.index.json",
)
_DATA = "{}.data-00000-of-00001"


def by_files(tree: Tree) -> Known | None:
    """What a folder is by its files; None when it is nobody's here."""
    if "meta.json" in tree and ("config.cfg" in tree or any(name.startswith("vocab/") for name in tree.sizes)):
        return _spacy(_json(tree, "meta.json"))
    if "Manifest.json" in tree and any(name.startswith("Data/com.apple.CoreML/") for name in tree.sizes):
        return coreml({"package": True})
    if "model.ini" in tree and any(name.startswith(("domains/", "trees/")) for name in tree.sizes):
        return other("mojo", "H2O MOJO", "H2O's own scoring (Java) reads it; export ONNX or PMML there.")
    if any(index in tree for index in _SHARDED):
        return _sharded(tree)
    if any(name.endswith(".index") and _DATA.format(name[:-6]) in tree for name in tree.sizes if "/" not in name):
        return other(
            "tf_checkpoint",
            "TensorFlow checkpoint (variables without a graph)",
            "Export the model where its code is (`model.export(path)`, `tf.saved_model.save`, of TensorFlow 1 "
            "`tf.compat.v1.saved_model.simple_save`), and pack that.",
        )
    if "metadata/part-00000" in tree:
        metadata = _json(tree, "metadata/part-00000")
        if str(metadata.get("class", "")).startswith("org.apache.spark.ml."):
            return other(
                "spark",
                f"Spark ML model ({str(metadata['class'])[:100]})",
                f"Convert it to ONNX with onnxmltools where Spark runs, and pack that; or {PREDICTOR}.",
                {"spark": str(metadata.get("sparkVersion", ""))[:40]},
            )
    return None


def _sharded(tree: Tree) -> Known:
    config = _json(tree, "config.json")
    architectures = config.get("architectures")
    details = {
        "architectures": [str(one)[:100] for one in architectures[:5]] if isinstance(architectures, list) else [],
        "model_type": str(config.get("model_type", ""))[:100],
        "shards": sum(name.endswith((".safetensors", ".bin")) and "-of-" in name for name in tree.sizes),
    }
    return other(
        "sharded",
        "weights in several files (Hugging Face)",
        f"With `requirements: [transformers, torch, safetensors]` (`from_pretrained` of its folder) {PREDICTOR}.",
        details,
    )


def _spacy(meta: dict[str, Any]) -> Known | None:
    if not isinstance(meta.get("lang"), str) or not isinstance(meta.get("pipeline"), list):
        return None
    labels = meta.get("labels")
    counts = (
        {str(pipe): len(names) for pipe, names in labels.items() if isinstance(names, list)}
        if isinstance(labels, dict)
        else {}
    )
    constraint = str(meta.get("spacy_version", "")).replace(" ", "")
    details = {
        "language": meta["lang"],
        "name": str(meta.get("name", ""))[:200],
        "version": str(meta.get("version", ""))[:40],
        "pipeline": [str(one)[:100] for one in meta["pipeline"][:50]],
        "labels": counts,
    }
    return spacy(None, constraint if len(constraint) < 60 else "", details)


def _json(tree: Tree, name: str) -> dict[str, Any]:
    """A small JSON file's object; {} for anything else."""
    try:
        found = json.loads(tree.read(name, MIB))
    except (CutOffError, ValueError, KeyError, RecursionError, OSError):
        return {}
    return found if isinstance(found, dict) else {}
