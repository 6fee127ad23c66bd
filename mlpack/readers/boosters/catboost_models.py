"""Read the facts of CatBoost's .cbm and JSON models from their tables; the trees are skipped."""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Literal

from mlpack.readers.counts import MOST_CLASSES, counted, scalars, whole
from mlpack.readers.encodings.documents import Wanted, pick
from mlpack.readers.encodings.json_text import JsonCursor
from mlpack.readers.limits import CutOffError
from mlpack.readers.streams import FileSource, Source

Opener = Callable[[], AbstractContextManager[Source]]
Kind = Literal["float", "categorical", "text", "embedding"]

MAGIC = b"CBM1"
PLOTTING = ("graphviz", "matplotlib", "plotly")  # large requirements that `import catboost` does not need
_BLOCK = 1 << 18
_MOST_BLOCKS = 4096  # of the core's tables: a gigabyte, enough for the borders of a million features
_MOST_FEATURES = 1 << 18
_MOST_SKIPPED = 4 << 30  # decompressed bytes that are skipped to reach them
_AHEAD = 16  # blocks that are kept for each one that is decompressed
_LONGEST = 2 << 20  # the longest text of the information map (settings, thousands of labels)
_MOST_NAMES = 32 << 20  # bytes of all feature names
_MOST_GAPS = 1 << 16  # columns that training ignored
# https://github.com/catboost/catboost/tree/master/catboost/libs/model/flatbuffers: the fields' slots in their tables.
_TREES, _INFO, _PARTS = 1, 2, 3
_APPROX, _TREE_SIZES = 0, 2
_FEATURES: dict[Kind, tuple[int, int, int]] = {  # slots of the vector, of a feature's flat index and of its name
    "float": (5, 2, 4), "categorical": (4, 1, 2), "text": (12, 1, 2), "embedding": (18, 1, 2),
}  # fmt: skip
_INFO_KEYS = ("class_params", "catboost_version_info", "params", "multiclass_params")
_RELEASE = re.compile(r"(?:tags/v|release )(\d+\.\d+(?:\.\d+)*)")
_JSON_WANTED: Wanted = {"features_info": None, "model_info": None}
_JSON_FEATURES: dict[str, Kind] = {
    "float_features": "float",
    "categorical_features": "categorical",
    "text_features": "text",
    "embedding_features": "embedding",
}


@dataclass(frozen=True, kw_only=True)
class Feature:
    """A column of the training table: its index, its name ("" for none), its kind."""

    place: int
    name: str
    kind: Kind


@dataclass(frozen=True, kw_only=True)
class CatBoostFacts:
    """A model: `features` sorted by index; `classes` None unless it is a classifier; `outputs` values per row."""

    serialisation: Literal["cbm", "json"]
    version: str | None
    loss: str
    features: tuple[Feature, ...]
    classes: tuple[Any, ...] | None
    outputs: int
    trees: int | None = None


def read_catboost(opened: Opener, head: bytes, size: int) -> CatBoostFacts | None:
    """The facts of a model file; None when it is not CatBoost's. Raises CutOffError for a broken one."""
    if head.startswith(MAGIC):
        (length,) = struct.unpack("<I", head[4:8].ljust(4, b"\0"))
        if 0 <= size < length + 8:
            raise CutOffError(f"it is cut off: it declares {length + 8} bytes and has {size}")
        core = _Core(opened, length)
        facts = _facts_of_core(core)
        _check_counters(core, opened, length)
        return facts
    start = head.lstrip()
    if re.match(rb'\{\s*"(ctr_data|features_info|model_info|embedding_processing_collection)"\s*:', start) is None:
        return None
    with opened() as source:
        return _facts_of_json(source)


