"""Comparison of answers with expected values, and with what the signature declares."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any


def says_nothing(answer: Any) -> bool:
    """Whether an answer holds no value at all: it is empty, or everything in it is null, as NaN is in JSON."""
    if isinstance(answer, dict):
        return all(map(says_nothing, answer.values()))
    return answer is None or (isinstance(answer, list) and all(map(says_nothing, answer)))


def difference(found: Any, wanted: Any, tolerance: float, *, where: str = "predictions") -> str:
    """The first difference of two JSON values, "" if they are equal; numbers within a relative `tolerance`."""
    if isinstance(wanted, list) and isinstance(found, list):
        if len(wanted) != len(found):
            return f"{where}: {len(found)} values, expected {len(wanted)}"
        pairs = enumerate(zip(found, wanted, strict=True))
        return next((text for n, (a, b) in pairs if (text := difference(a, b, tolerance, where=f"{where}[{n}]"))), "")
    if isinstance(wanted, dict) and isinstance(found, dict):
        if set(wanted) != set(found):
            return f"{where}: keys {sorted(found)}, expected {sorted(wanted)}"
        texts = (difference(found[key], wanted[key], tolerance, where=f"{where}.{key}") for key in wanted)
        return next((text for text in texts if text), "")
    if _number(wanted) and _number(found):
        if math.isclose(found, wanted, rel_tol=tolerance, abs_tol=tolerance):
            return ""
    elif type(wanted) is type(found) and wanted == found:
        return ""
    return f"{where}: {found!r}, expected {wanted!r}"


_OPEN = "..."  # in a shape: any further axes


def problem_with(values: Sequence[Any], output: Mapping[str, Any], classes: Sequence[Any] | None) -> str:
    """The first difference of an answer to the declared dtype, shape and classes; "" if there is none."""
    for index, value in enumerate(values):
        problem = _shape_problem(value, output["shape"][1:], output["dtype"])
        if problem:
            return f"row {index}: {problem}; declared {output['dtype']} {output['shape']}"
        if classes and not isinstance(value, list) and value not in classes:
            return f"row {index}: {value!r} is not one of the classes {list(classes)[:10]}"
    return ""


def columns_of(values: Sequence[Any], outputs: Sequence[Mapping[str, Any]]) -> list[Sequence[Any]] | None:
    """The rows of an answer as one list per output; None if a row lacks an output.

    With one output, a row is its value; with several, a row is an object with a value for each output name.
    """
    if len(outputs) == 1:
        return [values]
    names = {output["name"] for output in outputs}
    if any(not isinstance(value, dict) or set(value) != names for value in values):
        return None
    return [[value[output["name"]] for value in values] for output in outputs]


def problem_with_log(log: str) -> str:
    """The problem of a service's log; "" if every line is a JSON object with a severity."""
    lines = [line for line in log.splitlines() if line.strip()]
    for line in lines:
        try:
            entry = json.loads(line)
        except ValueError:
            return f"not JSON: {line[:200]}"
        if not isinstance(entry, dict) or "severity" not in entry:
            return f"no severity: {line[:200]}"
    return "" if lines else "the log is empty"


def _shape_problem(value: Any, shape: Sequence[Any], dtype: str) -> str:
    if not shape:
        return "" if _fits(value, dtype) else f"{value!r} is not of type {dtype}"
    if shape[0] == _OPEN:
        if isinstance(value, dict):  # several outputs of the user's own code, which no file records
            return ""
        return _shape_problem(value, [-1, _OPEN] if isinstance(value, list) else [], dtype)
    if not isinstance(value, list):
        return f"{value!r} is not a list"
    if isinstance(shape[0], int) and shape[0] >= 0 and len(value) != shape[0]:
        return f"{len(value)} values"
    return next((problem for item in value if (problem := _shape_problem(item, shape[1:], dtype))), "")


def _fits(value: Any, dtype: str) -> bool:
    if dtype == "BYTES":
        if isinstance(value, dict):  # bytes that are not UTF-8 text
            return list(value) == ["b64"] and isinstance(value["b64"], str)
        return isinstance(value, str)
    if dtype == "BOOL":
        return isinstance(value, bool)
    if dtype.startswith("FP"):
        return value is None or _number(value)  # NaN and infinity are null in JSON
    return isinstance(value, int) and not isinstance(value, bool)


def _number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
