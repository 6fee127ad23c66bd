"""The golden request, which verifies a released service before and after it gets traffic, and its result."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mlpack.artifacts.diagnosis import unverified
from mlpack.artifacts.report import Report
from mlpack.artifacts.service import Endpoint
from mlpack.checks.client import Answer, Client, Unanswered
from mlpack.checks.comparison import columns_of, difference, problem_with
from mlpack.checks.requests import sample_rows
from mlpack.checks.smoke import Expectation

TIMES = 30
_TIMEOUT_S = 30  # for one answer, including a cold start


@dataclass(frozen=True, kw_only=True)
class GoldenRequest:
    """A request and its correct answer: equal to `answer`, or without one, of the form that `signature` declares."""

    request: Any
    answer: Any | None
    signature: Mapping[str, Any] | None
    tolerance: float = 1e-6


@dataclass(frozen=True, kw_only=True)
class GoldenResult:
    """The result of a golden request: `errors` of `times`, p50 and p95 in ms, the text of the first error."""

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


def golden_request_of(card: Mapping[str, Any], report: Report | None, wanted: Expectation) -> GoldenRequest | None:
    """The best request available: the user's own, else the one of the test, else one generated from the card.

    None if the card declares no inputs.
    """
    signatures = card.get("signatures") or []
    signature = signatures[0] if signatures and isinstance(signatures[0], dict) else None
    if wanted.request is not None:
        return GoldenRequest(
            request=wanted.request, answer=wanted.expected, signature=signature, tolerance=wanted.tolerance
        )
    if report is not None and report.golden is not None:
        return GoldenRequest(
            request=report.golden.get("request"), answer=report.golden.get("answer"), signature=signature
        )
    if signature is None or not signature.get("inputs"):
        return None
    return GoldenRequest(request={"instances": sample_rows(card, 1)}, answer=None, signature=signature)


def send_golden(
    endpoint: Endpoint, golden: GoldenRequest | None, *, times: int = TIMES, warm: bool = True
) -> GoldenResult:
    """Send the golden request several times, one at a time; without one, send GET /ready.

    A failure of the service is in the result and raises nothing. With `warm`, an additional first request, which may start
    an instance, is not measured.
    """
    took, errors, first = [], 0, ""
    with endpoint as service, Client(service.url, timeout_s=_TIMEOUT_S, headers=service.headers) as client:
        for number in range(times + warm):
            began = time.perf_counter()
            failure = _send(client, golden)
            if failure and not number and warm:
                failure = _retry(client, golden, failure)
            if not number and warm and not failure:
                continue
            took.append((time.perf_counter() - began) * 1000)
            errors += bool(failure)
            first = first or (failure.text if failure else "")
            if errors and (errors == len(took) >= 3 or not number):  # more requests would not change the verdict
                break
    took.sort()
    return GoldenResult(
        times=len(took),
        errors=errors,
        p50=round(took[len(took) // 2], 1) if took else None,
        p95=round(took[int(len(took) * 0.95)], 1) if took else None,
        first_error=first,
    )


@dataclass(frozen=True, kw_only=True)
class _Failure:
    """The failure of one request; `temporary` if a later request may succeed."""

    text: str
    temporary: bool = False


def _retry(client: Client, golden: GoldenRequest | None, failure: _Failure, *, limit_s: float = 10) -> _Failure | None:
    """Repeat a request that failed temporarily: a new address or permission takes effect after some seconds."""
    until = time.monotonic() + limit_s
    found: _Failure | None = failure
    while found is not None and found.temporary and time.monotonic() < until:
        time.sleep(0.5)
        found = _send(client, golden)
    return found


_TEMPORARY = (401, 403, 404, 429, 502, 503)


def _send(client: Client, golden: GoldenRequest | None) -> _Failure | None:
    """Send one request; None if the answer is correct."""
    try:
        answer = client.get("/ready") if golden is None else client.post("/predict", golden.request)
    except Unanswered as nothing:
        return _Failure(text=str(nothing), temporary=True)
    if answer.status != 200:
        text = f"{answer.status} {' '.join(answer.text.split())[:300]}".rstrip()
        return _Failure(text=text, temporary=answer.status in _TEMPORARY)
    if golden is None:
        problem = unverified(answer.text)
        text = "" if problem is None else f"{problem.reason}. {problem.hint}"
    else:
        text = _problem_with_answer(answer, golden)
    return _Failure(text=text) if text else None


def _problem_with_answer(answer: Answer, golden: GoldenRequest) -> str:
    try:
        found = answer.json()
    except ValueError:
        return f"not JSON: {answer.text[:200]}"
    if golden.answer is not None:
        return difference(found, golden.answer, golden.tolerance, where="answer")
    predictions = found.get("predictions") if isinstance(found, dict) else None
    if not isinstance(predictions, list):
        return f"no predictions in {answer.text[:200]}"
    return _difference_to_signature(predictions, golden.signature or {})


def _difference_to_signature(predictions: list[Any], signature: Mapping[str, Any]) -> str:
    outputs = signature.get("outputs") or []
    if not outputs or outputs[0]["name"] in signature.get("raw", ()):
        return ""
    columns = columns_of(predictions, outputs)
    if columns is None:
        return f"a row does not contain the outputs {[output['name'] for output in outputs]}"
    classes = signature.get("classes") if signature.get("method") == "predict" else None
    problems = (problem_with(values, output, classes) for output, values in zip(outputs, columns, strict=True))
    return next((problem for problem in problems if problem), "")
