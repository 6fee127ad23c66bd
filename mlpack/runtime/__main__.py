"""`python -m mlpack.runtime`: check that the runtime works on this Python, and print the result as JSON."""

from __future__ import annotations

import json
import platform
import sys
from importlib import import_module
from pathlib import Path

from .http.driver import check


def main() -> int:
    """Import every module and drive a coroutine as a connection does; a failure is raised."""
    here = Path(__file__).parent
    files = sorted(path.relative_to(here) for path in here.rglob("*.py") if not path.stem.startswith("__"))
    for file in files:
        import_module("." + ".".join(file.with_suffix("").parts), __package__)
    check()
    sys.stdout.write(json.dumps({"ok": True, "modules": len(files), "python": platform.python_version()}) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
