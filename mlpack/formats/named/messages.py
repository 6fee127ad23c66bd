"""Files that are one protocol buffer: Core ML's models and TensorFlow's frozen graphs."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from mlpack.formats.named.known import Known, coreml, graphdef
from mlpack.readers.encodings.protobuf import BYTES, VARINT, Field, fields
from mlpack.readers.limits import KIB, CutOffError
from mlpack.readers.streams import Source

# Core ML's Model.proto: the field that is there says what kind of model it is.
_COREML = {
    200: "pipeline classifier", 201: "pipeline regressor", 202: "pipeline", 300: "linear regressor",
    301: "support vector regressor", 302: "tree ensemble regressor", 303: "neural network regressor",
    304: "Bayesian probit regressor", 400: "linear classifier", 401: "support vector classifier",
    402: "tree ensemble classifier", 403: "neural network classifier", 404: "nearest neighbours classifier",
    500: "neural network", 501: "item recommender", 502: "ML program", 555: "custom model", 556: "linked model",
    600: "one-hot encoder", 601: "imputer", 602: "feature vectorizer", 603: "dictionary vectorizer", 604: "scaler",
    606: "categorical mapping", 607: "normalizer", 609: "array feature extractor", 900: "identity",
    2000: "text classifier", 2001: "word tagger", 2002: "vision feature print", 2003: "sound analysis",
    2004: "gazetteer", 2005: "word embedding", 2006: "audio feature print", 3000: "serialized model",
}  # fmt: skip
_OP = re.compile(r"_?[A-Z]\w*(>\w+)?")
_NAME = 4 * KIB
_MOST_FIELDS = 1_000_000  # of all messages that are looked at
_MOST_TEXT = 64 * KIB * KIB  # of all names
_DTYPES = {1: "float32", 2: "float64", 3: "int32", 4: "uint8", 7: "string", 9: "int64", 10: "bool"}


def may_be_coreml(head: bytes) -> bool:
    """Whether a file begins as Core ML's do: a version, then the description, a message that begins with an input."""
    return len(head) > 8 and head[0] == 0x08 and 0 < head[1] < 40 and head[2] == 0x12 and b"\x0a" in head[4:7]


def may_be_graphdef(head: bytes) -> bool:
    """Whether a file begins with a node: a message that begins with a name and goes on with an operator."""
    if len(head) < 8 or head[0] != 0x0A:
        return False
    start = 2 if head[1] < 0x80 else 3 if head[2] < 0x80 else 4
    if head[start : start + 1] != b"\x0a":
        return False
    name_end = start + 2 + head[start + 1]
    return (
        head[name_end : name_end + 1] == b"\x12"
        and _OP.match(head[name_end + 2 : name_end + 40].decode("latin-1")) is not None
    )


def read_coreml(source: Source) -> Known | None:
    """What a Core ML model is; None when the message is another. Raises CutOffError."""
    version, kind, description = 0, "", {}
    left = _Left()
    for field in left.counted(fields(source)):
        if field.number == 1 and field.wire == VARINT:
            version = field.value
        elif field.number == 2 and field.wire == BYTES:
            description = _description(field, left)
        elif field.number in _COREML:
            kind = _COREML[field.number]
    return coreml({"specification": version, "model": kind, **description}) if kind else None


class _Left:
    """What may still be read of a file: fields, and bytes of names."""

    def __init__(self) -> None:
        self._fields, self._text = _MOST_FIELDS, _MOST_TEXT

    def counted(self, found: Iterable[Field]) -> Iterator[Field]:
        """The same fields; raises CutOffError when they are more than any model's."""
        for field in found:
            self._fields -= 1
            if self._fields < 0:
                raise CutOffError("it has more parts than any model")
            yield field

    def text(self, field: Field) -> str:
        """A field's text; raises CutOffError when all of them are more than any model's."""
        found = field.text(_NAME)
        self._text -= len(found) + 64
        if self._text < 0:
            raise CutOffError("its names are longer than any model's")
        return found


def _description(message: Field, left: _Left) -> dict[str, Any]:
    """Names of the inputs and outputs."""
    names: dict[str, list[str]] = {"inputs": [], "outputs": []}
    for field in left.counted(message.fields()):
        if field.number in (1, 10) and field.wire == BYTES:
            name = next((left.text(one) for one in left.counted(field.fields()) if one.number == 1), "")
            names["inputs" if field.number == 1 else "outputs"].append(name)
    return dict(names)


def read_graphdef(source: Source) -> Known | None:
    """What a frozen graph takes and gives; None when the message is no graph. Raises CutOffError."""
    inputs: list[dict[str, Any]] = []
    operators: Counter[str] = Counter()
    last: dict[str, None] = {}
    left = _Left()
    for field in left.counted(fields(source)):
        if field.number not in (1, 2, 3, 4) or (field.number == 1 and field.wire != BYTES):
            return None
        if field.number != 1:
            continue
        name, op, taken, dtype = _node(field, left)
        if not _OP.fullmatch(op):
            return None
        operators[op] += 1
        for one in taken:
            last.pop(one.lstrip("^").partition(":")[0], None)
        last[name] = None
        if op in ("Placeholder", "PlaceholderWithDefault"):
            inputs.append({"name": name, "dtype": dtype})
    if not operators:
        return None
    counted = sorted(operators.items(), key=lambda one: (-one[1], one[0]))[:20]
    outputs = [name for name in last if name not in {one["name"] for one in inputs}][-20:]
    return graphdef({"inputs": inputs[:50], "outputs": outputs, "nodes": operators.total(), "operators": dict(counted)})


def _node(message: Field, left: _Left) -> tuple[str, str, list[str], str]:
    """A NodeDef's name, operator, inputs, and the dtype of a placeholder."""
    name = op = dtype = ""
    taken: list[str] = []
    for field in left.counted(message.fields()):
        if field.number == 1:
            name = left.text(field)
        elif field.number == 2:
            op = left.text(field)
        elif field.number == 3:
            taken.append(left.text(field))
        elif field.number == 5 and op.startswith("Placeholder"):
            dtype = _dtype(field, left) or dtype
    return name, op, taken, dtype


def _dtype(entry: Field, left: _Left) -> str:
    """The type in a map's entry whose key is `dtype`."""
    key = ""
    for field in left.counted(entry.fields()):
        if field.number == 1:
            key = left.text(field)
        elif field.number == 2 and key == "dtype":
            return next((_DTYPES.get(one.value, str(one.value)) for one in field.fields() if one.number == 6), "")
    return ""
