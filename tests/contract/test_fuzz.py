"""No body, however odd, makes the server fail, hang, or answer without a reason."""

from __future__ import annotations

import http.client
import json
import random
from typing import Any

from tests.contract import models
from tests.contract.served import PATIENCE_S, Server

ODD: list[Any] = [
    None, True, False, 0, -1, 1.5, 1e308, -1e308, 2**63, 2**64, 10**30, "", "a", "1", "null", "NaN", "\u0000", "Å", [], {}, [[]],
    [None], {"": None}, "x" * 300,
]  # fmt: skip


def value(rng: random.Random, depth: int = 0) -> Any:
    """Any JSON value."""
    if depth > 3 or rng.random() < 0.5:
        return rng.choice(ODD)
    if rng.random() < 0.5:
        return [value(rng, depth + 1) for _ in range(rng.randrange(6))]
    return {
        rng.choice(["instances", "features", "text", "area", "city", "x"]): value(rng, depth + 1)
        for _ in range(rng.randrange(4))
    }


def near_miss(rng: random.Random, names: list[str]) -> Any:
    """A good body with a few wounds."""
    row: Any = {name: rng.choice([1, 2.5, "Oslo", True, None]) for name in names}
    for _ in range(rng.randrange(3)):
        wound = rng.randrange(4)
        if wound == 0 and row:
            row.pop(rng.choice(list(row)))
        elif wound == 1:
            row[rng.choice(["extra", "", *names])] = rng.choice(ODD)
        elif wound == 2:
            row = {name: row[name] for name in sorted(row, key=lambda _: rng.random())}
    rows = [row if rng.random() < 0.5 else list(row.values()) for _ in range(rng.randrange(1, 4))]
    return rng.choice([{"instances": rows}, {"features": rows[0]}, {"instances": rows, "more": 1}, rows])


def mangled(rng: random.Random, body: bytes) -> bytes:
    """The same bytes with some changed, cut or doubled."""
    data = bytearray(body)
    for _ in range(rng.randrange(4)):
        if not data:
            break
        place = rng.randrange(len(data))
        how = rng.randrange(3)
        if how == 0:
            data[place] = rng.randrange(256)
        elif how == 1:
            del data[place : place + rng.randrange(8)]
        else:
            data[place:place] = rng.choice(
                [b"[", b"]", b"{", b"}", b'"', b",", b"\\u", b"\xff", b"1e999", b"NaN", b"9" * 400]
            )
    return bytes(data)


def bombard(server: Server, names: list[str], seed: int, count: int) -> None:
    rng = random.Random(seed)
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE_S)
    seen = set()
    for _ in range(count):
        body = json.dumps(near_miss(rng, names) if rng.random() < 0.6 else value(rng)).encode()
        if rng.random() < 0.4:
            body = mangled(rng, body)
        connection.request("POST", "/predict", body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        text = answer.read()
        assert answer.status in (200, 400), (answer.status, body, text)
        document = json.loads(text)
        if answer.status == 200:
            assert list(document) == ["predictions"]
        else:
            assert document["error"]["message"]
            assert document["error"]["detail"]["example"]
        seen.add(answer.status)
    connection.close()
    assert seen == {200, 400}


def test_odd_bodies_to_a_matrix(iris: Server) -> None:
    """200 or 400 with a reason, and an error that shows an example."""
    bombard(iris, list(models.IRIS_COLUMNS), seed=1, count=2000)


def test_odd_bodies_to_columns(houses: Server) -> None:
    """The same for mixed columns."""
    bombard(houses, ["area", "rooms", "city", "garden"], seed=2, count=2000)


def test_odd_bodies_to_text(spam: Server) -> None:
    """The same for text."""
    bombard(spam, ["text"], seed=3, count=2000)
