"""The verb inspect: a path in, a ModelInfo out; nothing of the model is run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from mlpack.artifacts.model import Content, ModelInfo, Safety
from mlpack.errors import (
    AmbiguousFormatError,
    MlpackError,
    ModelError,
    UnknownFormatError,
    UnreadableModelError,
    UnsafeModelError,
)
from mlpack.formats.base import Artifact, Format
from mlpack.pipeline.candidates import candidates
from mlpack.readers.bytecode import tool_of
from mlpack.readers.contents import contents, kind, pairs
from mlpack.readers.digests import sha256_of
from mlpack.readers.paths import Place, look, shown, unreadable
from mlpack.readers.pickles import read_pickles
from mlpack.readers.sniff import sniff
from mlpack.readers.values import PickleFile

__all__ = ["document", "failure_document", "inspect", "sha256_of"]

OnBytes = Callable[[int, int], None]  # told (bytes done, bytes in all)

_PICKLES = (".pkl", ".pickle", ".joblib", ".jbl", ".sav", ".p", ".pk")
_PACKED = (".gz", ".gzip", ".z", ".bz2", ".xz", ".lzma", ".lz4")
_ANY = (*_PICKLES, *_PACKED, ".model", ".mdl", ".bin", ".dat", ".clf", ".est", ".skl", "")
_BY_CONTAINER = {
    "npy": (".npy",),
    "npz": (".npz",),
    "zip": (".zip", ".pt", ".pth", ".ckpt", ".npz", ".skops", ".keras"),
}
# The framework that a pickle's modules tell, when no format knows the file.
_FRAMEWORKS = {
    "sklearn": "scikit-learn", "torch": "torch", "tensorflow": "tensorflow", "keras": "keras", "lightgbm": "lightgbm",
    "xgboost": "xgboost", "catboost": "catboost", "statsmodels": "statsmodels",
}  # fmt: skip
_KEYS = (
    "path", "format", "framework", "framework_version", "root_class", "task", "signatures", "requirements", "contents",
    "protocol", "compression", "size", "digest", "safety",
)  # fmt: skip


def inspect(
    path: Path,
    *,
    entry: str | None = None,
    framework: str | None = None,
    formats: Sequence[Format],
    sample: Sequence[Any] = (),
    on_progress: OnBytes | None = None,
) -> ModelInfo:
    """What the model at `path` is, wants and needs, and whether it is safe.

    `entry` picks from a bundle; `framework` is the user's word where the file records no version; `sample` a few rows.
    A folder that holds one model is that model. Raises UnreadableModelError, UnknownFormatError (also for a dangerous
    pickle that is no model), AmbiguousFormatError, UnsafeModelError (dangerous, and broken further on); each carries in
    `info` what was found.
    """
    try:
        place = look(path)
        if place.folder:
            return _folder(place, entry, framework, sample, formats, on_progress)
        return _file(place, entry, framework, sample, formats, on_progress)
    except OSError as error:
        raise unreadable(path, error) from error


def _file(
    place: Place,
    entry: str | None,
    framework: str | None,
    sample: Sequence[Any],
    formats: Sequence[Format],
    on_progress: OnBytes | None,
) -> ModelInfo:
    pickle = read_pickles(place.path, on_progress=on_progress)
    found = _found(place, pickle)
    if pickle is not None and pickle.problem:
        raise _broken(place, pickle, found)
    artifact = Artifact(
        path=place.path,
        size=place.size,
        head=place.head,
        pickle=pickle,
        entry=entry,
        framework=framework,
        sample=tuple(sample),
    )
    info = _ask(artifact, formats, found)
    if info is None:
        raise _unknown(place, pickle, found, formats)
    return replace(
        info, warnings=(*info.warnings, *_remarks(place, pickle)), details={**info.details, **_by_value(pickle)}
    )


def _ask(artifact: Artifact, formats: Sequence[Format], found: dict[str, Any]) -> ModelInfo | None:
    """The answer of the one format that knows the file; None when none does."""
    answers = [info for one in formats if (info := one.inspect(artifact)) is not None]
    if len(answers) > 1:
        names = " and ".join(info.format for info in answers)
        raise AmbiguousFormatError(
            f"{shown(artifact.path)} is claimed by two formats: {names}.",
            hint="Remove the plugin that claims it wrongly.",
            info=found,
        )
    return answers[0] if answers else None


def _folder(
    place: Place,
    entry: str | None,
    framework: str | None,
    sample: Sequence[Any],
    formats: Sequence[Format],
    on_progress: OnBytes | None,
) -> ModelInfo:
    name = shown(place.path)
    artifact = Artifact(path=place.path, size=0, head=b"", entry=entry, framework=framework, sample=tuple(sample))
    info = _ask(artifact, formats, {})
    if info is not None:
        return info
    files, more = candidates(place.path)
    if not files:
        raise UnreadableModelError(
            f"{name} is a folder without a model in it.", hint="Name the model file.", info={"contents": []}
        )
    if len(files) == 1 and not more:
        return inspect(
            files[0], entry=entry, framework=framework, sample=sample, formats=formats, on_progress=on_progress
        )
    models: list[Path] = []
    listed: list[Content] = []
    for file in files:
        key = file.relative_to(place.path).as_posix()
        try:
            one = inspect(file, framework=framework, formats=formats, on_progress=on_progress)
        except MlpackError as error:
            listed.append(Content(key=key, kind=error.code, detail=error.message))
        else:
            models.append(file)
            listed.append(Content(key=key, kind=one.root_class, servable=True, detail=one.task or ""))
    if len(models) == 1 and not more:
        return inspect(
            models[0], entry=entry, framework=framework, sample=sample, formats=formats, on_progress=on_progress
        )
    found = {"contents": [content.to_json() for content in listed]}
    if not models:
        raise UnknownFormatError(
            f"{name} is a folder, and none of its {len(files)} likely files is a model.",
            hint="Name one file to see what is wrong with it.",
            info=found,
        )
    keys = [content.key for content in listed if content.servable]
    raise AmbiguousFormatError(
        f"{name} is a folder with {len(keys)}{' or more' if more else ''} models: {_some(keys)}.",
        hint=f"Name one: {shown(place.path / keys[0])}",
        info=found,
    )


def _broken(place: Place, pickle: PickleFile, found: dict[str, Any]) -> ModelError:
    name = shown(place.path)
    if pickle.safety.verdict == "dangerous":
        return UnsafeModelError(
            f"{name} would call {_calls(pickle)} when loaded, and cannot be read to its end: {pickle.problem}.",
            hint="Do not load this file anywhere; ask its author where it comes from.",
            info=found,
        )
    what = sniff(place.path, place.head)
    if what.broken or what.what in ("JSON", "plain text", "an XML file"):
        return UnreadableModelError(
            f"{name} is {what.what}{'' if what.broken else ', not a model'}.",
            hint=what.hint or "Check that it is the right file.",
            info=found,
        )
    return UnreadableModelError(
        f"{name} cannot be read as a model: {pickle.problem}.",
        hint="Export the model again, or fetch the file again.",
        info=found,
    )


def _unknown(place: Place, pickle: PickleFile | None, found: dict[str, Any], formats: Sequence[Format]) -> ModelError:
    name = shown(place.path)
    asked = f"Known formats: {', '.join(one.name for one in formats)}. Code of your own can serve it: --predictor predict.py."
    if pickle is None or not pickle.members:
        what = sniff(place.path, place.head)
        promised = place.path.suffix.lower()
        if what.broken or promised in _PICKLES:
            named = "" if what.broken else f", not a model, though it is named {promised}"
            hint = what.hint or "Check that it is the right file, and that it was fetched whole."
            return UnreadableModelError(f"{name} is {what.what}{named}.", hint=hint, info=found)
        return UnknownFormatError(
            f"{name} is {what.what}, which no format here knows as a model.", hint=asked, info=found
        )
    held = _some([key for key, _ in pairs(pickle.root) or []])
    inside = kind(pickle.root) + (f" with {held}" if held and isinstance(pickle.root, dict) else "")
    if len(pickle.members) > 1:
        inside = f"{len(pickle.members)} pickles ({_some([kind(member.root) for member in pickle.members])})"
    if pickle.safety.verdict == "dangerous":
        return UnknownFormatError(
            f"{name} is no model, and loading it would call {_calls(pickle)}.",
            hint="Do not load this file anywhere; ask its author where it comes from.",
            info=found,
        )
    framework = found["framework"]
    told = f", made by {framework}" if framework else ""
    return UnknownFormatError(
        f"{name} is a {pickle.container} file that holds {inside}{told}: no estimator in it.",
        hint=f"{asked} Save the fitted model itself.",
        info=found,
    )


def _found(place: Place, pickle: PickleFile | None) -> dict[str, Any]:
    """What is known of a file without any format's help, by the document's keys."""
    found: dict[str, Any] = {"size": place.size, "framework": None}
    if pickle is None:
        return found
    roots = {name.module.partition(".")[0] for name in pickle.globals}
    listed = contents(pickle.root)
    if len(pickle.members) > 1:
        listed = tuple(
            Content(key=member.name or str(place), kind=kind(member.root))
            for place, member in enumerate(pickle.members[:200])
        )
    return found | {
        "format": pickle.container,
        "framework": next((name for module, name in _FRAMEWORKS.items() if module in roots), None),
        "root_class": kind(pickle.root) if pickle.members else None,
        "contents": [content.to_json() for content in listed],
        "protocol": pickle.protocol,
        "compression": pickle.compression,
        "safety": pickle.safety.to_json(),
    }


def _remarks(place: Place, pickle: PickleFile | None) -> list[str]:
    """Warnings about the file itself: a name that promises something else, a link."""
    told = []
    suffix = place.path.suffix.lower()
    if pickle is not None and suffix not in _BY_CONTAINER.get(pickle.container, _ANY):
        told.append(f"The name ends in {suffix}, but the content is a {pickle.container} file.")
    if place.link:
        told.append(f"{shown(place.path)} is a symbolic link to {place.link}; the file it leads to was read.")
    return told


def _by_value(pickle: PickleFile | None) -> dict[str, Any]:
    """What is told of code that the file carries itself: who wrote it, which Pythons may have compiled it."""
    if pickle is None or pickle.pythons is None:
        return {}
    return {"by_value": {"tool": tool_of(pickle.globals) or "pickle", "pythons": list(pickle.pythons)}}


def _calls(pickle: PickleFile) -> str:
    return _some([finding.callable for finding in pickle.safety.findings if finding.verdict == "dangerous"])


def _some(names: Sequence[str], most: int = 5) -> str:
    unique = list(dict.fromkeys(name[:80] for name in names))
    return ", ".join(unique[:most]) + (f" and {len(unique) - most} more" if len(unique) > most else "")


def document(info: ModelInfo, digest: str | None) -> dict[str, Any]:
    """The JSON document of an inspected model; `digest` is None when it was not asked for."""
    return {"path": shown(info.path), **info.to_json(), "digest": digest}


def failure_document(path: Path, error: MlpackError) -> dict[str, Any]:
    """The JSON document of a failure: the same keys, as far as they are known, and `error`."""
    known = error.info if isinstance(error, ModelError) else {}
    empty: dict[str, Any] = {
        "signatures": [], "requirements": [], "contents": [], "safety": Safety(verdict="unknown").to_json()
    }  # fmt: skip
    told = {key: known.get(key, empty.get(key)) for key in _KEYS} | {"path": shown(path)}
    named = {"code": error.code, "exit": error.exit, "message": error.message, "hint": error.hint}
    return {**told, "error": named}
