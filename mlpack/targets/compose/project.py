"""A compose project: its file, and the `docker compose` or `docker-compose` that runs it."""

from __future__ import annotations

import contextlib
import re
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from functools import cache
from pathlib import Path

from mlpack.artifacts.diagnosis import diagnose
from mlpack.errors import DeployError
from mlpack.shell import Output, run

_START_S = 240
_COMMAND_S = 300
_HEALTH_CHECK = ("/opt/venv/bin/python", "-m", "mlpack.runtime.healthcheck")
_OTHER_PORT = "Choose another one: `--set port=8081`, or `deploy: {compose: {port: 8081}}` in mlpack.yaml."
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Project:
    """One project by its name and file; `start` writes the file and runs it, `end` removes both."""

    def __init__(self, name: str, file: Path) -> None:
        self.name = name
        self.file = file

    def text(self) -> str | None:
        """The text of the file, None if it does not exist."""
        return self.file.read_text(encoding="utf-8") if self.file.is_file() else None

    def start(self, text: str, url: str) -> None:
        """Start the service and wait until it is ready; raises DeployError with its log if it is not."""
        self.write(text)
        self.create("--remove-orphans", url=url)
        self.wait(lambda: is_ready(url), url)

    def write(self, text: str) -> None:
        """Write the file."""
        self.file.parent.mkdir(parents=True, exist_ok=True)
        self.file.write_text(text, encoding="utf-8", newline="\n")

    def create(self, *words: str, url: str) -> None:
        """Create and start containers as the file says; `words` are options and services of `up`. Raises DeployError."""
        done = self._compose("up", "-d", *words)
        if done.code:
            raise _failure(done, url)

    def stop(self, *services: str) -> None:
        """Stop the containers of services, which end the requests that they have, and remove them. Raises DeployError."""
        done = self._compose("rm", "--stop", "--force", *services)
        if done.code:
            raise DeployError(
                f"{', '.join(services)} did not stop: {_last(done)}", hint=f"See {self.file}.", detail=done.stderr
            )

    def wait(self, ready: Callable[[], bool], what: str, service: str = "") -> None:
        """Wait until it is ready; raises DeployError if its container ends before, or after some minutes."""
        until = time.monotonic() + _START_S
        while time.monotonic() < until:
            if ready():
                return
            if not self.up(service):
                raise self._ended(service)
            time.sleep(0.2)
        raise DeployError(
            f"{what} was not ready within {_START_S} s",
            hint="Its log is above.",
            detail=self.logs(service),
            code="deploy_slow_start",
        )

    def ready_inside(self, service: str) -> bool:
        """Whether a service without a published port is ready: its own health check says so."""
        return self._compose("exec", "-T", service, *_HEALTH_CHECK).code == 0

    def up(self, service: str = "") -> bool:
        """Whether the container of a service, by default of the only one, is running (not in a restart loop)."""
        if not self.file.is_file():
            return False
        running, restarting = self.running(), self._in("restarting")  # docker-compose counts a restarting one as both
        return service in running and service not in restarting if service else bool(running) and not restarting

    def running(self) -> list[str]:
        """The services whose containers are running."""
        return self._in("running")

    def _in(self, state: str) -> list[str]:
        return self._compose("ps", "--services", "--filter", f"status={state}").stdout.split()

    def logs(self, service: str = "") -> str:
        """The last lines that a service, by default the only one, wrote."""
        words = [service] if service else []
        return without_controls(self._compose("logs", "--no-color", "--tail", "60", *words).stdout)[-6000:]

    def end(self) -> None:
        """Remove the container and the file; if they do not exist, this is no error."""
        if not self.file.is_file():
            return
        done = self._compose("down", "--remove-orphans", "--timeout", "10")
        if done.code:
            raise DeployError(f"{self.name} did not stop: {_last(done)}", hint=f"See {self.file}.", detail=done.stderr)
        self.file.unlink(missing_ok=True)

    def _ended(self, service: str = "") -> DeployError:
        name, words = service or self.name, [service] if service else []
        if " 137" in self._compose("ps", "-a", *words).stdout.replace("(137)", " 137"):  # what SIGKILL leaves
            return DeployError(
                f"the container of {name} was killed before it was ready: it ran out of memory",
                hint="Raise the limit, such as --memory 512m; `mlpack test` reports the peak memory.",
                detail=self.logs(service),
                code="deploy_memory",
            )
        log = self.logs(service)
        found = diagnose(log)
        reason = f": {found.reason}" if found else ""
        hint = found.hint if found and found.hint else "Its log is above; `mlpack test` checks the image."
        return DeployError(
            f"the container of {name} exited before it was ready{reason}",
            hint=hint,
            detail=log,
            code="deploy_start",
        )

    def _compose(self, *words: str) -> Output:
        argv = [*command(), "-p", self.name, "-f", str(self.file), *words]
        try:
            return run(argv, timeout_s=_COMMAND_S)
        except subprocess.TimeoutExpired:
            raise DeployError(
                f"`{' '.join(argv)}` did not finish within {_COMMAND_S} s", hint="Check the engine: `mlpack doctor`."
            ) from None


def without_controls(text: str) -> str:
    """The text without terminal control sequences: compose 2 writes them even without a terminal."""
    return _CONTROL.sub("", text)


def is_ready(url: str) -> bool:
    """Whether `/ready` answers 200."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"{url}/ready", timeout=5) as answer:
            return bool(answer.status == 200)
    except (OSError, ValueError, urllib.error.URLError):
        return False


def free_port() -> int:
    """A free port on 127.0.0.1."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def refuse_taken(port: int | None, hint: str = _OTHER_PORT) -> None:
    """Raise DeployError with this hint if the port is in use, before anything is started."""
    with socket.socket() as one:
        if port is not None and one.connect_ex(("127.0.0.1", port)) == 0:
            raise DeployError(
                f"port {port} on this machine is in use",
                hint=hint,
                code="deploy_taken",
            )


@cache
def command() -> tuple[str, ...]:
    """The installed compose: Docker's plugin, else docker-compose; raises DeployError if there is neither."""
    for argv in (("docker", "compose"), ("docker-compose",)):
        with contextlib.suppress(FileNotFoundError, subprocess.TimeoutExpired):
            if run([*argv, "version"], timeout_s=30).code == 0:
                return argv
    raise DeployError(
        "neither `docker compose` nor `docker-compose` is installed",
        hint="Install Docker's compose plugin, or docker-compose (on Debian: apt-get install docker-compose).",
        code="deploy_no_compose",
    )


def _failure(done: Output, url: str) -> DeployError:
    text = done.stderr.lower()
    if "port is already allocated" in text or "address already in use" in text:
        return DeployError(
            f"the port of {url} is in use",
            hint="Choose another one: `deploy: {compose: {port: 8081}}`.",
            detail=done.stderr,
            code="deploy_taken",
        )
    return DeployError(
        f"compose could not start the container: {_last(done)}", hint="Its output is above.", detail=done.stderr
    )


def _last(done: Output) -> str:
    lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
    return lines[-1][:300] if lines else f"exit code {done.code}"
