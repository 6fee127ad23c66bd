"""The local Cloud Run for a test: its variables, its faults on demand, its containers; and clients that never stop asking."""

from __future__ import annotations

import http.client
import json
import os
import shlex
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.integration.cli import Done, mlpack, refused, told

ROOT = Path(__file__).parents[2]
PROJECT, REGION = "demo", "europe-west1"
WHERE = ("--target", "cloudrun", "--project", PROJECT, "--region", REGION)


@dataclass(frozen=True, kw_only=True)
class Cloud:
    """A running stand-in: `env` is what its users' shells have."""

    env: Mapping[str, str]

    @property
    def endpoint(self) -> str:
        """Its address, without a slash at the end."""
        return self.env["CLOUDSDK_API_ENDPOINT_OVERRIDES_RUN"].rstrip("/")

    def told(self, *words: str | Path, cwd: Path) -> dict[str, Any]:
        """The document of a command that must succeed."""
        return told(*words, cwd=cwd, env=self.env)

    def refused(self, exit_code: int, code: str, *words: str | Path, cwd: Path) -> dict[str, Any]:
        """The document of a command that must fail so."""
        return refused(exit_code, code, *words, cwd=cwd, env=self.env)

    def run(self, *words: str | Path, cwd: Path, **env: str) -> Done:
        """A command, whatever comes of it."""
        return mlpack(*words, cwd=cwd, env={**self.env, **env})

    def arm(self, kind: str, **details: Any) -> None:
        """A fault from now on."""
        self.ask("/standin/faults", {"kind": kind, **details})

    def disarm(self) -> None:
        """No faults any more."""
        self.ask("/standin/faults", method="DELETE")

    def containers(self, service: str) -> list[str]:
        """The ids of the containers that run for a service."""
        found = self.ask("/standin/containers")
        return [str(one["id"]) for name, pool in found.items() if f"/services/{service}/" in name for one in pool]

    def service(self, name: str) -> dict[str, Any]:
        """The service as the Admin API tells it."""
        path = f"/v2/projects/{PROJECT}/locations/{REGION}/services/{name}"
        found: dict[str, Any] = self.ask(path, token=self.access_token())
        return found

    def access_token(self) -> str:
        """A new access token of the service account."""
        return str(self.ask("/standin/access-token")["access_token"])

    def ask(self, path: str, body: Any = None, *, method: str | None = None, token: str = "") -> Any:
        """The answer's JSON."""
        request = urllib.request.Request(
            self.endpoint + path,
            None if body is None else json.dumps(body).encode(),
            {"Authorization": f"Bearer {token}"} if token else {},
            method=method,
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.loads(answer.read())


@dataclass(kw_only=True)
class Asked:
    """What the clients saw: how many answers, and every failure."""

    answers: int = 0
    failures: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, wrong: str) -> None:
        """One answer."""
        with self.lock:
            self.answers += 1
            if wrong:
                self.failures.append(wrong)


@contextmanager
def asking(
    url: str, body: Any, expected: Any, *, rate: int = 50, clients: int = 10, limit_s: float = 240
) -> Iterator[Asked]:
    """Clients that ask all the time, together so many times a second, and note every answer that is not the expected one."""
    asked, ended = Asked(), threading.Event()
    threads = [
        threading.Thread(
            target=_client, args=(url, body, expected, asked, ended, clients / rate, number / rate, limit_s)
        )
        for number in range(clients)
    ]
    for thread in threads:
        thread.start()
    try:
        yield asked
    finally:
        ended.set()
        for thread in threads:
            thread.join()


def _client(
    url: str, body: Any, expected: Any, asked: Asked, ended: threading.Event, pause: float, start: float, limit_s: float
) -> None:
    parts, payload = urlsplit(url), json.dumps(body)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=30)
    begin = time.monotonic() + start
    turn = 0
    while not ended.is_set() and time.monotonic() - begin < limit_s:
        time.sleep(max(0.0, begin + turn * pause - time.monotonic()))
        turn = max(turn + 1, int((time.monotonic() - begin) / pause))  # late turns are left out, not caught up with
        try:
            connection.request("POST", "/predict", payload, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            text = answer.read().decode()
            wrong = "" if answer.status == 200 and json.loads(text) == expected else f"{answer.status} {text[:200]}"
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            wrong = f"{type(error).__name__} {error}"
        asked.note(wrong)
    connection.close()


def start_cloud() -> Cloud:
    """The stand-in of this clone, started where it does not run."""
    started = subprocess.run(
        [sys.executable, "-m", "tests.standins.cloudrun", "start"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    words = (word.partition("=") for word in shlex.split(started.stdout))
    return Cloud(env={name: value for name, equals, value in words if equals})


def stop_cloud() -> None:
    """Its end, and that of its containers."""
    subprocess.run(
        [sys.executable, "-m", "tests.standins.cloudrun", "stop"], cwd=ROOT, check=True, env=dict(os.environ)
    )
