"""Whether rows influence each other's answers: in one request, with concurrent clients, in batches of several requests."""

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
_SINGLE = 1e-4  # in single precision, another order of additions changes the fifth digit
_HALF = 1e-2
_CLIENTS = 12
_REQUESTS = 6  # of each client
_ROWS = 24
_LARGEST = 5  # rows of one request


def tolerance_of(card: Mapping[str, Any]) -> float:
    """The tolerance for numbers that the least precise output of the first signature needs."""
    dtypes = {one["dtype"] for one in (card["signatures"] or [{"outputs": []}])[0]["outputs"]}
    return _HALF if "FP16" in dtypes else _SINGLE if "FP32" in dtypes else TOLERANCE


def batch_equals_singles(client: Client, rows: list[Any], tolerance: float = TOLERANCE) -> str:
    """Rows in one request get the same answers as each row alone; raises FailedCheckError."""
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
    """One client per row, all at the same time: each gets the answer of its own row; raises FailedCheckError."""
    alone = [client.post("/predict", {"instances": [row]}).json() for row in rows]

    def ask(index: int) -> Answer:
        with client.another() as own:
            return own.post("/predict", {"instances": [rows[index]]})

    with ThreadPoolExecutor(max_workers=len(rows)) as pool:
        answers = list(pool.map(ask, range(len(rows))))
    for index, answer in enumerate(answers):
        if answer.status != 200:
            raise FailedCheckError(f"{answer.status} {answer.text[:200]}")
        found = difference(answer.json()["predictions"], alone[index]["predictions"], tolerance)
        if found:
            raise FailedCheckError(f"client {index}: {found}")
    return f"{len(rows)} clients"


def mixed_batch(client: Client, card: Mapping[str, Any]) -> str:
    """Many clients send different numbers of rows to all methods, so that requests are batched; each row is as alone.

    A label may differ if the two best probabilities are equal within the tolerance: arithmetic on a batch may round the last
    digit differently. Raises FailedCheckError.
    """
    signatures = card["signatures"]
    rows = _rows(card)
    alone = {one["name"]: [_alone(client, one["name"], row) for row in rows] for one in signatures}
    tolerance = tolerance_of(card)
    start = Barrier(_CLIENTS)

    def ask(number: int) -> list[str]:
        chance = random.Random(number)  # noqa: S311 - repeatable requests, not secrets
        with client.another() as own:
            start.wait(60)
            return [told for _ in range(_REQUESTS) if (told := _one(own, chance, rows, alone, signatures, tolerance))]

    with ThreadPoolExecutor(max_workers=_CLIENTS) as pool:
        problems = [told for found in pool.map(ask, range(_CLIENTS)) for told in found]
    if problems:
        raise FailedCheckError(problems[0])
    methods = f", {len(signatures)} methods" if len(signatures) > 1 else ""
    return f"{_CLIENTS * _REQUESTS} requests from {_CLIENTS} clients{methods}"


def _rows(card: Mapping[str, Any]) -> list[Any]:
    """Different rows: from the sample, else generated."""
    sample = card.get("sample") or []
    return list(sample[:_ROWS]) if len(sample) > 1 else rows_for(card["signatures"][0], _ROWS)


def _alone(client: Client, name: str, row: Any) -> Any:
    answer = client.post(f"/predict?method={name}", {"instances": [row]})
    if answer.status != 200:
        raise FailedCheckError(f"{name}, a single row: {answer.status} {answer.text[:300]}")
    return answer.json()["predictions"][0]


def _one(
    client: Client,
    chance: random.Random,
    rows: Sequence[Any],
    alone: Mapping[str, list[Any]],
    signatures: Sequence[Mapping[str, Any]],
    tolerance: float,
) -> str:
    """What is wrong with the answer to one request of some rows, "" when nothing is."""
    name = str(chance.choice(signatures)["name"])
    places = [chance.randrange(len(rows)) for _ in range(chance.randint(1, _LARGEST))]
    answer = client.post(f"/predict?method={name}", {"instances": [rows[place] for place in places]})
    if answer.status != 200:
        return f"{name}: {answer.status} {answer.text[:300]}"
    predictions = answer.json()["predictions"]
    for place, found in zip(places, predictions, strict=True):
        told = difference(found, alone[name][place], tolerance, where=name)
        if told and not _tie(alone, place):
            return f"in a batch, {told} as when the row is sent alone"
    return ""


def _tie(alone: Mapping[str, list[Any]], place: int) -> bool:
    """Whether the row's two best probabilities are the same within the tolerance."""
    if "predict_proba" not in alone:
        return False
    values = alone["predict_proba"][place]
    if not isinstance(values, list) or len(values) < 2 or not all(isinstance(one, (int, float)) for one in values):
        return False
    best, second = sorted(values, reverse=True)[:2]
    return bool(best - second <= TOLERANCE)
