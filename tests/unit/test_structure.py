"""The structure of the packages, by reading their imports: who may import whom, no circles, no crowded folders."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2] / "mlpack"
FILES = sorted(path for path in ROOT.rglob("*.py") if "templates" not in path.relative_to(ROOT).parts)

# A package imports itself and what stands to the right of it.
LAYERS = (
    {"cli"},
    {"maintenance", "scaffold", "ensembles"},
    {"pipeline"},
    {"discovery", "usercode", "checks"},
    {"formats", "engines", "targets", "sources"},
    {"registries"},
    {"readers", "packages", "templating", "config", "plugins", "workspace"},
    {"artifacts", "yaml_files"},
    {"http", "shell", "shown", "errors", "version"},
)
PLUGINS = ("formats", "engines", "targets", "sources")  # from above only their base.py, and never each other
MOST_FILES = 20  # in one folder
MOST_LINES = 320


def module_of(path: Path) -> str:
    """`mlpack/engines/base.py` is engines.base, and a package's __init__.py the package."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_of(path): path for path in FILES}


def imports_of(path: Path) -> Iterator[str]:
    """The modules of mlpack that a file imports anywhere, for type checkers only too."""
    package = path.relative_to(ROOT).parent.parts
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[2] for alias in node.names if alias.name.startswith("mlpack."))
        elif isinstance(node, ast.ImportFrom):
            module = (node.module or "").split(".") if node.module else []
            if node.level:
                module = [*package[: len(package) - node.level + 1], *module]
            elif module[:1] == ["mlpack"]:
                module = module[1:]
            else:
                continue
            for alias in node.names:
                inner = ".".join([*module, alias.name])
                yield inner if inner in MODULES else ".".join(module)


GRAPH = {name: {one for one in imports_of(path) if one != name} for name, path in MODULES.items()}


def layer_of(package: str) -> int:
    """The place of a package in the order; its files are listed here when it is new."""
    return next(number for number, layer in enumerate(LAYERS) if package in layer)


def allowed(path: Path, module: str, name: str) -> bool:
    """Whether the module may import the one of that name."""
    own, other = module.partition(".")[0], name.partition(".")[0]
    if own == "formats" and "loader" in module.split(".")[2:]:  # imports its framework and its own folder
        return path.name != "loader.py" and name.startswith(".".join(module.split(".")[:3]))
    if own in {"runtime", "__main__"}:
        return other == "runtime" if own == "runtime" else other in {"cli", "version"}
    if other == "runtime":
        return (own, name) in {("config", "runtime.settings"), ("ensembles", "runtime.ensembles.plan")}
    if own in PLUGINS and other in PLUGINS:
        return own == other and name.split(".")[1] in {module.partition(".")[2].split(".")[0], "base", "settings"}
    if own == other:
        return True
    if other in PLUGINS and own != "cli":
        return layer_of(own) < layer_of(other) and name == f"{other}.base"
    return layer_of(own) < layer_of(other)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_imports_only_what_its_package_may(path: Path) -> None:
    """Packages are in an order, and formats, engines and targets do not know each other."""
    module = module_of(path)
    assert not {name for name in GRAPH[module] if not allowed(path, module, name)}


def test_no_modules_import_each_other() -> None:
    """The imports have no circle, those for type checkers included."""
    checked: set[str] = set()

    def follow(module: str, way: tuple[str, ...]) -> None:
        assert module not in way, " imports ".join([*way[way.index(module) :], module])
        if module not in checked:
            for name in GRAPH.get(module, ()):
                follow(name, (*way, module))
            checked.add(module)

    for module in MODULES:
        follow(module, ())


def test_nothing_names_the_docker_engine_but_its_package() -> None:
    """It is used through the protocols of engines/base.py, and found by its name in the table of plugins."""
    named = {path.relative_to(ROOT).as_posix() for path in FILES if "DockerEngine" in path.read_text(encoding="utf-8")}
    assert {name for name in named if not name.startswith("engines/docker/")} == {"plugins.py"}
    others = {name for name in MODULES if not name.startswith("engines.docker")}
    assert not {name for name in others if any(one.startswith("engines.docker") for one in GRAPH[name])}


def test_no_folder_is_crowded() -> None:
    """A folder has so few files that a reader sees at once what is in it."""
    counts = {folder: len(list(folder.glob("*.py"))) for folder in {path.parent for path in FILES}}
    assert not {str(folder.relative_to(ROOT)): count for folder, count in counts.items() if count > MOST_FILES}


@pytest.mark.parametrize("path", sorted((ROOT / "runtime").rglob("*.py")), ids=lambda path: path.name)
def test_the_runtime_imports_itself_and_its_own_requirements(path: Path) -> None:
    """What is copied into the image needs the standard library, numpy and requirements.txt; itself by relative imports."""
    text = "".join(
        (folder / "requirements.txt").read_text(encoding="utf-8")
        for folder in {ROOT / "runtime", path.parent}
        if (folder / "requirements.txt").is_file()
    )
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


def test_a_file_has_one_subject() -> None:
    """No file has much over 300 lines, and each begins with a sentence that says what is in it."""
    for path in FILES:
        text = path.read_text(encoding="utf-8")
        assert len(text.splitlines()) <= MOST_LINES, path
        assert not text.strip() or ast.get_docstring(ast.parse(text)), path
