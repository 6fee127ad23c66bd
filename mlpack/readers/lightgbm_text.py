"""LightGBM's text form of a model: its header and its end, with the trees stepped over."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from mlpack.readers.limits import MOST_CLASSES, CutOffError
from mlpack.readers.streams import CHUNK, Source

Opener = Callable[[], AbstractContextManager[Source]]

_BEGINS = re.compile(rb"\s*tree\r?\n(version=v\d+|num_class=\d+)\r?\n")
_TREES = re.compile(rb"\r?\nTree=0\r?\n|\r?\nend of trees")
_HEADER = 32 << 20  # names and categories of hundreds of thousands of columns
_TAIL = 4 << 20
_MOST_WORDS = 1 << 20  # in a line of the header: names of columns, sizes of trees
_PANDAS = b"pandas_categorical:"
_CATEGORICAL = re.compile(rb"\[categorical_feature: ([\d,]+)\]")


@dataclass(frozen=True, kw_only=True)
class LightGBMFacts:
    """A booster: `version` is that of the text form (`v4`); `objective` "" for one of the user's own.

    `categorical` are the places of categorical features, `categories` what pandas held in each, where the model was trained
    on a DataFrame. `size` is what header and trees take, in bytes, as the header tells it.
    """

    version: str
    objective: str
    classes: int
    names: tuple[str, ...]
    categorical: tuple[int, ...] = ()
    categories: tuple[tuple[Any, ...], ...] = ()
    trees: int = 0
    size: int = 0


def looks_like_lightgbm(head: bytes) -> bool:
    """Whether a text begins as LightGBM's does."""
    return _BEGINS.match(head) is not None


def read_lightgbm(opened: Opener, head: bytes, size: int) -> LightGBMFacts | None:
    """The facts of a model file; None when it is none of LightGBM's. Raises CutOffError for one that is broken."""
    if not looks_like_lightgbm(head):
        return None
    with opened() as source:
        header = _header(source)
    with opened() as source:
        tail, whole = _tail(source, size)
    facts = read_text(header, tail)
    if whole < facts.size:
        raise CutOffError(f"its trees take {facts.size} bytes, and the file has {whole}")
    return facts


def read_text(header: bytes, tail: bytes) -> LightGBMFacts:
    """The facts of a text of which these are the first and the last bytes; raises CutOffError."""
    found = _TREES.search(header)
    start = found.start() if found else len(header)
    lines = dict(line.split("=", 1) for line in header[:start].decode("utf-8", "replace").splitlines() if "=" in line)
    if any(line.count(" ") > _MOST_WORDS for line in lines.values()):
        raise CutOffError(f"a line of its header has more than {_MOST_WORDS} parts")
    names = tuple(lines.get("feature_names", "").split())
    named = _CATEGORICAL.findall(tail)
    try:
        classes = int(lines.get("num_class", "1"))
        features = int(lines.get("max_feature_idx", len(names) - 1)) + 1
        trees = [int(size) for size in lines.get("tree_sizes", "").split()] if found else []
        listed = tuple(int(place) for place in named[-1].split(b",") if place) if named else ()
    except ValueError as error:
        raise CutOffError("its header is broken") from error
    if not names or len(names) != features:
        raise CutOffError("its header is broken: it does not name its features")
    infos = lines.get("feature_infos", "").split()
    told = tuple(place for place, info in enumerate(infos) if info != "none" and not info.startswith("["))
    if not 0 <= classes <= (len(trees) or MOST_CLASSES):
        raise CutOffError("its header is broken: it has more classes than trees")
    return LightGBMFacts(
        version=lines.get("version", "v1"),
        objective=lines.get("objective", "").partition(" ")[0],
        classes=classes,
        names=names,
        categorical=listed or told,
        categories=_categories(tail),
        trees=len(trees),
        size=start + sum(trees),
    )


def _header(source: Source) -> bytes:
    header = b""
    while len(header) < _HEADER:
        data = source.read(CHUNK)
        header += data
        if not data or _TREES.search(header, max(len(header) - len(data) - 16, 0)):
            return header
    raise CutOffError("its header has no end")


def _tail(source: Source, size: int) -> tuple[bytes, int]:
    """The last bytes, and how many there are in all."""
    whole = source.skip(size - _TAIL) if size > _TAIL else 0
    kept = b""
    while data := source.read(CHUNK):
        kept = (kept + data)[-_TAIL:]
        whole += len(data)
    return kept, whole


def _categories(tail: bytes) -> tuple[tuple[Any, ...], ...]:
    """The last line, which is the Python package's: JSON with the categories of each categorical column of the DataFrame."""
    place = tail.rfind(_PANDAS)
    if place < 0:
        return ()
    try:
        told = json.loads(tail[place + len(_PANDAS) :].decode("utf-8", "replace").splitlines()[0])
    except (ValueError, RecursionError, IndexError) as error:
        raise CutOffError("its last line, the categories of its columns, is broken") from error
    return categories_of(told)


def categories_of(told: Any) -> tuple[tuple[Any, ...], ...]:
    """`pandas_categorical` as values: a list of lists, or None."""
    if not isinstance(told, list):
        return ()
    return tuple(tuple(values) if isinstance(values, list) else () for values in told)
