"""ONNX models and SavedModels written field by field, so that fields may come twice, out of order, or of another type."""

from __future__ import annotations

import random
from collections.abc import Callable

from tests.fuzz.cases import Input
from tests.fuzz.generators.mutators import mutated

_OPERATORS = ("Cast", "Add", "MatMul", "Relu", "Loop", "If", "Constant", "PyOp", "Identity", "ReadFile", "Placeholder")
_DOMAINS = ("", "", "", "ai.onnx.ml", "custom.domain", "ai.onnx.contrib")
_FILES = ("weights.bin", "../secret", "/etc/passwd", "data/w.bin")


def make(rng: random.Random) -> Input:
    """A model of ONNX, or a saved_model.pb."""
    if rng.random() < 0.6:
        data, suffix = onnx_model(rng), ".onnx"
    else:
        data, suffix = saved_model(rng), ".pb"
    recipe = "fields"
    if rng.random() < 0.15:
        data, recipe = mutated(rng, data), "bytes"
    return Input(data=data, suffix=suffix, recipe=recipe)


def varint(number: int, *, longer: int = 0) -> bytes:
    """A number; `longer` adds bytes that do not change it."""
    out, number = bytearray(), number % (1 << 64)
    while True:
        low, number = number & 127, number >> 7
        if not number and not longer:
            out.append(low)
            return bytes(out)
        out.append(low | 128)
        if not number:
            out += b"\x80" * (longer - 1) + b"\0"
            return bytes(out)


