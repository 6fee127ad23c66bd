"""A commented mlpack.yaml for a model, and a predict.py for a bundle or a file that contains only weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from mlpack.artifacts.model import ModelInfo
from mlpack.artifacts.model_reference import ModelReference
from mlpack.config import FILE_NAME, load_config
from mlpack.errors import UsageError
from mlpack.formats.base import Format
from mlpack.packages.wanted import version_is_missing
from mlpack.pipeline.render import model_name
from mlpack.templating import render
from mlpack.usercode.nearby import find_class, find_module
from mlpack.workspace import write_atomically


@dataclass(frozen=True, kw_only=True)
class Written:
    """The files that were written; `predictor` is a predict.py to complete or check, None if the model needs none."""

    config: Path
    predictor: Path | None


def write_config(
    model: ModelReference, inspect: Callable[[], ModelInfo], *, formats: Mapping[str, Format], force: bool
) -> Written:
    """Write mlpack.yaml beside a local model, into the working folder for a remote one.

    Raises UsageError if it exists, unless `force`, and what `inspect` raises.
    """
    folder = Path() if isinstance(model, str) else model if model.is_dir() else model.parent
    target = folder / FILE_NAME
    if target.exists() and not force:
        raise UsageError(f"{target} already exists", hint="--force replaces it.")
    info = inspect()
    stub = _stub(formats, info, target.parent, force=force)
    values = {
        "file": model if isinstance(model, str) else "." if model.is_dir() else info.path.name,
        "name": model_name(info.path),
        "summary": " ".join(
            filter(None, (info.root_class, info.framework and f"of {info.framework}", info.framework_version))
        ),
        "entries": [content.key for content in info.servable] if not info.signatures and stub is None else [],
        "framework": info.framework if version_is_missing(info) else "",
        "missing": _needed(info),
        "include": _includes(info, target.parent),
        # The methods are known, but not the number of their columns.
        "sample_needed": (bool(info.methods) and not info.signatures and not info.contents)
        or (stub is not None and _takes_unknown_rows(info, stub)),
        "signatures": [signature.name for signature in info.signatures],
        "predictor": stub.name if stub is not None else "",
        "weights": "parameters" in info.details,
    }
    write_atomically(target, render("mlpack.yaml.j2", values))
    load_config(target)  # to verify the written file
    return Written(config=target, predictor=stub)


def _takes_unknown_rows(info: ModelInfo, stub: Path) -> bool:
    """Whether the predict.py for this bundle, folder or object does not declare the columns of its rows."""
    chained = bool(info.parts) or bool({"call", "bundle"} & info.details.keys())
    return chained and "\nINPUTS = " not in stub.read_text(encoding="utf-8", errors="replace")


def _stub(formats: Mapping[str, Format], info: ModelInfo, folder: Path, *, force: bool) -> Path | None:
    """Write the format's predict.py for this file, for the user to complete or check; None if the file needs none."""
    asked = [formats[info.format]] if info.format in formats else formats.values()  # a folder of parts has no format
    text = next((text for one in asked if (text := one.predictor_stub(info)) is not None), None)
    if text is None and "call" in info.details:
        text = render("predict_object.py.j2", {"file": info.path.name, **info.details["call"]})
    if text is None and "beside" in info.details:
        text = render("predict_archive.py.j2", {"file": info.path.name, "model": info.packed, **info.details})
    if text is None:
        return None
    target = folder / "predict.py"
    if force or not target.exists():  # an existing one may contain the user's work
        write_atomically(target, text)
    return target


def _needed(info: ModelInfo) -> list[str]:
    """The names that only the user's code can define, such as `__main__.Cleaner`."""
    return [name for name in dict.fromkeys(finding.callable for finding in info.safety.findings) if _own(info, name)]


def _own(info: ModelInfo, name: str) -> bool:
    return any(name.startswith(f"{module}.") for module in info.missing_modules)


def _includes(info: ModelInfo, folder: Path) -> list[str]:
    """The files near the model that define what it needs, as entries for `include:`."""
    found = []
    for name in _needed(info):
        module, _, inner = name.rpartition(".")
        hint = find_class(inner, info.path, folder) if module == "__main__" else find_module(module, info.path, folder)
        found += [hint.include] if hint else []
    return list(dict.fromkeys(found))
