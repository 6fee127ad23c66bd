"""Debian packages, installed without starting, stopping or enabling anybody's service."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from .errors import EngineError
from .shell import run, say, which

# What dpkg's maintainer scripts ask before they start a service; 101 means "forbidden".
POLICY = Path("/usr/sbin/policy-rc.d")
ASIDE = POLICY.with_name("policy-rc.d.before-mlpack")
FORBID = "#!/bin/sh\n# Written by mlpack's test engine for the time of one apt-get install.\nexit 101\n"

# A program, and the package that brings it.
ENGINE = {
    "dockerd": "docker.io",
    "docker-registry": "docker-registry",
    "mmdebstrap": "mmdebstrap",
    "ip": "iproute2",
}
REGISTRY = {"docker-registry": "docker-registry"}
UNITS = ("docker.socket", "docker.service", "containerd.service", "docker-registry.service")


def can_install() -> bool:
    """Tell whether this is a Debian that we may install on."""
    return os.geteuid() == 0 and Path("/etc/debian_version").exists() and bool(which("apt-get"))


def install(programs: dict[str, str]) -> None:
    """Bring the programs that are missing."""
    if can_install():
        # An install that was killed could not do it.
        _give_policy_back()
    packages = [package for program, package in programs.items() if not which(program)]
    if not packages:
        return
    if not can_install():
        raise EngineError(
            f"No docker engine answers, and {', '.join(packages)} can only be installed on Debian as root.",
            "Start a docker engine, or point DOCKER_HOST at one.",
        )
    say(f"installs {', '.join(packages)} by apt-get")
    fresh = [unit for unit in UNITS if not _unit_exists(unit)]
    with _services_left_alone():
        _apt(packages)
    # A package enables its units for the next boot; the ones that came with us shall not run there.
    if which("systemctl"):
        for unit in filter(_unit_exists, fresh):
            with contextlib.suppress(EngineError):
                run(["systemctl", "disable", "--quiet", unit])


def _apt(packages: Sequence[str]) -> None:
    env = {"DEBIAN_FRONTEND": "noninteractive", "NEEDRESTART_SUSPEND": "1"}
    wait = ["-o", "DPkg::Lock::Timeout=300"]
    try:
        run(["apt-get", "-qq", "update", *wait], env=env)
    except EngineError as error:
        # One broken source of the user's needs not keep us from what the others have.
        say(f"apt-get update: {error}")
    run(["apt-get", "-qq", "-y", "--no-install-recommends", *wait, "install", *packages], env=env)


@contextlib.contextmanager
def _services_left_alone() -> Iterator[None]:
    if POLICY.exists():
        POLICY.rename(ASIDE)
    try:
        POLICY.write_text(FORBID)
        POLICY.chmod(0o755)
        yield
    finally:
        _give_policy_back()


def _give_policy_back() -> None:
    with contextlib.suppress(FileNotFoundError):
        if POLICY.read_text() == FORBID:
            POLICY.unlink()
    if ASIDE.exists() and not POLICY.exists():
        ASIDE.rename(POLICY)


def _unit_exists(unit: str) -> bool:
    folders = ("/lib/systemd/system", "/etc/systemd/system")
    return any(Path(folder, unit).exists() for folder in folders)
