"""Numbers and values that a file says of itself are taken only where they can be true."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from mlpack.readers.counts import counted, is_whole, scalars, whole
from mlpack.readers.encodings.documents import pick
from mlpack.readers.encodings.json_text import JsonCursor
from mlpack.readers.encodings.yaml_text import read_yaml
from mlpack.readers.limits import CutOffError
from mlpack.readers.streams import MemorySource

SOURCES = Path(__file__).parents[3] / "mlpack"


@pytest.mark.parametrize(("value", "number"), [(7, 7), ("7", 7), ("-7", -7), ("007", 7), (0, 0)])
def test_whole_numbers(value: Any, number: int) -> None:
    """Numbers, and texts of plain digits."""
    assert whole(value) == number


@pytest.mark.parametrize(
    "value",
    [True, None, 1.5, "", "-", "1.5", "\u00b9", "1\u00b9", "\u0663", "1_0", " 1", "9" * 5000, 10**18, [], float("nan")],
)
def test_what_is_no_whole_number(value: Any) -> None:
    """Digits of other scripts, thousands of digits, and other types are refused as all that is broken is."""
    with pytest.raises(CutOffError):
        whole(value)


def test_a_count_has_a_bound() -> None:
    """What cannot be, or could not be served, is refused with both numbers."""
    assert counted("5", 10, "features") == 5
    for value in ("-1", 11):
        with pytest.raises(CutOffError, match=r"features; at most 10 can"):
            counted(value, 10, "features")


def test_labels_are_plain() -> None:
    """Texts, truth values, finite numbers."""
    assert scalars(["a", 1, 1.5, True]) == ("a", 1, 1.5, True)
    odd: list[Any] = [None, [], {}, float("nan"), float("inf"), 10**400]
    for value in odd:
        with pytest.raises(CutOffError):
            scalars([value])


def test_no_text_is_taken_for_a_number_by_isdigit() -> None:
    """`"\u00b9".isdigit()` is true and int() refuses it: only where a text is ASCII, or bytes, is it asked."""
    bytes_alone = {"runtime/telemetry/access_log.py", "runtime/http/connection.py"}
    for path in sorted(SOURCES.rglob("*.py")):
        if path.relative_to(SOURCES).as_posix() not in bytes_alone:
            found = [line for line in path.read_text().splitlines() if ".isdigit()" in line and "isascii()" not in line]
            assert found == [], path
    assert not is_whole("\u00b9")


class Slow:
    """A source that gives a few bytes at a time."""

    def __init__(self, data: bytes, most: int) -> None:
        self._source, self._most = MemorySource(data), most

    def read(self, count: int) -> bytes:
        """At most so many."""
        return self._source.read(min(count, self._most))

    def skip(self, count: int) -> int:
        """As the source."""
        return self._source.skip(count)


def any_json(rng: random.Random, depth: int = 0) -> Any:
    if depth > 4 or rng.random() < 0.4:
        return rng.choice([1, -1.5, None, True, "", 'a\\"[]{}', 'x"]\\', "\u00e5\u00e5", "\\\\"])
    if rng.random() < 0.5:
        return [any_json(rng, depth + 1) for _ in range(rng.randrange(5))]
    return {
        rng.choice(['a"]', "b\\", ""]) + str(number): any_json(rng, depth + 1) for number in range(rng.randrange(5))
    }


def test_json_is_read_as_it_is_however_it_comes() -> None:
    """What is wanted is what Python's own reader finds there, whatever is stepped over, and whatever the pieces."""
    rng = random.Random(1)
    for _ in range(400):
        document = {"x": any_json(rng), "y": any_json(rng), "z": any_json(rng)}
        text = json.dumps(document, indent=rng.choice([None, 1]), ensure_ascii=rng.random() < 0.5).encode()
        for most in (1, 5, 10**6):
            found: dict[str, Any] = {}
            cursor = JsonCursor(Slow(text, most))
            pick(cursor, {"x": None, "z": None}, found)
            cursor.end()
            assert found == {"x": document["x"], "z": document["z"]}, text


@pytest.mark.parametrize(
    "text",
    [b'{"x": 1, "x": 2}', b'{"x": [1, 2}', b'{"x": ["a}', b'{"x"', b'{"x": [' + b"[" * 100, b'{"x": ' + b"9" * 5000 + b"}", b'{"y": ["', b"[]"],
)  # fmt: skip
def test_broken_json(text: bytes) -> None:
    """Twice the same key, brackets and texts without an end, numbers without measure."""
    for most in (1, 10**6):
        with pytest.raises(CutOffError):
            pick(JsonCursor(Slow(text, most)), {"x": None}, {})


@pytest.mark.parametrize(
    "text",
    [
        "a: &a [*a]",
        "[" * 5000,
        "a: " + "1" * 5000,
        "a: 2001-99-99",
        "? [a]\n: b",
        "!!python/object:os.system x",
        "a: *b",
        "a: [",
        "\0",
    ],
)
def test_broken_yaml(text: str) -> None:
    """What holds itself, has no end, or means code is refused in one way."""
    with pytest.raises(CutOffError):
        read_yaml(text)


def test_yaml_holds_what_it_has_written_out() -> None:
    """An alias or two are read; ten levels of ten are refused, and a long text that is meant a thousand times."""
    assert read_yaml("a: &a {x: 1}\nb: *a\nc: {<<: *a, y: 2}") == {"a": {"x": 1}, "b": {"x": 1}, "c": {"x": 1, "y": 2}}
    levels = "".join(f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 10)}]\n" for n in range(1, 10))
    for text in (f"l0: &l0 x\n{levels}", levels.replace("[", "{<<: [").replace("]", "]}").replace("*l0", "{}")):
        with pytest.raises(CutOffError, match="too many values"):
            read_yaml(text)
    with pytest.raises(CutOffError, match="too many values"):
        read_yaml(f"a: &a '{'x' * 100_000}'\nb: [{', '.join(['*a'] * 1000)}]")
