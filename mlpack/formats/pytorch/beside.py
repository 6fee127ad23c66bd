"""What lies beside a file of weights and tells whose they are: the configurations of Hugging Face's libraries."""

from __future__ import annotations

import json
from typing import Any

from mlpack.formats.base import Artifact
from mlpack.readers.limits import MIB

# The file that tells, what the weights are then, the packages that read the folder, and their call; the first that is there.
_LIBRARIES = (
    ("modules.json", "a sentence-transformers model", "sentence-transformers", "`SentenceTransformer(folder)`"),
    ("adapter_config.json", "an adapter of PEFT's", "peft, transformers, torch", "`AutoPeftModel....from_pretrained(folder)`"),
    ("config.json", "a Hugging Face model", "transformers, torch", "`AutoModel....from_pretrained(folder)`"),
)  # fmt: skip


def library_of(artifact: Artifact) -> str:
    """What to do with weights that lie in such a folder, as a sentence that begins the advice; "" for all others."""
    if artifact.packed is not None:
        return ""
    for file, what, packages, call in _LIBRARIES:
        config = _json(artifact, file)
        if config is None or (file == "config.json" and "model_type" not in config):
            continue
        kind = config.get("model_type", "") if isinstance(config, dict) else ""
        named = f" ({kind[:60]})" if isinstance(kind, str) and kind else ""
        return (
            f"It is in the folder of {what}{named}: a predictor whose load() is {call} serves the folder "
            f"(`predictor: predict.py`, `requirements: [{packages}]`). Or: "
        )
    return ""


def _json(artifact: Artifact, name: str) -> Any:
    path = artifact.path.parent / name
    try:
        if not path.is_file() or path.stat().st_size > MIB:
            return None
        return json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
