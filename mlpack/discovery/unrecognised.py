"""What is said of a file that no format knows, or that cannot be read: the failure, and what was found all the same."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mlpack.artifacts.model import Content
from mlpack.errors import ModelError, UnknownFormatError, UnreadableModelError, UnsafeModelError
from mlpack.formats.base import Format
from mlpack.readers.paths import Place, shown
from mlpack.readers.pickles.contents import contents, kind, pairs
from mlpack.readers.pickles.files import SUFFIXES as PICKLES
from mlpack.readers.pickles.values import Global, PickleFile
from mlpack.readers.sniff import NOTHING, sniff
from mlpack.readers.verdicts.verdict import remedy_for


def broken(place: Place, pickle: PickleFile, found: dict[str, Any]) -> ModelError:
    """The failure to tell of a file whose pickles cannot be read to their end."""
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


def unknown(place: Place, pickle: PickleFile | None, found: dict[str, Any], formats: Sequence[Format]) -> ModelError:
    """The failure to tell of a file that no format claims: what was looked at, and what it is."""
    name = shown(place.path)
    served = ", ".join(one.name for one in formats if one.loader is not None)
    asked = f"Known formats: {served}. Code of your own can serve it: --predictor predict.py."
    if pickle is None or not pickle.members:
        what = sniff(place.path, place.head)
        promised = place.path.suffix.lower()
        if what.broken or promised in PICKLES:
            named = "" if what.broken else f", not a model, though it is named {promised}"
            hint = what.hint or "Check that it is the right file, and that it was fetched whole."
            return UnreadableModelError(f"{name} is {what.what}{named}.", hint=hint, info=found)
        why = "" if what.what == NOTHING else ", which no format here knows as a model"
        return UnknownFormatError(f"{name} is {what.what}{why}.", hint=what.hint or asked, info=found)
    held = some([key for key, _ in pairs(pickle.root) or []])
    if isinstance(pickle.root, bytes | bytearray) and pickle.root[:1] in (b"\x80", b"P", b"\x1f"):
        return UnknownFormatError(
            f"{name} holds bytes that look like a saved model themselves: it was saved twice.",
            hint="Write those bytes into a file as they are (`open('model.pkl', 'wb').write(data)`), and pack that.",
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
        return UnknownFormatError(
            f"{name} holds {kind(pickle.root)} with {remedy.parts} in it, written by pickle or joblib: "
            "loading it would open files within the file without a check.",
            hint=remedy.hint,
            info=found,
        )
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


def found_in(place: Place, pickle: PickleFile | None, formats: Sequence[Format]) -> dict[str, Any]:
    """What is known of a file before any format inspects it, by the document's keys."""
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


def some(names: Sequence[str], most: int = 5) -> str:
    """The first few of the names, each once, and how many more there are."""
    unique = list(dict.fromkeys(name[:80] for name in names))
    return ", ".join(unique[:most]) + (f" and {len(unique) - most} more" if len(unique) > most else "")
