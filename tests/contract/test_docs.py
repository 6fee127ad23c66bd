"""Every line of curl in docs/serving.md is answered, and the answers are the model's."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from itertools import pairwise

import pytest

from tests.contract import models
from tests.contract.served import ROOT, Server, assemble, started

LINES = [
    line for line in (ROOT / "docs" / "serving.md").read_text(encoding="utf-8").splitlines() if line.startswith("curl ")
]


@pytest.fixture(scope="module")
def called_iris(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The model that the page speaks of."""
    model, signatures, _ = models.iris()
    folder = assemble(
        tmp_path_factory.mktemp("docs") / "app", model=models.pickled(model), signatures=signatures, name="iris"
    )
    with started(folder) as server:
        yield server


@pytest.mark.parametrize("line", LINES)
def test_a_line_of_curl_is_answered(called_iris: Server, line: str) -> None:
    """Sent as curl would send it, it gets 200; what it asks a flower of gets a flower."""
    words = shlex.split(line)
    url, body = next(word for word in words if word.startswith("localhost:8080")), None
    headers = {"Content-Type": "application/x-www-form-urlencoded"}  # what curl says of -d where nobody says more
    for option, value in pairwise(words):
        if option == "-H":
            name, _, told = value.partition(": ")
            headers[name] = told
        if option in ("-d", "--data-binary"):
            body = value.encode()
    answer = called_iris.request(
        "GET" if body is None else "POST", url.removeprefix("localhost:8080"), body, headers=headers
    )
    assert answer.status == 200, answer.body
    if body is not None and "predict_proba" not in line:
        assert b"[0" in answer.body or answer.body == b"0\n", answer.body


def test_every_contract_has_its_line() -> None:
    """None of the page's contracts is left without one."""
    paths = " ".join(LINES)
    for path in (
        "/predict",
        "/v2/models/iris/infer",
        "/v1/models/iris:predict",
        "/invocations",
        "/score",
        "/predictions/iris",
    ):
        assert path in paths
