"""ONNX files whose tensors lie elsewhere, or whose attributes and operators are read differently: never safe, and told why."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from mlpack.artifacts.model import ModelInfo
from mlpack.errors import ModelError, UnreadableModelError, UnsafeModelError
from mlpack.formats.onnx import OnnxFormat
from mlpack.pipeline.inspect import inspect
from tests.unit.formats.saved_models import held, number

TENSOR, SPARSE, GRAPH, FLOATS = 4, 11, 5, 6


def model(*nodes: bytes, graph: bytes = b"", more: bytes = b"") -> bytes:
    """A ModelProto with these nodes."""
    opset = held(8, held(1, ""), number(2, 13))
    return number(1, 8) + held(2, "x") + held(7, *(held(1, one) for one in nodes), held(2, "g"), graph) + opset + more


def node(op: str, *attributes: bytes, domain: str = "") -> bytes:
    return held(1, "a") + held(2, "b") + held(4, op) + b"".join(held(5, one) for one in attributes) + held(7, domain)


def attribute(*values: bytes, kind: int, name: str = "value") -> bytes:
    return held(1, name) + b"".join(values) + number(20, kind)


def external(location: str, *more: tuple[str, str]) -> bytes:
    """A TensorProto of 8 bytes that lie in a file."""
    told = (("location", location), ("offset", "0"), ("length", "8"), *more)
    return (
        number(1, 8)
        + number(2, 2)
        + b"".join(held(13, held(1, key), held(2, text)) for key, text in told)
        + number(14, 1)
    )


def looked_at(folder: Path, content: bytes) -> ModelInfo:
    folder.mkdir(exist_ok=True)
    (folder / "m.onnx").write_bytes(content)
    return inspect(folder / "m.onnx", formats=[OnnxFormat()])


OUTSIDE = external("../secret")
INNER = held(1, node("Constant", attribute(held(5, OUTSIDE), kind=TENSOR)))


@pytest.mark.parametrize(
    "content",
    [
        model(graph=held(5, OUTSIDE)),
        model(graph=held(15, held(1, OUTSIDE))),
        model(graph=held(15, held(1, number(1, 1)), held(2, OUTSIDE))),
        model(node("N", attribute(held(5, OUTSIDE), kind=TENSOR))),
        model(node("N", attribute(held(10, number(1, 1)), held(10, OUTSIDE), kind=9))),
        model(node("N", attribute(held(22, held(2, OUTSIDE)), kind=SPARSE))),
        model(node("N", attribute(held(23, held(1, OUTSIDE)), kind=12))),
        model(node("N", attribute(held(6, INNER), kind=GRAPH))),
        model(node("N", attribute(held(11, INNER), kind=10))),
        model(more=held(25, held(1, "f"), held(7, node("N", attribute(held(5, OUTSIDE), kind=TENSOR))))),
        model(more=held(25, held(1, "f"), held(11, attribute(held(5, OUTSIDE), kind=TENSOR)))),
        model(more=held(20, held(1, INNER))),
        model(more=held(20, held(2, held(5, OUTSIDE)))),
        model(graph=held(5, OUTSIDE[:-2])),  # without its mark: a reader may take the location alone for one
    ],
)
def test_tensors_from_outside_wherever_they_are(content: bytes, tmp_path: Path) -> None:
    """In initializers, attributes of every kind, sparse tensors, inner graphs, functions and training: found and refused."""
    (tmp_path / "secret").write_bytes(b"SECRET!!")
    with pytest.raises(UnsafeModelError):
        looked_at(tmp_path / "m", content)


@pytest.mark.parametrize(
    "location",
    [
        "../secret",
        "/etc/passwd",
        "a/../../secret",
        "..\\secret",
        "C:secret",
        "C:/x",
        "*/_ORT_MEM_ADDR_/*",
        "a\n",
        "",
        "link",
    ],
)
def test_places_outside_the_folder(location: str, tmp_path: Path) -> None:
    """Absolute, above, on another drive, in onnxruntime's own memory, through a link: refused, though such a file exists."""
    (tmp_path / "secret").write_bytes(b"SECRET!!")
    (tmp_path / "m" / "*" / "_ORT_MEM_ADDR_").mkdir(parents=True)
    (tmp_path / "m" / "*" / "_ORT_MEM_ADDR_" / "*").write_bytes(bytes(8))
    (tmp_path / "m" / "link").symlink_to(tmp_path / "secret")
    with pytest.raises(UnsafeModelError):
        looked_at(tmp_path / "m", model(graph=held(5, external(location))))


def test_parts_of_the_file_beside_it(tmp_path: Path) -> None:
    """A tensor within its file is read; one past its end, at no number, or told twice, is not."""
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "w").write_bytes(bytes(8))
    assert looked_at(tmp_path / "m", model(graph=held(5, external("w")))).safety.verdict == "safe"
    plain = number(1, 8) + number(2, 2) + held(13, held(1, "location"), held(2, "w")) + number(14, 1)
    assert looked_at(tmp_path / "m", model(graph=held(5, plain))).companions == ("w",)
    longer = plain.replace(number(1, 8), number(1, 9))
    for tensor in (external("w", ("offset", "1")), external("w").replace(b"\x01\x30", b"\x01-"), longer):
        with pytest.raises(UnreadableModelError):
            looked_at(tmp_path / "m", model(graph=held(5, tensor)))


