"""Read the facts of XGBoost's JSON, UBJSON and old binary models; the trees are skipped."""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Literal

from mlpack.readers.counts import MOST_CLASSES, MOST_FEATURES, counted, scalars, whole
from mlpack.readers.encodings.documents import Cursor, Stopped, Wanted, pick
from mlpack.readers.encodings.json_text import JsonCursor
from mlpack.readers.encodings.ubjson import UbjCursor
from mlpack.readers.limits import CutOffError
from mlpack.readers.streams import CHUNK, MemorySource, PeekedSource, Source

Serialisation = Literal["json", "ubjson", "binary"]
Opener = Callable[[], AbstractContextManager[Source]]

# https://xgboost.readthedocs.io/en/stable/tutorials/saving_model.html: keys are sorted, so the keys after the trees are in
# the document's last bytes.
_BOOSTER: Wanted = {"model": {"cats": {"enc": None}, "gbtree_model_param": None, "boosted_rounds": None}}
_LEARNER: Wanted = {
    "attributes": None, "feature_names": None, "feature_types": None, "learner_model_param": None, "objective": None,
    "gradient_booster": {**_BOOSTER, "gbtree": _BOOSTER},
}  # fmt: skip
_MODEL: Wanted = {"learner": _LEARNER, "version": None}
_CONFIG: Wanted = {
    "learner": {"learner_model_param": None, "objective": {"name": None}, "gradient_booster": {"name": None}},
    "version": None,
}
_WANTED: Wanted = {**_MODEL, "Config": _CONFIG, "Model": _MODEL}
_TREES = frozenset({"tree_info", "trees", "iteration_indptr", "weights"})
_TAIL = 1 << 20
_MARK = b"CONFIG-offset:"  # XGBoost 1 and 2, in a pickle: this, the offset of the JSON configuration, the binary model
_BINARY = struct.Struct("<fIiiiIII")  # LearnerModelParamLegacy, 136 bytes with the reserved ones
_BINARY_SIZE = 136
_VERSION = re.compile(rb'"version"\s*:\s*\[\s*(\d+)\s*,\s*(\d+)\s*,\s*(\d+)\s*\]')


_WIDTHS = {9: "int8", 10: "uint8", 11: "int16", 13: "int32"}  # XGBoost's numbers for the types of JSON arrays


@dataclass(frozen=True, kw_only=True)
class XGBoostFacts:
    """A booster: `version` as recorded, (major, minor) or with the patch; () before 1.0.

    `categories` are the values of each categorical feature, by index, if the file records them (since 3.1). `estimator` is
    the recorded type of the scikit-learn interface (`classifier`, ...), "" for a plain Booster.
    """

    serialisation: Serialisation
    version: tuple[int, ...]
    objective: str
    features: int
    classes: int
    targets: int
    booster: str = "gbtree"
    names: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    categories: dict[int, tuple[Any, ...]] = field(default_factory=dict)
    widths: dict[int, str] = field(default_factory=dict)  # numpy's type of whole-number categories, if it is not int64
    estimator: str = ""
    best_iteration: int | None = None


def unnamed_categories(facts: XGBoostFacts) -> str:
    """What to send for categories whose values the file does not record; "" where it records all."""
    unnamed = [place for place, kind in enumerate(facts.types) if kind == "c" and place not in facts.categories]
    if not unnamed:
        return ""
    which = ", ".join(facts.names[place] if place < len(facts.names) else str(place) for place in unnamed[:10])
    return (
        f"The file does not record the values of the categories in {which} (XGBoost does since 3.1, if they are ASCII): "
        "send the category codes of pandas."
    )


def read_xgboost(opened: Opener, head: bytes, size: int) -> XGBoostFacts | None:
    """The facts of a model file; None when it is not XGBoost's. Raises CutOffError for a broken one."""
    if looks_like_json(head):
        return _document(opened, size, "json")
    if looks_like_ubjson(head):
        return _document(opened, size, "ubjson")
    return read_binary(head)


def looks_like_json(head: bytes) -> bool:
    """Whether a text begins like XGBoost's JSON."""
    start = head.lstrip()[:4096]
    return (
        not looks_like_config(start)
        and re.match(rb'\{\s*"(learner|version|Config)"\s*:', start) is not None
        and b'"learner"' in start
    )