class _Core:
    """The flatbuffer of a .cbm, read in blocks on demand."""

    def __init__(self, opened: Opener, length: int) -> None:
        self._opened, self._length = opened, length
        self._blocks: dict[int, bytes] = {}
        self._read = 0
        self._skipped = 0  # bytes before the blocks, which must be decompressed in a compressed file

    def bytes_at(self, place: int, count: int) -> bytes:
        """Bytes of the core; raises CutOffError for an offset outside it."""
        if place < 0 or count < 0 or place + count > self._length:
            raise CutOffError("its table of contents points outside it")
        first, last = place // _BLOCK, (place + max(count, 1) - 1) // _BLOCK
        data = b"".join(self._block(number) for number in range(first, last + 1))
        start = place - first * _BLOCK
        found = data[start : start + count]
        if len(found) < count:
            raise CutOffError("it is cut off")
        return found

    def _block(self, number: int) -> bytes:
        if number not in self._blocks:
            if len(self._blocks) >= 64:
                self._blocks.clear()
            with self._opened() as source:
                ahead = 1 if isinstance(source, FileSource) else _AHEAD  # decompressing up to there is the main cost
                self._read += ahead
                self._skipped += 0 if ahead == 1 else number * _BLOCK
                if self._read > _MOST_BLOCKS or self._skipped > _MOST_SKIPPED:
                    raise CutOffError("its tables are larger than any model's")
                source.skip(8 + number * _BLOCK)
                for one in range(number, number + ahead):
                    self._blocks[one] = _read_block(source)
        return self._blocks[number]

    def number(self, place: int, form: str = "<I") -> int:
        """The whole number at an offset."""
        return int(struct.unpack(form, self.bytes_at(place, struct.calcsize(form)))[0])

    def at(self, table: int, slot: int) -> int | None:
        """The offset of a table's field; None when it has its default."""
        vtable = table - self.number(table, "<i")
        if 4 + 2 * slot + 2 > self.number(vtable, "<H"):
            return None
        step = self.number(vtable + 4 + 2 * slot, "<H")
        return table + step if step else None

    def inner(self, table: int, slot: int) -> int | None:
        """The offset of the table, text or vector that a field refers to."""
        place = self.at(table, slot)
        return None if place is None else place + self.number(place)

    def text(self, place: int | None, longest: int = _LONGEST) -> str:
        """The text at an offset, "" for None."""
        if place is None:
            return ""
        return self.bytes_at(place + 4, min(self.number(place), longest)).decode("utf-8", "replace")

    def items(self, place: int | None, most: int) -> Iterator[int]:
        """The offsets of the tables of a vector; raises CutOffError when there are more than `most`."""
        if place is None:
            return
        count = self.number(place)
        if count > most:
            raise CutOffError("it lists more features than any model has")
        for number in range(count):
            item = place + 4 + 4 * number
            yield item + self.number(item)


def _read_block(source: Source) -> bytes:
    parts, left = [], _BLOCK
    while left and (data := source.read(left)):
        parts.append(data)
        left -= len(data)
    return b"".join(parts)


def _check_counters(core: _Core, opened: Opener, length: int) -> None:
    """Raise CutOffError unless the category counters after the core (number, then size and bytes of each) are complete."""
    parts = [core.text(place, 64) for place in core.items(core.inner(core.number(0), _PARTS), 100)]
    if parts != ["static_provider_v1"]:
        return  # for texts and embeddings, whose sizes are nested deeper
    with opened() as source:
        source.skip(8 + length)
        (count,) = struct.unpack("<I", source.read(4).ljust(4, b"\xff"))
        for _ in range(min(count, _MOST_FEATURES)):
            size = source.read(4)
            if len(size) < 4 or source.skip(int.from_bytes(size, "little")) < int.from_bytes(size, "little"):
                raise CutOffError("it is cut off within its category counters")


def _facts_of_core(core: _Core) -> CatBoostFacts:
    root = core.number(0)
    trees = core.inner(root, _TREES)
    if trees is None or not core.text(core.inner(root, 0), 64).startswith("Fla"):
        raise CutOffError("its core is not a CatBoost model")
    info: dict[str, str] = {}
    for table in core.items(core.inner(root, _INFO), 10_000):
        key = core.text(core.inner(table, 0), 256)
        if key in info:
            raise CutOffError(f"it contains `{key}` twice")
        if key in _INFO_KEYS:
            info[key] = core.text(core.inner(table, 1))
    approx = core.at(trees, _APPROX)
    sizes = core.inner(trees, _TREE_SIZES)
    return _facts(
        "cbm",
        list(_features_of_core(core, trees)),
        {key: _parsed(value) for key, value in info.items()},
        1 if approx is None else core.number(approx, "<i"),
        None if sizes is None else core.number(sizes),
    )