@pytest.mark.parametrize(
    "content",
    [
        model(node("Constant", attribute(held(8, b"\1"), held(5, b""), kind=TENSOR))),
        model(node("Constant", attribute(number(8, 1), number(8, 2), held(5, b""), kind=TENSOR))),
        model(node("Constant", attribute(b"\x3d" + bytes(4), held(6, b""), kind=FLOATS))),
        model(node("Constant", attribute(held(5, b""), kind=GRAPH))),
        model(node("Constant", attribute(held(5, b""), held(5, b""), kind=TENSOR))),
        model(node("N", attribute(number(3, 1), kind=2), attribute(number(3, 2), kind=2))),
        model(node("N") + held(4, "M")),
        model(more=held(7, held(2, "h"))),
        model(more=held(25, held(1, "f")) + held(25, held(1, "f"))),
        model(more=held(25, held(1, "f"), held(1, "g"))),
        model(graph=number(5, 1)),
        model(graph=held(5, held(14, "x"))),
    ],
)
def test_what_readers_take_for_different_models(content: bytes, tmp_path: Path) -> None:
    """Attributes of two kinds, values that are there twice, values of the wrong type: unreadable."""
    with pytest.raises(UnreadableModelError):
        looked_at(tmp_path / "m", content)


@pytest.mark.parametrize(
    ("domain", "op", "wanted"),
    [
        ("", "Anything", "safe"),
        ("ai.onnx.ml", "Normalizer", "safe"),
        ("com.microsoft", "FusedMatMul", "safe"),
        ("com.microsoft", "Unheard", "unknown"),
        ("com.microsoft", "EPContext", "dangerous"),
        ("com.microsoft", "PythonOp", "dangerous"),
        ("ai.onnx.contrib", "StringUpper", "safe"),
        ("ai.onnx.contrib", "PyOp", "dangerous"),
        ("ai.onnx.contrib", "ImageReader", "dangerous"),
        ("ai.onnx.contrib", "Mine", "unknown"),
        ("com.microsoft.extensions", "AzureTextToText", "unknown"),
        ("mine", "Mine", "unknown"),
    ],
)
def test_operators_are_allowed_by_domain_and_name(domain: str, op: str, wanted: str, tmp_path: Path) -> None:
    """In the graph, in inner graphs and in functions; each is listed."""
    one = node(op, domain=domain)
    inner = node("If", attribute(held(6, held(1, one)), kind=GRAPH, name="then_branch"))
    for place, content in enumerate((model(one), model(inner), model(more=held(25, held(1, "f"), held(7, one))))):
        info = looked_at(tmp_path / str(place), content)
        assert info.safety.verdict == wanted
        assert f"{domain}:{op}" in info.names["operators"]


def test_long_lists_of_numbers_are_looked_through(tmp_path: Path) -> None:
    """A value of another kind is found behind millions of numbers, and they cost no memory."""
    floats = (b"\x3d" + bytes(4)) * 3_000_000
    texts = (b"\x4a\x0aBRANCH_LEQ") * 300_000
    trees = node(
        "TreeEnsembleRegressor", attribute(floats, kind=6), attribute(texts, kind=8, name="modes"), domain="ai.onnx.ml"
    )
    assert looked_at(tmp_path / "m", model(trees)).safety.verdict == "safe"
    hidden = node("N", attribute(floats, held(5, OUTSIDE), kind=6))
    with pytest.raises(UnreadableModelError, match="two kinds"):
        looked_at(tmp_path / "m", model(hidden))


def test_damaged_models_end_with_an_answer(tmp_path: Path) -> None:
    """Bytes changed anywhere: an answer or a failure with a reason, and no other."""
    chance = random.Random(10)
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "w").write_bytes(bytes(8))
    values = held(11, held(1, "x"), held(2, held(1, number(1, 1), held(2, held(1, number(1, 3))))))
    whole = model(
        node("N", attribute(held(5, external("w")), kind=TENSOR), attribute(number(8, 300), number(8, 2), kind=7, name="axis")),
        graph=values + held(15, held(1, number(1, 2)), held(2, number(1, 2))),
        more=held(25, held(1, "f"), held(7, node("M"))) + held(14, held(1, "k"), held(2, "v")),
    )  # fmt: skip
    for _ in range(700):
        changed = bytearray(whole)
        for _ in range(chance.choice((1, 1, 2, 4))):
            changed[chance.randrange(len(changed))] = chance.choice((0, 1, 0x7F, 0x80, 255, chance.randrange(256)))
        try:
            looked_at(tmp_path / "m", bytes(changed))
        except ModelError:
            continue