def looks_like_config(head: bytes) -> bool:
    """Whether a text begins like the output of `save_config`: a learner's settings (keys are sorted) without a model."""
    return re.match(rb'\{\s*"learner"\s*:\s*\{\s*"generic_param"\s*:', head.lstrip()) is not None


def looks_like_ubjson(head: bytes) -> bool:
    """Whether bytes begin like XGBoost's UBJSON."""
    return re.match(rb"\{L\x00{7}.(learner|Config|version|Model)", head, re.DOTALL) is not None


def read_buffer(head: bytes, tail: bytes = b"") -> XGBoostFacts | None:
    """The facts of a pickled Booster's buffer, from its first and last bytes; None when they do not record them."""
    try:
        return _buffer(head, tail)
    except CutOffError:
        return None


def _buffer(head: bytes, tail: bytes) -> XGBoostFacts | None:
    if head.startswith(_MARK):
        versions = _VERSION.findall(tail or head)
        facts = read_binary(head[len(_MARK) + 8 :])
        return facts and (
            _with_version(facts, _version([part.decode() for part in versions[-1]])) if versions else facts
        )
    kind: Serialisation = "json" if looks_like_json(head) else "ubjson"
    if kind == "ubjson" and not looks_like_ubjson(head):
        return read_binary(head)
    found: dict[str, Any] = {}
    with suppress(CutOffError):
        _walk(_cursor(MemorySource(head), kind), found)
    with suppress(CutOffError):
        _walk_tail(tail or head, kind, found)
    return _facts(found, kind)


def _version(parts: Any) -> tuple[int, ...]:
    return tuple(counted(part, 9999, "in its version") for part in parts)[:3]


def _with_version(facts: XGBoostFacts, version: tuple[int, ...]) -> XGBoostFacts:
    return XGBoostFacts(**{**vars(facts), "version": version})


def _document(opened: Opener, size: int, kind: Serialisation) -> XGBoostFacts:
    found: dict[str, Any] = {}
    with opened() as source:
        if _walk(_cursor(source, kind), found):
            return _facts(found, kind)
    with opened() as source:
        _walk_tail(_tail(source, size), kind, found)
    return _facts(found, kind)


def _cursor(source: Source, kind: Serialisation) -> Cursor:
    return JsonCursor(source) if kind == "json" else UbjCursor(source)


def _walk(cursor: Cursor, found: dict[str, Any]) -> bool:
    """Read up to the trees; True when the document has none."""
    try:
        pick(cursor, _WANTED, found, stop=_TREES)
    except Stopped:
        return False
    return True


def _tail(source: Source, size: int) -> bytes:
    if size > _TAIL:
        source.skip(size - _TAIL)
    kept = b""
    while data := source.read(CHUNK):
        kept = (kept + data)[-_TAIL:]
    return kept


def _walk_tail(tail: bytes, kind: Serialisation, found: dict[str, Any]) -> None:
    """Read the part after the trees; raises CutOffError when the document has no end."""
    if tail.rstrip()[-1:] != b"}":
        raise CutOffError("it is cut off")
    model = found.setdefault("Model", {}) if "Config" in found else found
    for key, where in (("learner_model_param", model.setdefault("learner", {})), ("version", model)):
        mark = f'"{key}"'.encode() if kind == "json" else b"L" + struct.pack(">q", len(key)) + key.encode()
        place = tail.rfind(mark)
        if place >= 0:
            pick(_cursor(PeekedSource(b"{", MemorySource(tail[place:])), kind), {**_LEARNER, "version": None}, where)


