"""module_at: a Python file or package as a module, wherever it lies; also for programs that run without mlpack."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType


def module_at(path: str | Path, name: str) -> ModuleType:
    """The file, or the folder with an `__init__.py`, imported under a name of its own (not that of another module)."""
    path = Path(path)
    file, below = (path / "__init__.py", [str(path)]) if path.is_dir() else (path, None)
    spec = importlib.util.spec_from_file_location(name, file, submodule_search_locations=below)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    for known in [one for one in sys.modules if one == name or one.startswith(f"{name}.")]:
        del sys.modules[known]  # a folder of another test
    sys.modules[name] = module  # its files import each other by it
    spec.loader.exec_module(module)
    return module
