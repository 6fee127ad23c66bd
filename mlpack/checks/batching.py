"""Checks that rows do not influence each other: in one request, with concurrent clients, in batches of several requests."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

from mlpack.checks.checklist import FailedCheckError
from mlpack.checks.client import Answer, Client
from mlpack.checks.comparison import difference
from mlpack.checks.requests import rows_for

TOLERANCE = 1e-6
_SINGLE = 1e-4  # in single precision, the order of additions affects the fifth digit
_HALF = 1e-2
_CLIENTS = 12
_REQUESTS = 6  # of each client
_ROWS = 24
_LARGEST = 5  # rows of one request


def tolerance_of(card: Mapping[str, Any]) -> float:
    """The relative tolerance for numbers, by the least precise output of the first signature."""
    dtypes = {one["dtype"] for one in (card["signatures"] or [{"outputs": []}])[0]["outputs"]}
    return _HALF if "FP16" in dtypes else _SINGLE if "FP32" in dtypes else TOLERANCE


def batch_equals_singles(client: Client, rows: list[Any], tolerance: float = TOLERANCE) -> str:
    """Check that rows in one request get the same answers as each row alone; raises FailedCheckError."""
    together = client.post("/predict", {"instances": rows})
    if together.status != 200:
        raise FailedCheckError(f"{together.status} {together.text[:300]}")
    for index, row in enumerate(rows):
        single = client.post("/predict", {"instances": [row]})
        if single.status != 200:
            raise FailedCheckError(f"row {index}, sent alone: {single.status} {single.text[:300]}")
        found = difference([together.json()["predictions"][index]], single.json()["predictions"], tolerance)
        if found:
            raise FailedCheckError(f"row {index}: {found}")
    return f"{len(rows)} rows"


def concurrent(client: Client, rows: list[Any], tolerance: float = TOLERANCE) -> str:
    """Check that concurrent clients, one per row, get the answers of their own rows; raises FailedCheckError."""
    alone = [client.post("/predict", {"instances": [row]}).json() for row in rows]

    def send(index: int) -> Answer:
        with client.another() as own:
            return own.post("/predict", {"instances": [rows[index]]})

    with ThreadPoolExecutor(max_workers=len(rows)) as pool:
        answers = list(pool.map(send, range(len(rows))))
    for index, answer in enumerate(answers):
        if answer.status != 200:
            raise FailedCheckError(f"{answer.status} {answer.text[:200]}")
        found = difference(answer.json()["predictions"], alone[index]["predictions"], tolerance)
        if found:
            raise FailedCheckError(f"client {index}: {found}")
    return f"{len(rows)} clients"


def mixed_batch(client: Client, card: Mapping[str, Any]) -> str:
    """Check that batching does not change answers: many clients send different numbers of rows to all methods.

    A label may differ if the two best probabilities are equal within the tolerance: arithmetic on a batch may round the last
    digit differently. Raises FailedCheckError.
    """
    signatures = card["signatures"]
    rows = _rows(card)
    alone = {one["name"]: [_alone(client, one["name"], row) for row in rows] for one in signatures}
    tolerance = tolerance_of(card)
    start = Barrier(_CLIENTS)

    def send(number: int) -> list[str]:
        rng = random.Random(number)  # noqa: S311 - repeatable requests, not secrets
        with client.another() as own:
            start.wait(60)
            return [
                problem for _ in range(_REQUESTS) if (problem := _one(own, rng, rows, alone, signatures, tolerance))
            ]

    with ThreadPoolExecutor(max_workers=_CLIENTS) as pool:
        problems = [problem for found in pool.map(send, range(_CLIENTS)) for problem in found]
    if problems:
        raise FailedCheckError(problems[0])
    methods = f", {len(signatures)} methods" if len(signatures) > 1 else ""
    return f"{_CLIENTS * _REQUESTS} requests from {_CLIENTS} clients{methods}"


def _rows(card: Mapping[str, Any]) -> list[Any]:
    """Rows that differ: from the sample, else generated."""
    sample = card.get("sample") or []
    return list(sample[:_ROWS]) if len(sample) > 1 else rows_for(card["signatures"][0], _ROWS)


def _alone(client: Client, name: str, row: Any) -> Any:
    answer = client.post(f"/predict?method={name}", {"instances": [row]})
    if answer.status != 200:
        raise FailedCheckError(f"{name}, a single row: {answer.status} {answer.text[:300]}")
    return answer.json()["predictions"][0]


def _one(
    client: Client,
    rng: random.Random,
    rows: Sequence[Any],
    alone: Mapping[str, list[Any]],
    signatures: Sequence[Mapping[str, Any]],
    tolerance: float,
) -> str:
    """Send one request with random rows; return the first difference to the answers of single rows, or ""."""
    name = str(rng.choice(signatures)["name"])
    indices = [rng.randrange(len(rows)) for _ in range(rng.randint(1, _LARGEST))]
    answer = client.post(f"/predict?method={name}", {"instances": [rows[index] for index in indices]})
    if answer.status != 200:
        return f"{name}: {answer.status} {answer.text[:300]}"
    predictions = answer.json()["predictions"]
    for index, found in zip(indices, predictions, strict=True):
        problem = difference(found, alone[name][index], tolerance, where=name)
        if problem and not _tie(alone, index):
            return f"in a batch, {problem} as when the row is sent alone"
    return ""


def _tie(alone: Mapping[str, list[Any]], index: int) -> bool:
    """Whether the row's two best probabilities are equal within the tolerance."""
    if "predict_proba" not in alone:
        return False
    values = alone["predict_proba"][index]
    if not isinstance(values, list) or len(values) < 2 or not all(isinstance(one, (int, float)) for one in values):
        return False
    best, second = sorted(values, reverse=True)[:2]
    return bool(best - second <= TOLERANCE)
