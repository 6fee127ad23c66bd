"""The runtime stands alone: Python 3.9 can read it, and it imports nothing but what the image has."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
RUNTIME = sorted((ROOT / "mlpack" / "runtime").rglob("*.py"))
LOADERS = sorted(
    path for form in ("*/loader.py", "*/loader/**/*.py") for path in (ROOT / "mlpack" / "formats").glob(form)
)
ALLOWED = {"numpy", "httptools", "uvloop"}
OPTIONAL = {"ensembles": {"aiohttp"}}  # what the optional parts need beside that


def test_the_files_are_found() -> None:
    """The checks below look at something."""
    assert len(RUNTIME) > 10
    assert LOADERS


@pytest.mark.parametrize("path", [*RUNTIME, *LOADERS], ids=str)
def test_python_3_9_can_read_it(path: Path) -> None:
    """No syntax newer than 3.9, and annotations that are never evaluated."""
    tree = ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 9))
    imports = [node.module for node in tree.body if isinstance(node, ast.ImportFrom)]
    assert "__future__" in imports or len(tree.body) == 1


@pytest.mark.parametrize("path", RUNTIME, ids=str)
def test_it_imports_only_itself_and_its_own_libraries(path: Path) -> None:
    """Relative imports, the standard library, and requirements.txt; that of its own folder in an optional part."""
    allowed = sys.stdlib_module_names | ALLOWED | OPTIONAL.get(path.parent.name, set())
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and node.level == 0:
            names = [str(node.module)]
        for name in names:
            assert name.split(".")[0] in allowed, f"{path.name} imports {name}"


@pytest.mark.parametrize("path", LOADERS, ids=str)
def test_a_loader_imports_nothing_of_mlpack(path: Path) -> None:
    """It lies alone at /app/loader.py, or with its own folder's files at /app/loader."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            assert node.level <= (path.parent.name == "loader")
            assert not str(node.module).startswith("mlpack")
        if isinstance(node, ast.Import):
            assert not any(alias.name.startswith("mlpack") for alias in node.names)


def test_every_module_imports() -> None:
    """`python -m mlpack.runtime` imports all there is and says so: what the 3.9 image is asked."""
    done = subprocess.run(
        [sys.executable, "-m", "mlpack.runtime"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout)["modules"] == len([path for path in RUNTIME if not path.stem.startswith("__")])


def test_settings_need_no_library_at_all() -> None:
    """The host reads the settings at every command: that costs it the standard library only."""
    code = "import sys; import mlpack.runtime.settings; print(*[m for m in ('numpy', 'httptools', 'pydantic') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
