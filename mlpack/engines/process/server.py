"""A bundle's server as a process of this machine, confined as far as that is possible without a container."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from mlpack.artifacts.bundle import Bundle
from mlpack.engines.base import Exit, Limits, Stats
from mlpack.engines.process.account import Account, serving_account
from mlpack.engines.process.output import KeptOutput
from mlpack.engines.process.resident import ResidentMemory, threads_of
from mlpack.engines.process.unpacked import unpacked
from mlpack.errors import EngineError

_LOOPBACK = "127.0.0.1"
_FILES = 4096
_POLL_S = 0.005
# What the loader of shared libraries may need to start Python at all; nothing else is inherited.
_INHERITED = ("LD_LIBRARY_PATH",)


@contextlib.contextmanager
def serve_bundle(
    bundle: Bundle, python: Path, *, limits: Limits, env: Mapping[str, str], host_port: int = 0
) -> Iterator[ProcessRunning]:
    """A running server of the bundle on 127.0.0.1 only, ended and its files removed on leaving the `with`.

    `python` belongs to an environment that holds the bundle's packages. The model is loaded on this machine: the caller must
    have checked that it is safe or trusted. It runs as the limits' user when this process is root, in a session of its own,
    and ends with the thread that calls this, even when that is killed. PORT is `host_port`, or any free port. Of the limits
    `cpus`, `read_only` and `tmp_bytes` do not hold here. Raises EngineError (port taken, no start), EngineUnavailableError
    (not Linux), DiskFullError.
    """
    account = serving_account(limits.user)
    with _reserved(host_port) as free, unpacked(bundle, account) as folder:
        running = ProcessRunning(
            _start(python, folder, account, limits, {**env, "PORT": str(free)}),
            f"http://{_LOOPBACK}:{free}",
            limits.memory,
        )
        try:
            yield running
        finally:
            running.kill()


class ProcessRunning:
    """A server process: `url` reaches it from here, `pid` is its process and its group."""

    def __init__(self, process: subprocess.Popen[bytes], url: str, memory: int | None) -> None:
        self.url = self.address = url
        self.pid = process.pid
        self._process = process
        self._ended: Exit | None = None
        assert process.stdout is not None  # noqa: S101  # it was started with a pipe
        self._output = KeptOutput(process.stdout)
        self._memory = ResidentMemory(process.pid, memory, self._kill_group)
        self._memory.start()

    def stats(self) -> Stats:
        """What it has used so far, a last look included."""
        self._memory.look()
        return Stats(peak_memory=self._memory.peak)

    def logs(self) -> str:
        """The last 16 MiB of all it has written, stdout and stderr in their order."""
        return self._output.text()

    def alive(self) -> bool:
        """Whether it still runs."""
        return self._ended is None and not self._is_over()

    def stop(self, *, grace_s: float) -> Exit:
        """SIGTERM, then SIGKILL after `grace_s`; return how it ended (128 + N: by signal N)."""
        if self._ended is None:
            self._memory.look()  # afterwards nothing is to be seen
            began = time.monotonic()
            os.kill(self.pid, signal.SIGTERM)
            while not self._is_over() and time.monotonic() - began < grace_s:
                time.sleep(_POLL_S)
            return self._reap(began)
        return self._ended

    def kill(self) -> None:
        """SIGKILL for it and all that it started; no more than that when it has ended. Ctrl-C does not keep it from it."""
        try:
            self._reap(time.monotonic())
        except KeyboardInterrupt:
            self._reap(time.monotonic())
            raise

    def _reap(self, began: float) -> Exit:
        if self._ended is None:
            self._memory.stop()
            # Not waited for yet, its number is still its own: the group that is killed cannot be another's.
            self._kill_group()
            code = self._process.wait()
            self._output.finish(2)
            self._ended = Exit(
                code=code if code >= 0 else 128 - code,
                oom_killed=self._memory.exceeded,
                seconds=time.monotonic() - began,
            )
        return self._ended

    def _is_over(self) -> bool:
        """Whether it has ended, without taking note of it, which would give its number away."""
        return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None

    def _kill_group(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)


@contextlib.contextmanager
def _reserved(port: int) -> Iterator[int]:
    """A port that is reserved during the `with`; 0 is any free one.

    Bound and not listening, both with SO_REUSEADDR, ours does not keep the server from it (Linux, socket(7)).
    """
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            holder.bind((_LOOPBACK, port))
        except OSError as error:
            raise EngineError(
                f"port {port} on this machine cannot be used: {error.strerror}",
                hint="Choose another one with `--port`.",
            ) from error
        yield int(holder.getsockname()[1])


def _start(
    python: Path, folder: Path, account: Account, limits: Limits, env: Mapping[str, str]
) -> subprocess.Popen[bytes]:
    """The process, confined before it runs a line of the model's world."""
    confined = folder / "app" / ".confined.py"
    confined.write_bytes(Path(__file__).with_name("confined.py").read_bytes())
    confined.chmod(0o644)
    threads = threads_of(account.uid) + (limits.pids or 1024)
    command = [python, "-I", "-S", confined, os.getpid(), threads, _FILES, python, "serve.py", "--host", _LOOPBACK]
    try:
        return subprocess.Popen(
            [str(word) for word in command],
            cwd=folder / "app",
            env={**_environment(python, folder), **env},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            umask=0o077,
            user=account.uid if account.dropped else None,
            group=account.gid if account.dropped else None,
            extra_groups=() if account.dropped else None,
        )
    except OSError as error:
        raise EngineError(
            f"the process did not start: {error}",
            hint=f"User {account.uid} must be able to run {python.resolve()}.",
        ) from error


def _environment(python: Path, folder: Path) -> dict[str, str]:
    """The environment of the image's process; nothing of this process's environment, which may contain secrets."""
    return {
        "PATH": f"{python.parent}:/usr/local/bin:/usr/bin:/bin",
        "HOME": str(folder / "tmp"),
        "TMPDIR": str(folder / "tmp"),
        "LANG": "C.UTF-8",
        "PYTHONUNBUFFERED": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        **{name: os.environ[name] for name in _INHERITED if name in os.environ},
    }
