"""Stand-ins for python:X.Y-slim: a small Debian with its Python, made by mmdebstrap."""

from __future__ import annotations

import datetime as dt
import time
from pathlib import Path
from typing import Any

from .errors import EngineError
from .layer import Layer, write_layer
from .publish import is_published, publish
from .shell import run, say
from .state import State, locked
from .workshop import workshop

# The Debian whose own Python it is.
SUITES = {"3.9": "bullseye", "3.11": "bookworm", "3.13": "trixie"}
PACKAGES = ("python3", "python3-pip", "python3-venv", "ca-certificates", "netbase", "tzdata")
REPOSITORY = "library/python"
PATH = "/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin"
# Debian's names of machines, in the words of images.
PLATFORMS = {
    "amd64": {"architecture": "amd64"},
    "arm64": {"architecture": "arm64", "variant": "v8"},
}


def keep_base(state: State, mirror: int, python: str) -> None:
    """Let the mirror have python:X.Y-slim."""
    if python not in SUITES:
        raise EngineError(f"There is no stand-in for Python {python}.", f"Take {', '.join(SUITES)}.")
    tag = f"{python}-slim"
    with locked(state, f"base-{python}"):
        if is_published(mirror, REPOSITORY, tag):
            return
        begin = time.monotonic()
        say(f"makes a stand-in for python:{tag} of Debian {SUITES[python]}")
        with workshop(state.tmp / f"base-{python}") as folder:
            layer = _make(folder, python)
            publish(mirror, REPOSITORY, tag, config=_config(python, layer), layer=layer)
        say(f"python:{tag} is there ({time.monotonic() - begin:.0f} s)")


def _make(folder: Path, python: str) -> Layer:
    suite = SUITES[python]
    archive = _archive()
    debian = folder / "debian.tar"
    argv = [
        "mmdebstrap",
        "--quiet",
        "--mode=root",
        "--variant=minbase",
        f"--include={','.join(PACKAGES)}",
        # /usr merged from the start; the package that would merge it later brings 50 MB of perl.
        "--hook-dir=/usr/share/mmdebstrap/hooks/maybe-merged-usr",
        "--dpkgopt=force-unsafe-io",
        suite,
        str(debian),
        f"deb {archive} {suite} main",
    ]
    run(argv, env={"TMPDIR": str(folder)})
    return write_layer(debian, folder / "layer.tar.gz", python=python, suite=suite, archive=archive)


def _archive() -> str:
    """Give the Debian archive that this machine's own apt uses."""
    form = "$(REPO_URI) $(RELEASE) $(COMPONENT) $(ORIGIN) $(LABEL)"
    targets = run(["apt-get", "indextargets", "--format", form, "Created-By: Packages"])
    for line in targets.splitlines():
        uri, *_, origin, label = line.split()
        if (origin, label) == ("Debian", "Debian"):
            return uri.rstrip("/")
    raise EngineError("apt knows no Debian archive.", "Name one in /etc/apt/sources.list, then `apt-get update`.")


def _config(python: str, layer: Layer) -> dict[str, Any]:
    machine = run(["dpkg", "--print-architecture"]).strip()
    now = dt.datetime.now(dt.timezone.utc).isoformat(timespec="seconds")
    return {
        "created": now,
        "os": "linux",
        **PLATFORMS.get(machine, {"architecture": machine}),
        "config": {
            "Env": [f"PATH={PATH}", "LANG=C.UTF-8"],
            "Cmd": ["python3"],
        },
        "rootfs": {"type": "layers", "diff_ids": [layer.diff_id]},
        "history": [{"created": now, "created_by": f"mmdebstrap {SUITES[python]}"}],
    }
