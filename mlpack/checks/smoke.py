"""The checks of a running service: readiness, answers, batching, rejected requests, latency, logs and shutdown."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from typing import Any

from mlpack.artifacts.diagnosis import diagnose, unverified
from mlpack.artifacts.report import Report
from mlpack.checks.batching import batch_equals_singles, concurrent, mixed_batch, tolerance_of
from mlpack.checks.checklist import Checklist, FailedCheckError, OnCheck
from mlpack.checks.client import Client, Unanswered
from mlpack.checks.comparison import columns_of, difference, problem_with, problem_with_log, says_nothing
from mlpack.checks.requests import Send, bad_requests, rows_for, sample_rows
from mlpack.engines.base import Exit, Running

_SEE_LOG = "See the log below; `mlpack run` starts the service without the checks."


@dataclass(frozen=True, kw_only=True)
class Expectation:
    """The user's own request for /predict, the expected answer and the relative tolerance.

    `on_answer` is called with the request and its answer, to record them.
    """

    request: Any | None = None
    expected: Any | None = None
    tolerance: float = 1e-6
    on_answer: Callable[[Any, Any], None] | None = None


def examine(
    start: Callable[[], AbstractContextManager[Running]],
    card: Mapping[str, Any],
    *,
    expectation: Expectation | None = None,
    start_s: float = 240,
    on_check: OnCheck = lambda _: None,
    further: Callable[[Checklist, Client], None] = lambda _checklist, _client: None,
) -> tuple[Report, str]:
    """Start a service, check it and stop it; return the report and the service's log. `further` adds checks of its own."""
    checklist = Checklist(on_check=on_check)
    measured: dict[str, Any] = {}
    began = time.perf_counter()
    with start() as running:
        with Client(running.url) as client:
            if checklist.check(
                "ready", lambda: _becomes_ready(running, client, began, start_s, measured), hint=_SEE_LOG
            ):
                _check_requests(checklist, client, card, expectation or Expectation(), measured)
                further(checklist, client)
                measured["peak"] = running.stats().peak_memory
                checklist.check("logs_are_json", lambda: _logs_are_json(running.logs()))
        checklist.check(
            "sigterm",
            lambda: _stops(running),
            hint="Cloud Run kills a container 10 s after SIGTERM.",
        )
        log = running.logs()
    return Report(
        checks=tuple(checklist.checks),
        cold_start_ms=measured.get("cold_start_ms"),
        latency_ms=measured.get("latency_ms", {}),
        peak_memory_mb=None if measured.get("peak") is None else round(measured["peak"] / 1024**2, 1),
        golden=measured.get("golden"),
    ), log


def _check_requests(
    checklist: Checklist, client: Client, card: Mapping[str, Any], wanted: Expectation, measured: dict[str, Any]
) -> None:
    """Run the checks that send requests."""
    signature = card["signatures"][0]
    rows = sample_rows(card, 8)
    body = wanted.request or {"instances": rows if wanted.on_answer else rows[:1]}
    answers: list[Any] = []
    generated = not card.get("sample") and not wanted.request
    hint = (
        "The rows were generated from the signature. Give real rows: `mlpack build --sample` or `mlpack test --request`."
        if generated
        else ""
    )
    if not checklist.check("predict", lambda: _predicts(client, body, answers, generated=generated), hint=hint):
        return
    if wanted.on_answer is not None:
        wanted.on_answer(body, answers[0])
    count = len(body["instances"]) if isinstance(body, dict) and isinstance(body.get("instances"), list) else None
    checklist.check("dtype_shape_classes", lambda: _as_declared(answers[0], signature, count))
    if wanted.expected is not None:
        checklist.check(
            "expected",
            lambda: _equal(answers[0], wanted.expected, wanted.tolerance),
            hint="The answers differ from the expected ones. Was the model trained with the same version of the framework?",
        )
    for other in card["signatures"][1:]:
        checklist.check(f"method_{other['method']}", partial(_method, client, other, rows))
    tolerance = tolerance_of(card)
    checklist.check("repeatable", lambda: _repeatable(client, body, answers[0]))
    checklist.check(
        "batch_equals_singles",
        lambda: batch_equals_singles(client, rows if card.get("sample") else rows_for(signature, 8), tolerance),
        hint="The rows of a request influence each other's answers.",
    )
    checklist.check("concurrent", lambda: concurrent(client, rows, tolerance))
    checklist.check(
        "mixed_batch",
        lambda: mixed_batch(client, card),
        hint="Rows of batched requests influence each other's answers. Set `serve: {batch: off}`.",
    )
    for name, send, status in bad_requests(rows[0], card):
        checklist.check(name, partial(_refused, client, send, status))
    checklist.check("latency", lambda: _latency(client, {"instances": rows[:1]}, measured))


def _becomes_ready(running: Running, client: Client, began: float, limit_s: float, measured: dict[str, Any]) -> str:
    seen, pause = "no answer yet", 0.01
    while time.perf_counter() - began < limit_s:
        try:
            answer = client.get("/ready")
        except Unanswered as nothing:
            seen = str(nothing)
        else:
            if answer.status == 200:
                measured["cold_start_ms"] = round((time.perf_counter() - began) * 1000, 1)
                if (problem := unverified(answer.text, running.logs())) is not None:
                    raise FailedCheckError(problem.reason, hint=problem.hint)
                return f"{measured['cold_start_ms']:.0f} ms after the start"
            seen = f"GET /ready answers {answer.status} {answer.text[:300]}"
        if not running.alive():
            raise _exited_early(running)
        time.sleep(pause)
        pause = min(pause * 1.3, 0.25)
    raise FailedCheckError(f"not ready after {limit_s:.0f} s: {seen}")


