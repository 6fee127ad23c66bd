"""Waiting until a service on this machine is ready."""

from __future__ import annotations

import time

from mlpack.artifacts.diagnosis import Diagnosis, diagnose, unverified
from mlpack.checks.client import Client, Unanswered
from mlpack.engines.base import Running
from mlpack.errors import CheckFailedError


def wait_ready(running: Running, *, limit_s: float = 240) -> Diagnosis | None:
    """Wait until the service is ready; return why its model has answered no row yet, None if it has.

    Raises CheckFailedError with the reason and the log if the service ends or the time is over.
    """
    began = time.monotonic()
    seen = "no answer"
    with Client(running.url) as client:
        while time.monotonic() - began < limit_s and running.alive():
            try:
                answer = client.get("/ready")
            except Unanswered as nothing:
                seen = str(nothing)
            else:
                if answer.status == 200:
                    return unverified(answer.text, running.logs())
                seen = answer.text[:300]
            time.sleep(0.05)
    log = running.logs()
    found = None if running.alive() else diagnose(log)
    if found is not None:
        raise CheckFailedError(found.reason, hint=found.hint or "The log above shows more.", detail=log[-6000:])
    ended = "" if running.alive() else "it ended; "
    raise CheckFailedError(f"not ready: {ended}{seen}", hint="The log above shows the reason.", detail=log[-6000:])