def _features_of_core(core: _Core, trees: int) -> Iterator[Feature]:
    """The features of every kind; each must have its own table, so that a small file cannot list many."""
    seen: set[int] = set()
    left = _MOST_NAMES
    for kind, (slot, flat, name) in _FEATURES.items():
        for table in core.items(core.inner(trees, slot), _MOST_FEATURES - len(seen)):
            if table in seen:
                raise CutOffError("it lists a feature twice")
            seen.add(table)
            place = core.at(table, flat)
            if place is not None:
                feature = Feature(
                    place=core.number(place, "<i"), name=core.text(core.inner(table, name), 4096), kind=kind
                )
                left -= len(feature.name)
                if left < 0:
                    raise CutOffError("its feature names are longer than any model's")
                yield feature


def _facts_of_json(source: Source) -> CatBoostFacts:
    found: dict[str, Any] = {}
    pick(JsonCursor(source), _JSON_WANTED, found, stop=frozenset())
    tables, info = found.get("features_info"), found.get("model_info")
    if not isinstance(tables, dict) or not isinstance(info, dict):
        raise CutOffError("it begins like a CatBoost model, but lacks required fields")
    features = []
    for key, kind in _JSON_FEATURES.items():
        listed = tables.get(key) or []
        if not isinstance(listed, list) or not all(isinstance(one, dict) for one in listed):
            raise CutOffError("its features are not a list")
        for one in listed:
            name = one.get("feature_id") or ""
            if not isinstance(name, str):
                raise CutOffError("a feature name is not a text")
            features.append(Feature(place=whole(one.get("flat_feature_index", 0)), name=name, kind=kind))
    parsed = {key: _parsed(value) for key, value in info.items() if key in _INFO_KEYS}
    return _facts("json", features, parsed, 0, None)


def _parsed(value: Any) -> Any:
    """The value of a text in the information map: parsed JSON, or the text itself."""
    if not isinstance(value, str) or not value.startswith("{"):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value


def _facts(
    serialisation: Literal["cbm", "json"],
    features: list[Feature],
    info: Mapping[str, Any],
    outputs: int,
    trees: int | None,
) -> CatBoostFacts:
    places = {one.place for one in features}
    if not features or min(places) < 0 or max(places) >= len(places) + _MOST_GAPS or len(places) < len(features):
        raise CutOffError("it does not list its features, each with its own index")
    release = _RELEASE.search(str(info.get("catboost_version_info", "")))
    params = info.get("params") if isinstance(info.get("params"), dict) else {}
    loss = params.get("loss_function") or {}  # type: ignore[union-attr]  # a dict, as the line above has it
    classes = _classes(info, params)
    return CatBoostFacts(
        serialisation=serialisation,
        version=release[1] if release else None,
        loss=str(loss.get("type", "")) if isinstance(loss, dict) else str(loss),
        features=tuple(sorted(features, key=lambda one: one.place)),
        classes=classes,
        outputs=counted(outputs, MOST_CLASSES, "outputs")
        or (len(classes) if classes is not None and len(classes) > 2 else 1),
        trees=trees,
    )


def _classes(info: Mapping[str, Any], params: Any) -> tuple[Any, ...] | None:
    """A classifier's labels, in the order of the probabilities."""
    parameters = info.get("class_params") or info.get("multiclass_params")
    names = parameters.get("class_names") if isinstance(parameters, dict) else None
    if not names and isinstance(params, dict):
        options = params.get("data_processing_options")
        names = options.get("class_names") if isinstance(options, dict) else None
    if not names and isinstance(parameters, dict):
        names = parameters.get("class_to_label")
    return scalars(names) if isinstance(names, list) and names else None
