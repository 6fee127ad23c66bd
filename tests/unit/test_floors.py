"""The house's floors: who may import whom (DESIGN's table, kept by reading the imports)."""

import ast
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2] / "mlpack"
BASES = {"formats.base", "engines.base", "targets.base"}
LOW = {"artifacts", "readers", "plugins", "templating", "shell", "shown", "errors", "version"}
MAY = {
    "cli": None,  # everything below
    "pipeline": {"pipeline", "packages", "config", *LOW, *BASES},
    "formats": {"formats", "artifacts", "readers", "templating", "shell", "errors"},
    "engines": {"engines", "artifacts", "readers", "templating", "shell", "errors"},
    "targets": {"targets", "artifacts", "readers", "templating", "shell", "errors", "version"},
    "packages": {"packages", "artifacts", "readers", "templating", "shell", "errors"},
    "config": {"artifacts", "runtime.settings", "errors"},
    "artifacts": {"artifacts", "errors"},
    "readers": {"readers", "artifacts", "errors"},  # readers give verdicts, which are artifacts
    "plugins": {"errors"},
    "templating": {"errors"},
    "shell": {"errors"},
    "shown": set(),
    "errors": set(),
    "version": set(),
    "runtime": {"runtime"},
}
FILES = sorted(path for path in ROOT.rglob("*.py") if "templates" not in path.relative_to(ROOT).parts)


def imports_of(path: Path) -> set[str]:
    """The names under mlpack that a file imports, `formats.base` for `mlpack.formats.base`."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.level == 0 and node.module.startswith("mlpack"):
            inner = node.module.removeprefix("mlpack").lstrip(".")
            found |= {inner} if inner else {alias.name for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {alias.name.removeprefix("mlpack.") for alias in node.names if alias.name.startswith("mlpack")}
    return found


def allowed(name: str, rooms: set[str]) -> bool:
    return any(name == room or name.startswith(room + ".") for room in rooms)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_stay_on_their_floor(path: Path) -> None:
    """A file imports only what its room may; formats, engines and targets never one another."""
    room = path.relative_to(ROOT).parts[0].removesuffix(".py")
    rooms = MAY.get(room)
    if room in {"__init__", "__main__", "cli"}:
        return
    assert rooms is not None, f"no floor for the room {room}"
    names = imports_of(path)
    if path.name == "loader.py":
        assert not names, "a loader imports its framework and nothing of mlpack"
    if room in {"formats", "engines", "targets"} and len(path.relative_to(ROOT).parts) > 2:
        inner = ".".join(path.relative_to(ROOT).parts[:2])
        rooms = (rooms - {room}) | {inner, f"{room}.base", f"{room}.corners"}
    assert not {name for name in names if not allowed(name, rooms)}


@pytest.mark.parametrize("path", sorted((ROOT / "runtime").rglob("*.py")), ids=lambda path: path.name)
def test_the_cellar_imports_itself_and_its_own_requirements(path: Path) -> None:
    """What ships into the image needs the standard library, numpy and requirements.txt; itself by relative imports."""
    text = (ROOT / "runtime" / "requirements.txt").read_text(encoding="utf-8")
    own = {line.split(";")[0].split(">")[0].strip() for line in text.splitlines() if line and not line.startswith("#")}
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names = [node.module or ""]
        for name in names:
            root = name.split(".")[0]
            assert root in sys.stdlib_module_names or root in own | {"numpy"}, f"{path.name} imports {name}"


def test_files_are_one_thing() -> None:
    """No file of ours has much over 300 lines, and each begins with a sentence that says what lives there.

    A loader is one file in the image, with its own reading of the model file for the guard: it may have 600.
    """
    for path in FILES:
        text = path.read_text(encoding="utf-8")
        assert len(text.splitlines()) <= (600 if path.name == "loader.py" else 320), path
        assert not text.strip() or ast.get_docstring(ast.parse(text)), path
