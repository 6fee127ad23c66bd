"""Folders told by the files in them: spaCy's pipelines, Core ML's packages and others that are recognised and not served."""

from __future__ import annotations

import json
from typing import Any

from mlpack.formats.named.known import PREDICTOR, Known, coreml, other, spacy
from mlpack.readers.limits import MIB, CutOffError
from mlpack.readers.trees import Tree


def by_files(tree: Tree) -> Known | None:
    """What a folder is by its files; None when it is nobody's here."""
    if "meta.json" in tree and ("config.cfg" in tree or any(name.startswith("vocab/") for name in tree.sizes)):
        return _spacy(_json(tree, "meta.json"))
    if "Manifest.json" in tree and any(name.startswith("Data/com.apple.CoreML/") for name in tree.sizes):
        return coreml({"package": True})
    if "model.ini" in tree and any(name.startswith(("domains/", "trees/")) for name in tree.sizes):
        return other("mojo", "H2O MOJO", "H2O's own scoring (Java) reads it; export ONNX or PMML there.")
    if "metadata/part-00000" in tree:
        told = _json(tree, "metadata/part-00000")
        if str(told.get("class", "")).startswith("org.apache.spark.ml."):
            return other(
                "spark",
                f"Spark ML model ({str(told['class'])[:100]})",
                f"Convert it to ONNX with onnxmltools where Spark runs, and pack that; or {PREDICTOR}.",
                {"spark": str(told.get("sparkVersion", ""))[:40]},
            )
    return None


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
    except (CutOffError, ValueError, RecursionError, OSError):
        return {}
    return found if isinstance(found, dict) else {}
