"""The golden request: what a released service is asked before it is believed, and what was seen."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mlpack.artifacts.report import Report
from mlpack.artifacts.service import Place
from mlpack.checks.client import Answer, Client, Unanswered
from mlpack.checks.comparison import columns_of, difference, problem_with
from mlpack.checks.requests import sample_rows
from mlpack.checks.smoke import Expectation

TIMES = 30
_PATIENCE_S = 30  # for one answer: a cold start under way included


@dataclass(frozen=True, kw_only=True)
class Golden:
    """A question and what its answer must be: `answer` by value, else as the `signature` declares it."""

    request: Any
    answer: Any | None
    signature: Mapping[str, Any] | None
    tolerance: float = 1e-6


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What came of asking one place: `errors` of `times`, p50 and p95 in milliseconds, the first error's words."""

    times: int
    errors: int
    p50: float | None
    p95: float | None
    first_error: str = ""

    def to_json(self) -> dict[str, Any]:
        """The figures as plain JSON values."""
        return {
            "times": self.times,
            "errors": self.errors,
            "p50_ms": self.p50,
            "p95_ms": self.p95,
            "first_error": self.first_error,
        }


def golden_of(card: Mapping[str, Any], report: Report | None, wanted: Expectation) -> Golden | None:
    """The best question there is: the user's own, else the one that the tested container answered, else one of the card's.

    None when nothing is known that could be asked.
    """
    signatures = card.get("signatures") or []
    signature = signatures[0] if signatures and isinstance(signatures[0], dict) else None
    if wanted.request is not None:
        return Golden(request=wanted.request, answer=wanted.expected, signature=signature, tolerance=wanted.tolerance)
    if report is not None and report.golden is not None:
        return Golden(request=report.golden.get("request"), answer=report.golden.get("answer"), signature=signature)
    if signature is None or not signature.get("inputs"):
        return None
    return Golden(request={"instances": sample_rows(card, 1)}, answer=None, signature=signature)


def ask(place: Place, golden: Golden | None, *, times: int = TIMES, warm: bool = True) -> Asked:
    """Asks a place again and again, one at a time; without a question only whether it is ready.

    Never raises for what the service does. A `warm` one is asked once before it counts, as a first request may start it.
    """
    took, errors, first = [], 0, ""
    with Client(place.url, timeout_s=_PATIENCE_S, headers=place.headers) as client:
        for number in range(times + warm):
            began = time.perf_counter()
            wrong = _wrong(client, golden)
            if wrong and not number and warm:
                wrong = _after_a_while(client, golden, wrong)
            if not number and warm and not wrong:
                continue
            took.append((time.perf_counter() - began) * 1000)
            errors += bool(wrong)
            first = first or (wrong.text if wrong else "")
            if errors and (errors == len(took) >= 3 or not number):  # nothing better is to come
                break
    took.sort()
    return Asked(
        times=len(took),
        errors=errors,
        p50=round(took[len(took) // 2], 1) if took else None,
        p95=round(took[int(len(took) * 0.95)], 1) if took else None,
        first_error=first,
    )


@dataclass(frozen=True, kw_only=True)
class _Fault:
    """What is wrong with one answer; `passing` when it may be right a moment later."""

    text: str
    passing: bool = False


def _after_a_while(client: Client, golden: Golden | None, wrong: _Fault, *, limit_s: float = 10) -> _Fault | None:
    """Ask again while the fault may pass: a new address, or a right just given, takes a moment to be known."""
    until = time.monotonic() + limit_s
    found: _Fault | None = wrong
    while found is not None and found.passing and time.monotonic() < until:
        time.sleep(0.5)
        found = _wrong(client, golden)
    return found


_PASSING = (401, 403, 404, 429, 502, 503)


def _wrong(client: Client, golden: Golden | None) -> _Fault | None:
    """What is wrong with one answer, None when nothing is."""
    try:
        answer = client.get("/ready") if golden is None else client.post("/predict", golden.request)
    except Unanswered as nothing:
        return _Fault(text=str(nothing), passing=True)
    if answer.status != 200:
        text = f"{answer.status} {' '.join(answer.text.split())[:300]}".rstrip()
        return _Fault(text=text, passing=answer.status in _PASSING)
    text = "" if golden is None else _judged(answer, golden)
    return _Fault(text=text) if text else None


def _judged(answer: Answer, golden: Golden) -> str:
    try:
        found = answer.json()
    except ValueError:
        return f"no JSON: {answer.text[:200]}"
    if golden.answer is not None:
        return difference(found, golden.answer, golden.tolerance, where="answer")
    predictions = found.get("predictions") if isinstance(found, dict) else None
    if not isinstance(predictions, list):
        return f"no predictions in {answer.text[:200]}"
    return _departs(predictions, golden.signature or {})


def _departs(predictions: list[Any], signature: Mapping[str, Any]) -> str:
    outputs = signature.get("outputs") or []
    if not outputs or outputs[0]["name"] in signature.get("raw", ()):
        return ""
    columns = columns_of(predictions, outputs)
    if columns is None:
        return f"a row does not name the outputs {[output['name'] for output in outputs]}"
    classes = signature.get("classes") if signature.get("method") == "predict" else None
    told = (problem_with(values, output, classes) for output, values in zip(outputs, columns, strict=True))
    return next((text for text in told if text), "")