def _facts(found: dict[str, Any], kind: Serialisation) -> XGBoostFacts:
    """The facts of a document; raises CutOffError when required fields are missing or no numbers."""
    config = found.get("Config", {})
    model = found.get("Model", found)
    learner, configured = model.get("learner", {}), config.get("learner", {})
    param = learner.get("learner_model_param") or configured.get("learner_model_param")
    recorded = learner.get("objective") or configured.get("objective")
    objective = recorded.get("name") if isinstance(recorded, dict) else None
    if not isinstance(param, dict) or not isinstance(objective, str):
        raise CutOffError("it begins like an XGBoost model, but lacks required fields")
    booster = learner.get("gradient_booster", {})
    attributes = learner.get("attributes")
    attributes = attributes if isinstance(attributes, dict) else {}
    inner = booster.get("gbtree", booster).get("model", {})
    try:
        version = _version(model.get("version") or config.get("version") or ())
        return XGBoostFacts(
            serialisation=kind,
            version=version,
            objective=objective,
            features=counted(param.get("num_feature", 0), MOST_FEATURES, "features"),
            classes=counted(param.get("num_class", 0), MOST_CLASSES, "classes"),
            targets=counted(param.get("num_target", 1), MOST_CLASSES, "targets"),
            booster="dart" if "gbtree" in booster else "gblinear" if "boosted_rounds" in inner else "gbtree",
            names=_texts(learner.get("feature_names")),
            types=_texts(learner.get("feature_types")),
            categories=_categories(encoded := (inner.get("cats") or {}).get("enc") or []),
            widths={place: _WIDTHS[one["type"]] for place, one in enumerate(encoded) if one.get("type") in _WIDTHS},
            estimator=_estimator(attributes),
            best_iteration=whole(attributes["best_iteration"]) if "best_iteration" in attributes else None,
        )
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise CutOffError("it begins like an XGBoost model, but its numbers are invalid") from error


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(map(str, value)) if isinstance(value, list) and all(isinstance(one, str) for one in value) else ()


def _estimator(attributes: dict[str, Any]) -> str:
    """The estimator type that the scikit-learn interface recorded (JSON in a text)."""
    noted = attributes.get("scikit_learn")
    if not isinstance(noted, str):
        return ""
    kind = re.search(r'"(?:_estimator_type|type)"\s*:\s*"(\w+)"', noted)
    if kind is None:
        return "regressor"
    kinds = {"XGBClassifier": "classifier", "XGBRFClassifier": "classifier", "XGBRanker": "ranker"}
    return kinds.get(kind[1], kind[1].lower() if kind[1] in ("classifier", "regressor", "ranker") else "regressor")


def _categories(encoded: Sequence[Any]) -> dict[int, tuple[Any, ...]]:
    found = {}
    for place, one in enumerate(encoded):
        values, offsets = one.get("values") or [], one.get("offsets")
        if offsets is None and values:
            found[place] = scalars(values)
        elif offsets:
            text = bytes(value & 255 for value in values)
            if sorted(offsets) != offsets:
                raise CutOffError("the names of its categories overlap")
            if text.isascii():  # otherwise XGBoost's offsets count letters instead of bytes, and the names are lost
                found[place] = tuple(text[start:stop].decode() for start, stop in pairwise(offsets))
    return found


def read_binary(head: bytes) -> XGBoostFacts | None:
    """The facts of the binary form of XGBoost up to 2.x; None for other bytes."""
    start = 4 if head.startswith(b"binf") else 0
    if len(head) < start + _BINARY_SIZE + 24:
        return None
    score, features, classes, extra, metrics, major, minor, targets = _BINARY.unpack_from(head, start)
    sane = math.isfinite(score) and 0 < features <= MOST_FEATURES and 0 <= classes <= MOST_CLASSES and extra in (0, 1)
    if not sane or metrics not in (0, 1) or major > 3 or minor > 99 or targets > MOST_CLASSES:
        return None
    objective, place = _text(head, start + _BINARY_SIZE)
    booster, _ = _text(head, place)
    if booster not in ("gbtree", "gblinear", "dart") or not re.fullmatch(r"[a-z]+:[a-z_]+", objective):
        return None
    return XGBoostFacts(
        serialisation="binary",
        version=(major, minor) if major else (),
        objective=objective,
        features=counted(features, MOST_FEATURES, "features"),
        classes=counted(classes, MOST_CLASSES, "classes"),
        targets=counted(max(targets, 1), MOST_CLASSES, "targets") if (major, minor) >= (1, 6) else 1,
        booster=booster,
    )


def _text(head: bytes, place: int) -> tuple[str, int]:
    if place + 8 > len(head):
        return "", place
    (length,) = struct.unpack_from("<Q", head, place)
    if length > 64:
        return "", place
    end = place + 8 + length
    return head[place + 8 : end].decode("latin-1"), end
