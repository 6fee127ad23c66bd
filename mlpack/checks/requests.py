"""Requests generated from a signature: valid rows that the model must answer, and invalid ones that it must reject."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mlpack.checks.client import Answer, Client

Send = Callable[[Client], Answer]
_WORDS = ("alpha", "bravo", "charlie", "delta")


def rows_for(signature: Mapping[str, Any], count: int, *, seed: int = 7) -> list[Any]:
    """`count` valid instances for a signature of the card: random, but the same at every call.

    Objects if the columns have names, else lists. Categories are values that the model's encoder knows.
    """
    rng = random.Random(seed)  # noqa: S311 - repeatable rows, not secrets
    return [_row(signature, rng, index) for index in range(count)]


def sample_rows(card: Mapping[str, Any], count: int) -> list[Any]:
    """`count` instances for the card's first signature: the rows of the sample, repeated; without one, generated rows."""
    sample = card.get("sample") or []
    if sample:
        return [sample[index % len(sample)] for index in range(count)]
    return rows_for(card["signatures"][0], count)


def bad_requests(row: Any, card: Mapping[str, Any]) -> list[tuple[str, Send, int]]:
    """Invalid requests: check name, function that sends it, expected status. User code may accept any rows."""
    size = int(card.get("limits", {}).get("max_body") or 32 * 1024**2) + 1024
    signature = card["signatures"][0]
    declared = any(spec["name"] not in signature.get("raw", ()) for spec in signature["inputs"])
    requests: list[tuple[str, Send, int]] = [
        ("bad_json", lambda client: client.post_raw("/predict", b'{"instances": [['), 400),
        ("not_instances", lambda client: client.post("/predict", {"rows": []}), 400),
        ("wrong_shape", lambda client: client.post("/predict", {"instances": [wrong_width(row)]}), 400),
        ("wrong_dtype", lambda client: client.post("/predict", {"instances": [wrong_type(row)]}), 400),
        ("unknown_route", lambda client: client.get("/mlpack-no-such-route"), 404),
        ("wrong_method", lambda client: client.get("/predict"), 405),
        ("not_json", lambda client: client.post_raw("/predict", b"a,b\n1,2\n", content_type="text/x-nothing"), 415),
        ("too_large", lambda client: client.post_without_body("/predict", size), 413),
    ]
    return [one for one in requests if declared or one[0] not in ("wrong_shape", "wrong_dtype")]


def wrong_width(row: Any) -> Any:
    """The row with an additional value, under a name that no column has."""
    if isinstance(row, Mapping):
        return {**row, "mlpack_no_such_column": 1}
    return [*row, 1] if isinstance(row, list) else [row, row]


def wrong_type(row: Any) -> Any:
    """The row with its first value replaced by one that no column accepts."""
    if isinstance(row, Mapping):
        first = next(iter(row))
        return {**row, first: {"not": "a value"}}
    return [{"not": "a value"}, *row[1:]] if isinstance(row, list) else {"not": "a value"}


def _row(signature: Mapping[str, Any], rng: random.Random, index: int) -> Any:
    inputs = signature["inputs"]
    if signature.get("objects"):
        example = dict(signature.get("example") or {}) or {"key": _WORDS[index % len(_WORDS)]}
        return {key: value if isinstance(value, str) else rng.randrange(0, 8) for key, value in example.items()}
    if signature["layout"] == "matrix":
        spec = inputs[0]
        width = spec["shape"][1] if len(spec["shape"]) > 1 and isinstance(spec["shape"][1], int) else 1
        names = list(signature.get("columns") or [])
        values = [
            _value(spec["dtype"], rng, index, _known(signature, names[n]) if n < len(names) else None)
            for n in range(max(width, 1))
        ]
        return dict(zip(names, values, strict=True)) if len(names) == len(values) else values
    record = {}
    for spec in inputs:
        sizes = (signature.get("sizes") or {}).get(spec["name"], ())
        known = _known(signature, spec["name"])
        record[spec["name"]] = _tensor(spec["dtype"], _filled(spec["shape"][1:], sizes), rng, index, known)
    return next(iter(record.values())) if signature["layout"] == "tensors" and len(record) == 1 else record


def _known(signature: Mapping[str, Any], name: str) -> Sequence[Any]:
    """Values that a column takes: dates, a value that the file tells, or its categories."""
    zone = (signature.get("dates") or {}).get(name)
    if zone is not None:
        return [f"2024-01-{day:02}T12:00:00{'Z' if zone else ''}" for day in range(1, 29)]
    example = (signature.get("example") or {}).get(name)
    return (signature.get("categories") or {}).get(name) or ([] if example is None else [example])


def _filled(shape: Sequence[Any], sizes: Sequence[int]) -> list[Any]:
    """The axes, with `sizes` for those that the shape leaves open."""
    if len(sizes) != len(shape):
        return list(shape)
    return [size if isinstance(size, int) and size > 0 else own for size, own in zip(shape, sizes, strict=True)]


def _tensor(dtype: str, shape: list[Any], rng: random.Random, index: int, known: Any) -> Any:
    """The value of one row; a dynamic dimension gets length 1."""
    if not shape:
        return _value(dtype, rng, index, known)
    length = shape[0] if isinstance(shape[0], int) and shape[0] > 0 else 1
    return [_tensor(dtype, shape[1:], rng, index, known) for _ in range(length)]


def _value(dtype: str, rng: random.Random, index: int, known: Any) -> Any:
    usable = [value for value in known or () if value is not None]
    if usable:
        return rng.choice(usable)
    if dtype == "BYTES":
        return f"{_WORDS[index % len(_WORDS)]} {rng.choice(_WORDS)}"
    if dtype == "BOOL":
        return rng.random() < 0.5
    if dtype.startswith(("INT", "UINT")):
        return rng.randrange(0, 8)
    return round(rng.uniform(0.1, 6.0), 2)