def _exited_early(running: Running) -> FailedCheckError:
    """The failure of a service that ended before it was ready, with the reason in its log and the hint for it."""
    ended = running.stop(grace_s=0)
    found = None if ended.oom_killed else diagnose(running.logs())
    if found is None:
        return FailedCheckError(f"it exited before it was ready: {_exit_text(ended)}")
    return FailedCheckError(f"it exited before it was ready: {found.reason}", hint=found.hint)


def _predicts(client: Client, body: Any, answers: list[Any], *, generated: bool) -> str:
    answer = client.post("/predict", body)
    if answer.status != 200:
        raise FailedCheckError(f"{answer.status} {answer.text[:500]}")
    value = answer.json()
    if not isinstance(value, dict) or not isinstance(value.get("predictions"), list):
        raise FailedCheckError(f"no predictions in {answer.text[:200]}")
    if not says_nothing(value["predictions"]):
        answers.append(value)
        return answer.text[:80]
    if generated:  # rows of the user may well have such an answer
        raise FailedCheckError(f"the answer is empty or null, which proves nothing: {answer.text[:200]}")
    answers.append(value)
    return f"the answer is empty or null, which proves nothing: give other rows with --sample; {answer.text[:80]}"


def _as_declared(answer: dict[str, Any], signature: Mapping[str, Any], rows: int | None) -> str:
    predictions = answer["predictions"]
    if rows is not None and len(predictions) != rows:
        raise FailedCheckError(f"the request had {rows} rows, the answer has {len(predictions)}")
    outputs = signature["outputs"]
    if outputs[0]["name"] in signature.get("raw", ()):
        return f"{len(predictions)} rows; their form is that of your own code"
    columns = columns_of(predictions, outputs)
    if columns is None:
        raise FailedCheckError(f"a row does not contain the outputs {[output['name'] for output in outputs]}")
    classes = signature["classes"] if signature["method"] == "predict" else None
    for output, values in zip(outputs, columns, strict=True):
        wrong = problem_with(values, output, classes)
        if wrong:
            raise FailedCheckError(f"{output['name']}: {wrong}" if len(outputs) > 1 else wrong)
    declared = ", ".join(f"{output['dtype']} {output['shape']}" for output in outputs)
    return declared + (f", one of {len(classes)} classes" if classes else "")


def _equal(answer: dict[str, Any], expected: Any, tolerance: float) -> str:
    wanted = expected.get("predictions", expected) if isinstance(expected, dict) else expected
    found = difference(answer["predictions"], wanted, tolerance)
    if found:
        raise FailedCheckError(found)
    return f"{len(wanted)} equal within {tolerance:g}"


def _method(client: Client, signature: Mapping[str, Any], rows: list[Any]) -> str:
    answer = client.post(f"/predict?method={signature['name']}", {"instances": rows})
    if answer.status != 200:
        raise FailedCheckError(f"{answer.status} {answer.text[:300]}")
    return _as_declared(answer.json(), signature, len(rows))


def _repeatable(client: Client, body: Any, first: Any) -> str:
    for _ in range(3):
        again = client.post("/predict", body)
        if again.status != 200 or again.json() != first:
            raise FailedCheckError(f"{again.status} {again.text[:200]} after {json.dumps(first)[:200]}")
    return "same input, same output, 4 times"


def _refused(client: Client, send: Send, status: int) -> str:
    answer = send(client)
    if answer.status != status:
        raise FailedCheckError(f"expected {status}, got {answer.status} {answer.text[:300]}")
    try:
        error = answer.json()["error"]
    except (ValueError, KeyError, TypeError):
        raise FailedCheckError(f"{status} without a JSON error: {answer.text[:200]}") from None
    if client.get("/ready").status != 200:
        raise FailedCheckError("the service was not ready afterwards")
    return f"{status} {error.get('message', '') if isinstance(error, dict) else error}"[:100]


def _latency(client: Client, body: Any, measured: dict[str, Any]) -> str:
    times = []
    for _ in range(200):
        began = time.perf_counter()
        if (answer := client.post("/predict", body)).status != 200:
            raise FailedCheckError("a repeated request failed")
        times.append((time.perf_counter() - began) * 1000)
    times.sort()
    measured["golden"] = {"request": body, "answer": answer.json()}
    measured["latency_ms"] = {"p50": round(times[len(times) // 2], 2), "p99": round(times[int(len(times) * 0.99)], 2)}
    return "p50 {p50} ms, p99 {p99} ms, one request at a time".format(**measured["latency_ms"])


def _logs_are_json(log: str) -> str:
    wrong = problem_with_log(log)
    if wrong:
        raise FailedCheckError(wrong)
    return f"{len(log.strip().splitlines())} lines"


def _stops(running: Running) -> str:
    if not running.alive():
        raise FailedCheckError(f"it had already exited: {_exit_text(running.stop(grace_s=0))}")
    ended: Exit = running.stop(grace_s=10)
    if ended.oom_killed or ended.code != 0:
        raise FailedCheckError(f"{_exit_text(ended)} after {ended.seconds:.1f} s")
    return f"exit 0 after {ended.seconds:.1f} s"


def _exit_text(ended: Exit) -> str:
    return "out of memory (raise `--memory`)" if ended.oom_killed else f"exit code {ended.code}"
