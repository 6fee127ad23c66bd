"""The private engine: a containerd and a dockerd that share nothing with the machine's own."""

from __future__ import annotations

import json

from .bridge import bridge_name, keep_bridge, outer_mtu, remove_bridge
from .processes import Service, keep_running, running, stop
from .shell import which
from .state import State
from .web import engine_answers, listens

CONTAINERD = "containerd"
DOCKERD = "dockerd"


def keep_engine(state: State, mirror: int) -> None:
    """Let containerd and dockerd run."""
    keep_bridge(state)
    keep_running(state, _containerd(state))
    if not running(state, DOCKERD):
        # Left by a kill -9: dockerd would trust the number in it, whoever has it now.
        (state.run / "docker.pid").unlink(missing_ok=True)
    keep_running(state, _dockerd(state, mirror))


def stop_engine(state: State) -> None:
    """Stop both; dockerd stops its containers first."""
    stop(state, DOCKERD)
    stop(state, CONTAINERD)
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
                "data-root": str(state.root / "docker"),
                "exec-root": str(state.run / "docker"),
                "pidfile": str(state.run / "docker.pid"),
                "containerd": str(state.run / "containerd.sock"),
                "bridge": bridge_name(state),
                "mtu": outer_mtu(),
                "registry-mirrors": [f"http://127.0.0.1:{mirror}"],
            },
            indent=1,
        ),
        answers=lambda: engine_answers(state.socket),
    )
