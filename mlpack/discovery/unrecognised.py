"""Errors for files that no format recognises or that cannot be read, with the facts found so far."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from mlpack.artifacts.model import Content
from mlpack.errors import ModelError, UnknownFormatError, UnreadableModelError, UnsafeModelError
from mlpack.formats.base import Format
from mlpack.readers.distributions import DISTRIBUTIONS
from mlpack.readers.paths import Place, shown
from mlpack.readers.pickles.contents import contents, count, kind, pairs
from mlpack.readers.pickles.files import SUFFIXES as PICKLES
from mlpack.readers.pickles.values import Global, Instance, PickleFile
from mlpack.readers.sniff import NOTHING, sniff
from mlpack.readers.verdicts.verdict import remedy_for


def broken(place: Place, pickle: PickleFile, found: dict[str, Any]) -> ModelError:
    """The error for a file whose pickles cannot be read to the end."""
    name = shown(place.path)
    if pickle.safety.verdict == "dangerous":
        return UnsafeModelError(
            f"{name} would call {_calls(pickle)} when loaded, and cannot be read to the end: {pickle.problem}.",
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


def unknown(place: Place, pickle: PickleFile | None, found: dict[str, Any], formats: Sequence[Format]) -> ModelError:
    """The error for a file that no format recognises."""
    name = shown(place.path)
    served = ", ".join(one.name for one in formats if one.loader is not None)
    advice = f"Supported formats: {served}. Your own code can serve it: --predictor predict.py."
    if pickle is None or not pickle.members:
        what = sniff(place.path, place.head)
        suffix = place.path.suffix.lower()
        if what.broken or suffix in PICKLES:
            named = "" if what.broken else f", not a model, although its name ends in {suffix}"
            hint = what.hint or "Check that it is the right file, and that it was downloaded completely."
            return UnreadableModelError(f"{name} is {what.what}{named}.", hint=hint, info=found)
        why = "" if what.what == NOTHING else ", which no supported format recognises as a model"
        return UnknownFormatError(f"{name} is {what.what}{why}.", hint=what.hint or advice, info=found)
    held = some([key for key, _ in pairs(pickle.root, 5) or []], count=count(pickle.root))
    if isinstance(pickle.root, bytes | bytearray) and pickle.root[:1] in (b"\x80", b"P", b"\x1f"):
        return UnknownFormatError(
            f"{name} holds bytes that are a saved model: the model was saved twice.",
            hint="Write these bytes to a file (`open('model.pkl', 'wb').write(data)`), and pack that file.",
            info=found,
        )
    inside = (
        f"{kind(pickle.root)} (a class or function by its name)"
        if isinstance(pickle.root, Global)
        else kind(pickle.root)
    )
    inside += f" with {held}" if held and isinstance(pickle.root, dict) else ""
    if len(pickle.members) > 1:
        inside = f"{len(pickle.members)} pickles ({some([kind(member.root) for member in pickle.members])})"
    if (remedy := remedy_for(pickle.safety)) is not None:
        bare = remedy.itself and pairs(pickle.root, 1) is None
        holds = remedy.parts if bare else f"{kind(pickle.root)} with {remedy.parts} in it"
        return UnknownFormatError(
            f"{name} holds {holds}, written by pickle or joblib: loading it would load files inside it without a check.",
            hint=remedy.hint,
            info=found,
        )
    if pickle.safety.verdict == "dangerous":
        return UnknownFormatError(
            f"{name} is not a model, and loading it would call {_calls(pickle)}.",
            hint="Do not load this file anywhere; ask its author where it comes from.",
            info=found,
        )
    if isinstance(pickle.root, Instance) and not _is_known(pickle.root):
        return UnknownFormatError(
            f"{name} holds an object of the class {kind(pickle.root)}, and mlpack does not know how it predicts.",
            hint="Write a predict.py with `load` and `predict`, and build with --predictor predict.py. If the class is your "
            "own, add --include and its file; if it is of a package, name the package under `requirements:`.",
            info=found,
        )
    framework = found["framework"]
    origin = f", made by {framework}" if framework else ""
    return UnknownFormatError(
        f"{name} is a {pickle.container} file that holds {inside}{origin}, but no estimator.",
        hint=f"{advice} Save the fitted model itself.",
        info=found,
    )


def _is_known(value: Instance) -> bool:
    root = value.class_name.partition(".")[0]
    return root in DISTRIBUTIONS or root in sys.stdlib_module_names or value.made_of is None


def found_in(place: Place, pickle: PickleFile | None, formats: Sequence[Format]) -> dict[str, Any]:
    """The facts known before any format inspects the file, by the keys of the JSON document."""
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
        "framework": next(
            (name for one in formats for module, name in one.frameworks.items() if module in roots), None
        ),
        "root_class": kind(pickle.root) if pickle.members else None,
        "contents": [content.to_json() for content in listed],
        "protocol": pickle.protocol,
        "compression": pickle.compression,
        "safety": pickle.safety.to_json(),
    }


def _calls(pickle: PickleFile) -> str:
    return some([finding.callable for finding in pickle.safety.findings if finding.verdict == "dangerous"])


def some(names: Sequence[str], most: int = 5, *, count: int = 0) -> str:
    """The first names, each once, and the number of the others; `count` is that of all where `names` are only the first."""
    unique = list(dict.fromkeys(name[:80] for name in names))
    count = max(count, len(unique))
    return ", ".join(unique[:most]) + (f" and {count - most} more" if count > most else "")
