"""What the program of a case says: the model files that it made, how a user gets them served, and questions with answers.

The program runs in the environment of `make wild` as `python -m tests.wild.GROUP.cNN_name`, in the folder that it fills. It
knows nothing of mlpack. What it says is written into `case.json`, which the test reads.
"""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal

import numpy as np

Way = Literal["first try", "command", "init"]

_questions: list[dict[str, Any]] = []


def ask(
    name: str, body: Any, want: Any = None, *, method: str | None = None, status: int = 200, path: str = "/predict"
) -> None:
    """One natural request; `want` is what the training environment predicts, one entry a row (None: any answer)."""
    path += f"?method={method}" if method else ""
    _questions.append({"name": name, "path": path, "body": plain(body), "status": status, "want": plain(want)})


def rows(frame: Any) -> list[dict[str, Any]]:
    """The records of a DataFrame, missing values as null."""
    return [{str(key): _cell(value) for key, value in record.items()} for record in frame.to_dict("records")]


def own_code(file: str, source: str, *, module: str = "__main__") -> SimpleNamespace:
    """Write the user's source file, and give what it defines, as if the module of that name had defined it."""
    Path(file).write_text(source.lstrip(), encoding="utf-8")
    made = sys.modules.setdefault(module, type(sys)(module))
    exec(compile(source, file, "exec"), vars(made))
    return SimpleNamespace(**vars(made))


def serve(*files: str, after: Way = "first try") -> None:
    """Every file is served and answers all questions: at once, with the words of the command that mlpack prints, or with what `mlpack init` writes."""
    _write({"files": files, "after": after, "questions": _questions})


def refuse(file: str, code: str, *names: str) -> None:
    """The file cannot be served: mlpack says so with this code, and message and remedy contain these words."""
    _write({"files": [file], "code": code, "names": names})


def plain(value: Any) -> Any:
    """The value as JSON has it: arrays as lists, NaN as null."""
    if isinstance(value, np.ndarray | np.generic):
        return plain(value.tolist())
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    if isinstance(value, dict):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _cell(value: Any) -> Any:
    missing = value is None or str(value) in {"nan", "NaT", "<NA>"}
    return None if missing else plain(value)


def _write(told: dict[str, Any]) -> None:
    Path("case.json").write_text(json.dumps(told, indent=1), encoding="utf-8")
