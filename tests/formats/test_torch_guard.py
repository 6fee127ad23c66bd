"""Both barriers before hostile files of torch's kinds: inspection's verdict, and the loader's guard where the verdict is ignored."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from mlpack.formats.pytorch import TorchFormat
from mlpack.pipeline.inspect import inspect
from tests.formats.frameworks import GUARD, made, python, run

pytestmark = pytest.mark.slow
HARMLESS = ("plain.pt", "keeping.pt", "plain.pt2", "plain_module.pt", "plain_weights.pt", "numbers.pt", "normed.pt")
ASKED = ("graph.pt", "asked_hook.pt")  # unknown: with --trust they are served
REFUSALS = ("NotInspectedError", "ValueError")


@pytest.fixture(scope="module")
def folder() -> Path:
    """Hostile files, and the harmless ones that they were made of."""
    return made("make_torch_hostile.py", "made")


@pytest.fixture(scope="module")
def hostile(folder: Path) -> list[str]:
    """The names of the hostile ones."""
    found = [path.name for path in sorted(folder.glob("*.pt*")) if path.name not in HARMLESS + ASKED]
    assert len(found) > 25
    return found


@pytest.fixture(scope="module")
def outcomes(folder: Path, hostile: list[str]) -> dict[str, str]:
    """What the loader does with every file when its guard is that of the harmless twin."""
    given = {file: _given(folder, file) for file in HARMLESS + ASKED}
    twins = {
        "script_setstate": "keeping.pt", "script": "plain.pt", "program": "plain.pt2", "module": "plain_module.pt",
        "weights": "plain_weights.pt",
    }  # fmt: skip
    for file in (one for one in hostile if not one.startswith("hook")):  # these misuse names that are listed
        given[file] = given[next(twin for start, twin in twins.items() if file.startswith(start))]
    guards = folder / "guards.json"
    guards.write_text(json.dumps(given))
    program = str(Path(__file__).with_name("make_torch_hostile.py"))
    found: dict[str, str] = json.loads(
        run(program, str(folder), "loaded", str(guards), str(TorchFormat.loader), str(GUARD))
    )
    return found


def _given(folder: Path, file: str) -> dict[str, Any]:
    info = inspect(folder / file, formats=[TorchFormat()])
    entry = {"entry": "made:make"} if info.options["kind"] == "weights" else {}
    return {"options": {**info.options, **entry}, "names": {kind: list(names) for kind, names in info.names.items()}}


def test_hostile_files_are_dangerous(folder: Path, hostile: list[str]) -> None:
    """Each way to name an operator, each text that becomes code, each pickle: `dangerous`, and nothing ran."""
    verdicts = {file: inspect(folder / file, formats=[TorchFormat()]).safety for file in hostile}
    assert {file for file, safety in verdicts.items() if safety.verdict != "dangerous"} == set()
    assert all(safety.findings for safety in verdicts.values())


def test_harmless_files_are_safe(folder: Path) -> None:
    """What they were made of: operators, shapes that are open, code of its own when loading."""
    assert {inspect(folder / file, formats=[TorchFormat()]).safety.verdict for file in HARMLESS} == {"safe"}


def test_the_loader_refuses_what_its_guard_does_not_list(
    folder: Path, hostile: list[str], outcomes: dict[str, str]
) -> None:
    """With the guard of a harmless file every hostile one is refused before torch runs anything of it."""
    let_in = {file: told for file in hostile if file in outcomes and not (told := outcomes[file]).startswith(REFUSALS)}
    assert let_in == {}
    assert list(folder.glob("canary-*")) == []


def test_the_loader_takes_what_its_guard_lists(outcomes: dict[str, str]) -> None:
    """Harmless files load, also weights that hold a numpy number; so do trusted ones, by the names that trust covered."""
    assert {file: outcomes[file] for file in HARMLESS + ASKED} == dict.fromkeys(HARMLESS + ASKED, "loaded")


def test_what_trust_would_cover_is_shown(folder: Path) -> None:
    """A graph module's own source, a hook that is not torch's: unknown, with the reason."""
    found = {file: inspect(folder / file, formats=[TorchFormat()]).safety for file in ASKED}
    assert {safety.verdict for safety in found.values()} == {"unknown"}
    assert 'getattr(self, "0")(input_1)' in found["graph.pt"].findings[0].why
    assert "_forward_pre_hooks" in found["asked_hook.pt"].findings[0].why


def test_the_list_of_operators_is_that_of_torch() -> None:
    """Every operator that torch registers is on the list, with the use that the rules give it."""
    ended = subprocess.run(
        [str(python()), str(Path(__file__).with_name("list_operators.py"))], capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stdout) == (0, ""), ended.stderr[-2000:]
