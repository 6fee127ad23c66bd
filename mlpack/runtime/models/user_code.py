"""The user's own code in the image: put on the path, and bound where the model's file looks for it."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any, Mapping


def bring(folder: Path, code: Mapping[str, Any]) -> None:
    """Make the code in the card's `code` importable; what a notebook defined is found in `__main__`, as the file says.

    `folder` is where the card lies; `code` has `paths` (below it) and `main` (name -> module). Raises what importing the
    user's modules raises, and AttributeError for a name that its module does not have.
    """
    for path in reversed(code.get("paths") or ()):
        place = str(folder / path)
        if place not in sys.path:
            sys.path.insert(
                0, place
            )  # before the server's own files, as a script's folder came first where it was trained
        for ours in ("loader", "serve"):
            if (folder / path / (ours + ".py")).is_file() or (folder / path / ours).is_dir():
                # The user's module of that name is meant from now on; the server holds its own already.
                for name in [one for one in sys.modules if one == ours or one.startswith(ours + ".")]:
                    del sys.modules[name]
    main = sys.modules["__main__"]
    sys.modules.setdefault("__mp_main__", main)  # where a class lives that a worker process pickled
    for name, module in (code.get("main") or {}).items():
        setattr(main, name, getattr(importlib.import_module(module), name))
