"""Find the Pythons on this machine with uv; none is downloaded."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from mlpack.errors import ResolveError
from mlpack.packages.pythons import SUPPORTED
from mlpack.packages.uvbin import uv_binary, without_uv
from mlpack.shell import run


@dataclass(frozen=True, kw_only=True)
class Interpreter:
    """An installed CPython: `python` is its minor version ("3.11"), `version` the full one ("3.11.7")."""

    path: Path
    python: str
    version: str


def interpreters(usable: Callable[[Path], bool]) -> tuple[Interpreter, ...]:
    """One for each supported minor version: this process's own first, then in the order of preference.

    `usable` tests whether the user of the local runner may execute a path. Raises ResolveError when there is none.
    """
    found = [running_interpreter(), *_found(usable)]
    by_minor: dict[str, Interpreter] = {}
    for one in found:
        if one.python in SUPPORTED and usable(one.path):
            by_minor.setdefault(one.python, one)
    if not by_minor:
        raise ResolveError(
            f"no Python on this machine can be run by an unprivileged user (tried {_listing(found)})",
            hint="Install one for all users, such as Debian's python3, or do not run mlpack as root.",
        )
    order = dict.fromkeys((found[0].python, *SUPPORTED))
    return tuple(by_minor[python] for python in order if python in by_minor)


def running_interpreter() -> Interpreter:
    """The Python of this process, or the base Python of its virtual environment; starts no process."""
    minor = f"{sys.version_info.major}.{sys.version_info.minor}"
    named = Path(sys.base_prefix) / "bin" / f"python{minor}"
    path = named if named.exists() else Path(getattr(sys, "_base_executable", sys.executable))
    return Interpreter(path=path, python=minor, version=platform.python_version())


def platform_here() -> str:
    """This machine as an image platform: `linux/amd64`. Raises ResolveError for an unsupported one."""
    machines = {"x86_64": "linux/amd64", "aarch64": "linux/arm64"}
    machine = platform.machine()
    if sys.platform != "linux" or machine not in machines or platform.libc_ver()[0] != "glibc":
        raise ResolveError(
            f"--engine process needs Linux with glibc on x86_64 or aarch64; this is {sys.platform} on {machine}",
            hint="Use a container engine: omit --engine.",
        )
    return machines[machine]


def _found(usable: Callable[[Path], bool]) -> Iterable[Interpreter]:
    """The Pythons that uv finds: on the accessible folders of PATH, and its own managed ones.

    uv starts each of them, which may take seconds for the shims of a version manager.
    """
    folders = [folder for folder in os.get_exec_path() if usable(Path(folder))]
    argv = [
        uv_binary(), "python", "list", "--only-installed", "--no-python-downloads", "--no-config", "--output-format", "json",
    ]  # fmt: skip
    try:
        done = run(argv, env={**without_uv(), "PATH": os.pathsep.join(folders) or os.defpath}, timeout_s=60)
        listed = json.loads(done.stdout) if done.code == 0 else []
    except (FileNotFoundError, subprocess.TimeoutExpired, ValueError):
        return
    for entry in listed:
        if (entry["implementation"], entry["variant"], entry["libc"]) == ("cpython", "default", "gnu"):
            parts = entry["version_parts"]
            python = f"{parts['major']}.{parts['minor']}"
            yield Interpreter(path=Path(entry["path"]), python=python, version=entry["version"])


def _listing(found: Iterable[Interpreter]) -> str:
    return ", ".join(dict.fromkeys(str(one.path) for one in found))
