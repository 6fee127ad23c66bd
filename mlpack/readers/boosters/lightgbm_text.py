"""Read LightGBM's text form of a model: its header and its end; the trees are skipped."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

from mlpack.readers.boosters.lightgbm_categories import Placement
from mlpack.readers.counts import MOST_CLASSES, MOST_FEATURES, counted, scalars, whole
from mlpack.readers.limits import CutOffError
from mlpack.readers.streams import CHUNK, Source

Opener = Callable[[], AbstractContextManager[Source]]

_BEGINS = re.compile(rb"\s*tree\r?\n(version=v\d+|num_class=\d+)\r?\n")
_TREES = re.compile(rb"\r?\nTree=0\r?\n|\r?\nend of trees")
_LINE = re.compile(
    rb"^(version|num_class|max_feature_idx|objective|feature_names|feature_infos|tree_sizes)=([^\r\n]*)", re.MULTILINE
)
_LONGEST_TEXT = 1000
MOST_TREES = 1 << 20
_HEADER = 32 << 20  # names and categories of hundreds of thousands of columns
_TAIL = 4 << 20
_PANDAS = b"pandas_categorical:"
_CATEGORICAL = re.compile(rb"\[categorical_feature: ([\d,]+)\]")


@dataclass(frozen=True, kw_only=True)
class LightGBMFacts:
    """A booster: `version` is that of the text form (`v4`); `objective` "" for a custom one.

    `categorical` are the indices of categorical features, `categories` their pandas categories, if the model was trained on
    a DataFrame. `size` is the size of header and trees in bytes, by the header.
    """

    version: str
    objective: str
    classes: int
    names: tuple[str, ...]
    categorical: tuple[int, ...] = ()
    categories: tuple[tuple[Any, ...], ...] = ()
    trees: int = 0
    size: int = 0
    infos: tuple[bytes, ...] = field(default=(), repr=False)  # what training saw of each column

    def placement(self, categories: tuple[tuple[Any, ...], ...] = ()) -> Placement:
        """What tells the columns of its categories, or of those that are kept elsewhere."""
        return Placement(
            categories=categories or self.categories, listed=self.categorical, infos=self.infos, width=len(self.names)
        )


def looks_like_lightgbm(head: bytes) -> bool:
    """Whether a text begins like a LightGBM model."""
    return _BEGINS.match(head) is not None


def read_lightgbm(opened: Opener, head: bytes, size: int) -> LightGBMFacts | None:
    """The facts of a model file; None when it is not LightGBM's. Raises CutOffError for a broken one."""
    if not looks_like_lightgbm(head):
        return None
    with opened() as source:
        header = _header(source)
    with opened() as source:
        tail, whole = _tail(source, size)
    facts = read_text(header, tail)
    if whole < facts.size:
        raise CutOffError(f"its trees need {facts.size} bytes, but the file has {whole}")
    return facts


def read_text(header: bytes, tail: bytes) -> LightGBMFacts:
    """The facts of a text with these first and last bytes; raises CutOffError."""
    found = _TREES.search(header)
    start = found.start() if found else len(header)
    lines = _lines(header[:start])
    classes = counted(_text(lines, b"num_class", b"1"), MOST_CLASSES, "classes")
    trees = (
        [whole(size.decode("ascii", "replace")) for size in _words(lines, b"tree_sizes", MOST_TREES)] if found else []
    )
    if min(trees, default=0) < 0:
        raise CutOffError("its header is broken: a tree has a negative size")
    names = tuple(name.decode("utf-8", "replace") for name in _words(lines, b"feature_names", MOST_FEATURES))
    last = _text(lines, b"max_feature_idx", b"%d" % (len(names) - 1))
    if not names or len(names) != whole(last) + 1:
        raise CutOffError("its header is broken: it does not list all features")
    infos = tuple(_words(lines, b"feature_infos", MOST_FEATURES))
    return LightGBMFacts(
        version=_text(lines, b"version", b"v1"),
        objective=_text(lines, b"objective", b"").partition(" ")[0],
        classes=classes,
        names=names,
        categorical=_categorical(infos, tail, len(names)),
        categories=_categories(tail),
        trees=len(trees),
        size=start + sum(trees),
        infos=infos if len(infos) == len(names) else (),
    )


def _lines(header: bytes) -> dict[bytes, bytes]:
    """The needed lines of the header; raises CutOffError for a duplicate."""
    found: dict[bytes, bytes] = {}
    for line in _LINE.finditer(header):
        if line[1] in found:
            raise CutOffError(f"its header contains `{line[1].decode()}` twice")
        found[line[1]] = line[2]
    return found


def _text(lines: Mapping[bytes, bytes], key: bytes, default: bytes) -> str:
    return lines.get(key, default)[:_LONGEST_TEXT].decode("utf-8", "replace").strip()


def _words(lines: Mapping[bytes, bytes], key: bytes, most: int) -> list[bytes]:
    """The words of a line; raises CutOffError when there are more than `most`, before they take any memory."""
    line = lines.get(key, b"")
    if line.count(b" ") + line.count(b"\t") >= most:
        raise CutOffError(f"it has more `{key.decode()}` than can be served ({most})")
    return line.split()


def _categorical(infos: tuple[bytes, ...], tail: bytes, features: int) -> tuple[int, ...]:
    """The indices of categorical features, from the parameters or from the form of their values."""
    named = list(_CATEGORICAL.finditer(tail))
    listed = named[-1][1] if named else b""
    if listed.count(b",") >= MOST_FEATURES:
        raise CutOffError("it lists more categorical features than it can have")
    places = tuple(whole(place.decode()) for place in listed.split(b",") if place)
    places = places or tuple(place for place, info in enumerate(infos) if info != b"none" and not info.startswith(b"["))
    if places and not 0 <= min(places) <= max(places) < features:
        raise CutOffError("it lists categorical columns that do not exist")
    return places


def _header(source: Source) -> bytes:
    header = bytearray()
    while len(header) < _HEADER:
        data = source.read(CHUNK)
        header += data
        if not data or _TREES.search(header, max(len(header) - len(data) - 16, 0)):
            return bytes(header)
    raise CutOffError("its header has no end")


def _tail(source: Source, size: int) -> tuple[bytes, int]:
    """The last bytes, and the total number of bytes."""
    whole = source.skip(size - _TAIL) if size > _TAIL else 0
    kept = b""
    while data := source.read(CHUNK):
        kept = (kept + data)[-_TAIL:]
        whole += len(data)
    return kept, whole


def _categories(tail: bytes) -> tuple[tuple[Any, ...], ...]:
    """The last line, written by the Python package: JSON with the categories of each categorical DataFrame column."""
    place = tail.rfind(_PANDAS)
    if place < 0:
        return ()
    try:
        document = json.loads(tail[place + len(_PANDAS) :].splitlines()[0].decode("utf-8", "replace"))
    except (ValueError, RecursionError, IndexError) as error:
        raise CutOffError("its last line, the categories of its columns, is broken") from error
    return categories_of(document)


def categories_of(document: Any) -> tuple[tuple[Any, ...], ...]:
    """`pandas_categorical` as values: a list of lists, or None."""
    if not isinstance(document, list):
        return ()
    return tuple(scalars(values) if isinstance(values, list) else () for values in document)
