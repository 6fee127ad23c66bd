"""A commented mlpack.yaml for a model, and a predict.py for weights without one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mlpack.artifacts.model import ModelInfo
from mlpack.config import FILE_NAME, load_config
from mlpack.errors import UsageError
from mlpack.pipeline.render import model_name
from mlpack.readers.counts import is_whole
from mlpack.templating import render
from mlpack.usercode.nearby import find_class, find_module
from mlpack.workspace import write_atomically

# Files of weights alone, by what they are -> the predictor that is written to be filled in.
_STUBS = {
    "state_dict": "predict_weights.py.j2",
    "checkpoint": "predict_weights.py.j2",
    "safetensors": "predict_weights.py.j2",
    "keras_weights": "predict_keras_weights.py.j2",
}


@dataclass(frozen=True, kw_only=True)
class Written:
    """The files that were written; `predictor` is a predict.py to fill in, None where the model needs none."""

    config: Path
    predictor: Path | None


def write_config(path: Path, inspect: Callable[[], ModelInfo], *, force: bool) -> Written:
    """Write mlpack.yaml beside the model. Raises UsageError when it exists, unless `force`, and what `inspect` raises."""
    target = (path if path.is_dir() else path.parent) / FILE_NAME
    if target.exists() and not force:
        raise UsageError(f"{target} exists", hint="--force replaces it.")
    info = inspect()
    stub = _stub(info, target.parent, force=force)
    values = {
        "file": info.path.name,
        "name": model_name(info.path),
        "summary": f"{info.root_class} of {info.framework} {info.framework_version or ''}".strip(),
        "entries": [content.key for content in info.contents if content.servable] if not info.signatures else [],
        "framework_known": info.framework_version is not None or info.framework != "scikit-learn",
        "missing": _needed(info),
        "include": _includes(info, target.parent),
        # Its methods are known, but not how many columns they take.
        "sample_needed": bool(info.methods) and not info.signatures and not info.contents,
        "signatures": [signature.name for signature in info.signatures],
        "predictor": stub.name if stub is not None else "",
    }
    write_atomically(target, render("mlpack.yaml.j2", values))
    load_config(target)  # what is written here is read again
    return Written(config=target, predictor=stub)


def _stub(info: ModelInfo, folder: Path, *, force: bool) -> Path | None:
    """Writes a predict.py to fill in beside weights that no model comes with; None where the file is served without."""
    tensors = dict(info.details.get("first_tensors") or {})
    template = _STUBS.get(str(info.details.get("kind")))
    if template is None:
        return None
    target = folder / "predict.py"
    if target.exists() and not force:
        return target  # theirs, already filled in
    first = next((told.rpartition(" ")[2].split("x") for told in tensors.values() if told.count("x") == 1), ["", "1"])
    width = first[0 if info.format == "keras" else 1]  # a layer of Keras takes the first axis of its weights
    values = {
        "file": info.path.name,
        "count": info.details.get("tensors", 0),
        "tensors": list(tensors.items())[:8],
        "width": int(width) if is_whole(width) else 1,
        "keras": "tf_keras" if info.options.get("legacy") else "keras",
        "safetensors": info.details["kind"] == "safetensors",
        "key": info.details.get("state_dict_key") or "",
    }
    write_atomically(target, render(template, values))
    return target


def _needed(info: ModelInfo) -> list[str]:
    """The names that only the user's own code can bring, such as `__main__.Cleaner`."""
    return [name for name in dict.fromkeys(finding.callable for finding in info.safety.findings) if _own(info, name)]


def _own(info: ModelInfo, name: str) -> bool:
    return any(name.startswith(f"{module}.") for module in info.missing_modules)


def _includes(info: ModelInfo, folder: Path) -> list[str]:
    """The files around the model that define what it needs, as mlpack.yaml names them."""
    found = []
    for name in _needed(info):
        module, _, inner = name.rpartition(".")
        hint = find_class(inner, info.path, folder) if module == "__main__" else find_module(module, info.path, folder)
        found += [hint.include] if hint else []
    return list(dict.fromkeys(found))