class Writer:
    """Writes fields, and now and then not as they should be."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.odd = rng.choice([0.0, 0.0, 0.03, 0.1])  # how often a field is written in an odd way

    def message(self, number: int, *parts: bytes) -> bytes:
        """A field that holds a message, a text or bytes."""
        rng = self.rng
        if len(parts) > 1 and rng.random() < self.odd:
            shuffled = list(parts)
            rng.shuffle(shuffled)
            parts = tuple(shuffled)
        content = b"".join(parts)
        if len(parts) > 2 and rng.random() < self.odd:  # protobuf joins the two
            place = rng.randrange(1, len(parts))
            return self._field(number, b"".join(parts[:place])) + self._field(number, b"".join(parts[place:]))
        return self._field(number, content)

    def _field(self, number: int, content: bytes) -> bytes:
        rng = self.rng
        if rng.random() < self.odd / 2:
            way = rng.randrange(5)
            if way == 0:
                return varint(number << 3) + varint(len(content))  # a number instead
            if way == 1:
                return varint(number << 3 | 3) + content + varint(number << 3 | 4)  # a group instead
            if way == 2:
                return varint(number << 3 | 2, longer=2) + varint(len(content), longer=3) + content
            if way == 3:
                return varint(number << 3 | 2) + varint(len(content) + rng.choice([-1, 1, 1 << 32])) + content
            return varint(number << 3 | 5) + content[:4].ljust(4, b"\0")
        return varint(number << 3 | 2) + varint(len(content)) + content

    def text(self, number: int, value: str) -> bytes:
        """A text, perhaps twice: the last one counts."""
        content = value.encode()
        if self.rng.random() < self.odd / 3:
            content += b"\xff"
        twice = self._field(number, self.rng.choice([b"Relu", b"", b"other"])) * (self.rng.random() < self.odd)
        return twice + self._field(number, content)

    def number(self, number: int, value: int) -> bytes:
        """A whole number, perhaps twice."""
        twice = varint(number << 3) + b"\7"
        longer = 1 if self.rng.random() < self.odd else 0
        return twice * (self.rng.random() < self.odd) + varint(number << 3) + varint(value % (1 << 64), longer=longer)

    def some(self, make: Callable[[], bytes], most: int) -> list[bytes]:
        """A few of what `make` gives."""
        return [make() for _ in range(self.rng.randint(0, most))]


def onnx_model(rng: random.Random) -> bytes:
    """A ModelProto."""
    w = Writer(rng)
    graph = w.message(7, *_graph(w, 0))
    parts = [w.message(8, w.text(1, rng.choice(_DOMAINS)), w.number(2, 13)), graph]
    if rng.random() < 0.3:
        parts.append(
            w.message(25, w.text(1, "mine"), *(_onnx_node(w, 7, 1) for _ in range(2)), w.text(10, rng.choice(_DOMAINS)))
        )
    if rng.random() < 0.1:
        parts.append(w.message(20, w.message(1, *_graph(w, 1)), w.message(2, *_graph(w, 1))))
    if rng.random() < 0.1:
        rng.shuffle(parts)
    return b"\x08\x08" + w.text(2, "producer") + b"".join(parts)


def _graph(w: Writer, depth: int) -> list[bytes]:
    nodes = [_onnx_node(w, 1, depth) for _ in range(w.rng.randint(1, 3))]
    tensors = w.some(lambda: _tensor(w, 5), 2)
    if w.rng.random() < 0.1:
        tensors.append(w.message(15, _tensor(w, 1), _tensor(w, 2)))
    return [*nodes, w.text(2, "g"), *tensors, w.message(11, w.text(1, "x")), w.message(12, w.text(1, "y"))]


def _onnx_node(w: Writer, number: int, depth: int) -> bytes:
    parts = [w.text(1, "x"), w.text(2, "y"), w.text(4, w.rng.choice(_OPERATORS))]
    domain = w.rng.choice(_DOMAINS)
    parts += [w.text(7, domain)] if domain else []
    return w.message(number, *parts, *w.some(lambda: _onnx_attribute(w, depth), 2))


def _onnx_attribute(w: Writer, depth: int) -> bytes:
    kinds: dict[int, Callable[[], bytes]] = {
        3: lambda: w.number(3, 1),
        4: lambda: w.text(4, "text"),
        5: lambda: _tensor(w, 5),
        7: lambda: w.message(7, b"\0" * 8),
        8: lambda: w.rng.choice([w.number(8, 5), w.message(8, b"\1\2")]),
        9: lambda: w.text(9, "a"),
        10: lambda: _tensor(w, 10),
    }
    if depth < 3:
        kinds[6] = lambda: w.message(6, *_graph(w, depth + 1))
        kinds[11] = lambda: w.message(11, *_graph(w, depth + 1))
        kinds[23] = lambda: w.message(23, _tensor(w, 1), _tensor(w, 2))
    chosen = w.rng.sample(sorted(kinds), 2 if w.rng.random() < 0.15 else 1)
    types = {3: 2, 4: 3, 5: 4, 6: 5, 7: 6, 8: 7, 9: 8, 10: 9, 11: 10, 23: 12}
    return w.message(5, w.text(1, "value"), *(kinds[one]() for one in chosen), w.number(20, types[chosen[-1]]))


def _tensor(w: Writer, number: int) -> bytes:
    parts = [w.number(1, 2), w.number(2, w.rng.choice([1, 2, 7])), w.text(8, "w")]
    if w.rng.random() < 0.4:
        pairs = [("location", w.rng.choice(_FILES)), ("offset", "0"), ("length", "8")]
        if w.rng.random() < 0.1:
            pairs.append(("location", w.rng.choice(_FILES)))
        parts += [w.message(13, w.text(1, key), w.text(2, value)) for key, value in pairs]
        parts.append(w.number(14, 1 if w.rng.random() < 0.9 else 0))
    else:
        parts.append(w.message(9, b"\0" * 8))
    return w.message(number, *parts)


def saved_model(rng: random.Random) -> bytes:
    """A SavedModel with one graph or two."""
    w = Writer(rng)
    return w.number(1, 1) + b"".join(_meta_graph(w) for _ in range(rng.choice([1, 1, 1, 2])))


def _meta_graph(w: Writer) -> bytes:
    about = w.message(1, w.text(4, "serve"), w.text(5, "2.15.0"))
    nodes = [_tf_node(w, 1) for _ in range(w.rng.randint(1, 3))]
    functions = w.some(
        lambda: w.message(
            1, w.message(1, w.text(1, w.rng.choice(["f", "g", "h"]))), *(_tf_node(w, 3) for _ in range(2))
        ),
        3,
    )
    assets = w.some(lambda: w.message(6, w.message(1, w.text(1, "t:0")), w.text(2, w.rng.choice(_FILES))), 1)
    return w.message(2, about, w.message(2, *nodes, w.message(2, *functions)), *assets)


def _tf_node(w: Writer, number: int) -> bytes:
    called = w.message(10, w.text(1, w.rng.choice(["f", "g", "h"])))
    value = w.rng.choice([called, w.text(2, "text"), w.number(3, 5), w.message(1, called)])
    attribute = w.message(5, w.text(1, w.rng.choice(("f", "f", "output_stream"))), w.message(2, value))
    parts = [w.text(1, "n"), w.text(2, w.rng.choice(_OPERATORS)), w.text(3, "x")]
    return w.message(number, *parts, *[attribute] * w.rng.randint(0, 1))
