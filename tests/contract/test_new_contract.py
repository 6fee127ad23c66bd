"""Adding a serving contract: a file of its own and one line in the table, and nothing else of the runtime changes."""

from __future__ import annotations

from pathlib import Path

from tests.contract import models
from tests.contract.served import assemble, started

TOY = '''"""A contract for this test: rows as text, one sum a line."""

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


def test_a_contract_is_a_file_and_a_line(tmp_path: Path) -> None:
    """It answers, fails in its own form, streams from a Task, and is in the OpenAPI document."""
    model, signatures, _ = models.iris()
    app = assemble(tmp_path / "app", model=models.pickled(model), signatures=signatures)
    protocols = app / "mlpack" / "runtime" / "protocols"
    (protocols / "toy.py").write_text(TOY, encoding="utf-8")
    table = (protocols / "__init__.py").read_text(encoding="utf-8")
    (protocols / "__init__.py").write_text(
        table.replace('    "own": "Own",\n', '    "own": "Own",\n    "toy": "Toy",\n')
    )
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
        assert server.stop() == 0
