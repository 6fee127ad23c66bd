"""Adding a serving contract: a file that serves it, a file that checks it, one line each; nothing else changes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.contract import models
from tests.contract.served import ROOT, assemble, started

TOY = '''"""A contract for this test: rows as text, one label a line."""

from __future__ import annotations

import asyncio
from typing import AsyncIterator, Dict, List

from ..http.messages import Request, Response, Route
from ..models.registry import ModelRegistry
from ..settings import Settings
from .error_form import ErrorForm
from .schemas import TEXT, Operation
from .served_model import ServedModel, ServedModels

TOY_ERRORS = ErrorForm("toy", {"oops": TEXT}, lambda error: {"oops": error.code})


class Toy:
    def __init__(self, registry: ModelRegistry, settings: Settings) -> None:
        self._models = ServedModels(registry, settings)

    def routes(self) -> List[Route]:
        return [
            Route("POST", "/toy/{model}", self.predict, TOY_ERRORS, fast=True),
            Route("GET", "/toy", self.slowly, TOY_ERRORS),
        ]

    def described(self, model: ServedModel) -> Dict[str, Operation]:
        return {"/toy/{model}": Operation({"text/plain": TEXT}, {"text/plain": {"schema": TEXT}})}

    async def predict(self, request: Request) -> Response:
        """Labels, one a line."""
        model = self._models.named(request)
        rows = [[float(word) for word in line.split()] for line in (await model.body(request)).splitlines()]
        outputs = await model.instances(request, model.signature(None), rows)
        labels = next(iter(outputs.values())).tolist()
        return Response(200, "".join(f"{label}\\n" for label in labels).encode(), b"text/plain")

    async def slowly(self, request: Request) -> Response:
        """Some words, after a while."""
        async def words() -> AsyncIterator[bytes]:
            for word in (b"a ", b"few ", b"words"):
                yield await asyncio.wait_for(asyncio.sleep(0.001, word), 10)
        return Response(200, words(), b"text/plain")
'''


CHECKS = '''"""The contract of this test, as its clients see it."""

from collections.abc import Iterator

from mlpack.checks.contracts.base import CheckFunction, Contract, Session, refused, success
from mlpack.checks.contracts.subject import Subject


def _checks(subject: Subject) -> Iterator[tuple[str, CheckFunction]]:
    yield "toy_predict", _predict
    yield "toy_unknown_model", lambda session: refused(session.client.post("/toy/other", []), [404], text="oops")


def _predict(session: Session) -> str:
    rows = "".join(" ".join(map(str, row)) + "\\n" for row in session.subject.flat)
    answer = success(session.client.post_raw(f"/toy/{session.subject.path}", rows.encode()))
    return session.record("toy", [int(label) for label in answer.text.split()])


CONTRACT = Contract(name="toy", ready="/readyz", checks=_checks, needs_name=True)
'''


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A checkout with the two files and the two lines."""
    shutil.copytree(ROOT / "mlpack", tmp_path / "tree" / "mlpack", ignore=shutil.ignore_patterns("__pycache__"))
    package = tmp_path / "tree" / "mlpack"
    for folder, text, line in (("runtime/protocols", TOY, "Toy"), ("checks/contracts", CHECKS, "toy")):
        (package / folder / "toy.py").write_text(text, encoding="utf-8")
        table = package / folder / "__init__.py"
        lines = table.read_text(encoding="utf-8").splitlines(keepends=True)
        opened = next(place for place, one in enumerate(lines) if one.startswith(("PROTOCOLS = ", "CONTRACTS = ")))
        lines.insert(lines.index("}\n", opened), f'    "toy": "{line}",\n')
        table.write_text("".join(lines), encoding="utf-8")
    return tmp_path / "tree"


def test_a_contract_is_two_files_and_two_lines(tmp_path: Path, tree: Path) -> None:
    """It answers, fails in its own form, streams from a Task, is in the OpenAPI document, and `mlpack test` checks it."""
    model, signatures, _ = models.iris()
    app = assemble(tmp_path / "app", model=models.pickled(model), signatures=signatures)
    shutil.rmtree(app / "mlpack" / "runtime")
    shutil.copytree(tree / "mlpack" / "runtime", app / "mlpack" / "runtime")
    with started(app) as server:
        expected = server.predict({"instances": [[5.1, 3.5, 1.4, 0.2]] * 2}).json()["predictions"]
        answer = server.request("POST", "/toy/test", b"5.1 3.5 1.4 0.2\n5.1 3.5 1.4 0.2\n")
        assert answer.body.decode().split() == [str(label) for label in expected]
        for path, code in (("/toy/other", "unknown_model"), ("/toy/a/b", "not_found")):
            assert server.request("POST", path, b"1").json() == {"oops": code}
        assert server.request("GET", "/toy").body == b"a few words"
        document = server.request("GET", "/openapi.json").json()
        assert document["paths"]["/toy/{model}"]["post"]["requestBody"]["content"] == {
            "text/plain": {"schema": {"type": "string"}}
        }
        assert document["components"]["schemas"]["toy"]["required"] == ["oops"]
        report = json.loads(_mlpack(tree, "test", f"http://127.0.0.1:{server.port}", "--contract", "toy,v2", "--json"))
        assert (report["ok"], report["contracts"]) == (True, ["toy", "v2"])
        names = [check["name"] for check in report["checks"]]
        assert {"toy_predict", "toy_unknown_model", "contracts_agree"} <= set(names)
        assert server.stop() == 0
    assert "torchserve, toy." in " ".join(_mlpack(tree, "test", "--help").replace("\u2502", " ").split())


def _mlpack(tree: Path, *words: str) -> str:
    """What the checkout's command prints."""
    env = {**os.environ, "PYTHONPATH": str(tree), "COLUMNS": "200", "NO_COLOR": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "mlpack", *words], cwd=tree.parent, env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
