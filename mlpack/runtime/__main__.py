"""`python -m mlpack.runtime`: imports every module of the runtime, and says in JSON that it could."""

from __future__ import annotations

import json
import platform
import sys
from importlib import import_module
from pathlib import Path


def main() -> int:
    """Import all; the exit code is 0, or the import's own failure."""
    here = Path(__file__).parent
    files = sorted(path.relative_to(here) for path in here.rglob("*.py") if not path.stem.startswith("__"))
    for file in files:
        import_module("." + ".".join(file.with_suffix("").parts), __package__)
    sys.stdout.write(json.dumps({"ok": True, "modules": len(files), "python": platform.python_version()}) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
