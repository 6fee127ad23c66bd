"""The private engine: a containerd and a dockerd that share nothing with the machine's own."""

from __future__ import annotations

import json
from pathlib import Path

from .bridge import bridge_name, keep_bridge, outer_mtu, remove_bridge
from .mounts import unmount_below
from .processes import Service, keep_running, running, stop
from .shell import which
from .state import State
from .web import engine_answers, listens

CONTAINERD = "containerd"
DOCKERD = "dockerd"
_KEPT_CACHE = "20GB"  # of build steps; frameworks' environments are a gigabyte each, and disks fill up


def keep_engine(state: State, mirror: int) -> None:
    """Let containerd and dockerd run."""
    keep_bridge(state)
    keep_running(state, _containerd(state))
    if was_killed(state):
        # dockerd would trust the number in it, whoever has it now.
        _pid_file(state).unlink()
    keep_running(state, _dockerd(state, mirror))


def was_killed(state: State) -> bool:
    """Tell whether dockerd ended without its farewell, so that its containers may run on."""
    return _pid_file(state).exists() and not running(state, DOCKERD)


def stop_engine(state: State, mirror: int) -> None:
    """Stop both; dockerd ends its containers, for which one that was killed comes back once more."""
    if was_killed(state):
        keep_engine(state, mirror)
    stop(state, DOCKERD)
    stop(state, CONTAINERD)
    for folder in (_data(state), state.run):
        unmount_below(folder)
    remove_bridge(state)


def _containerd(state: State) -> Service:
    config = state.root / "containerd.toml"
    socket = state.run / "containerd.sock"
    return Service(
        name=CONTAINERD,
        argv=(which("containerd") or "containerd", "--config", str(config)),
        config=config,
        text=(
            "version = 2\n"
            f"root = {json.dumps(str(state.root / 'containerd'))}\n"
            f"state = {json.dumps(str(state.run / 'containerd'))}\n"
            'disabled_plugins = ["io.containerd.grpc.v1.cri"]\n'
            f"[grpc]\naddress = {json.dumps(str(socket))}\n"
        ),
        answers=lambda: listens(socket),
    )


def _dockerd(state: State, mirror: int) -> Service:
    config = state.root / "daemon.json"
    return Service(
        name=DOCKERD,
        argv=(which("dockerd") or "dockerd", "--config-file", str(config)),
        config=config,
        text=json.dumps(
            {
                "hosts": [state.host],
                "data-root": str(_data(state)),
                "exec-root": str(state.run / "docker"),
                "pidfile": str(_pid_file(state)),
                "containerd": str(state.run / "containerd.sock"),
                "bridge": bridge_name(state),
                "mtu": outer_mtu(),
                "registry-mirrors": [f"http://127.0.0.1:{mirror}"],
                "builder": {"gc": {"enabled": True, "defaultKeepStorage": _KEPT_CACHE}},
            },
            indent=1,
        ),
        answers=lambda: engine_answers(state.socket),
    )


def _pid_file(state: State) -> Path:
    """Give dockerd's own note of its pid, which it removes at an orderly end."""
    return state.run / "docker.pid"


def _data(state: State) -> Path:
    return state.root / "docker"
