"""The whole stand-in: every part made and joined, in one process, until it is told to end."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.ports import free_port

from .engine import Engine
from .faults import Faults
from .grpc_door import LOCAL, open_grpc
from .identity import Identity
from .inside import Inside
from .json_door import Asked, Extra, JsonDoor
from .knative import Knative
from .launching import Launching
from .metadata import Metadata
from .operations import Operations
from .registry import RegistryDoor, Tokens, start_registry
from .repositories import Repositories
from .revisions import Revisions
from .services import Services
from .surface import calls

PROJECT = "demo"


class StandIn:
    """Listens on `port` (Run, Artifact Registry, tokens, faults) and `registry_port` (images); what it keeps is in `folder`."""

    def __init__(self, folder: Path, port: int, registry_port: int, env: Mapping[str, str]) -> None:
        self.endpoint = f"http://127.0.0.1:{port}"
        self.registry = f"127.0.0.1:{registry_port}"
        self._stopping = threading.Event()
        self._idle = float(env.get("MLPACK_CLOUDRUN_IDLE", "60"))
        self.faults = Faults(env.get("MLPACK_CLOUDRUN_FAULTS", ""))
        self.identity = Identity(folder, PROJECT, self.endpoint, self.faults)
        self.engine = Engine(str(folder), Inside(self.identity))
        self.engine.remove_all()
        lock = threading.RLock()
        self._operations = operations = Operations(lock)
        self.repositories = Repositories(lock, operations, self.registry)
        self.launching = Launching(
            self.engine, self.faults, self._login, int(env.get("MLPACK_CLOUDRUN_INSTANCES", "2"))
        )
        self.revisions = Revisions(lock, operations, self.launching, self.endpoint)
        seed = env.get("MLPACK_CLOUDRUN_SEED")
        self.services = Services(
            lock, operations, self.revisions, self.identity, self.faults, int(seed) if seed else None
        )
        self.revisions.in_use = self.services.why_in_use
        self._open(folder, port, registry_port, float(env.get("MLPACK_CLOUDRUN_TOKEN_LIFE", "300")))

    def run(self) -> None:
        """Serve until SIGTERM or SIGINT, then leave nothing behind."""
        for each in (signal.SIGTERM, signal.SIGINT):
            signal.signal(each, lambda *_: self._stopping.set())
        try:
            while not self._stopping.wait(1):
                for pool in self.revisions.by_name().values():
                    pool.stop_if_idle(self._idle)
        finally:
            self.close()

    def close(self) -> None:
        """Stop the doors, the registry and every container."""
        self._grpc.stop(0)
        self._docker_registry.terminate()
        self._docker_registry.wait(10)
        self.engine.remove_all()

    def _open(self, folder: Path, port: int, registry_port: int, life: float) -> None:
        tokens = Tokens(self.identity, life)
        handlers = (
            self.services.handlers()
            | self.revisions.handlers()
            | self.repositories.handlers()
            | self._operations.handlers()
        )
        surface = calls(handlers)
        knative = Knative(self.services, self.revisions, self.identity)
        extras: list[Extra] = [
            self.identity.answer,
            tokens.answer,
            self.faults.answer,
            knative.answer,
            Metadata(self.identity).answer,
            self._answer,
        ]
        self._grpc, grpc_port = open_grpc(surface, self._guard)
        behind = free_port()
        realm = f"{self.endpoint}/registry/token"
        self._docker_registry = start_registry(folder, behind, realm, self.identity.certificate)
        self._registry_door = RegistryDoor(registry_port, behind, self.repositories.holds, self.faults)
        self._door = JsonDoor(port, surface, self._guard, extras, grpc_port)
        self._door.start()

    def _guard(self, login: str, call: str) -> None:
        if login != LOCAL:
            self.identity.check_access(login)
        self.faults.before(call)

    def _login(self, image: str) -> dict[str, str] | None:
        if not image.startswith(f"{self.registry}/"):
            return None
        return {"username": "oauth2accesstoken", "password": self.identity.access_token(600)}

    def _log_entries(self, asked: Asked) -> dict[str, Any]:
        """Cloud Logging's answer about one revision, the newest line first, as `orderBy: timestamp desc` asks."""
        self.identity.check_access(asked.login)
        revision = asked.json()["filter"].rpartition('revision_name="')[2].rstrip('"')
        named = next((name for name in self.launching.logs if name.endswith(f"/revisions/{revision}")), "")
        return {
            "entries": [{"textPayload": line} for line in reversed(self.launching.logs.get(named, "").splitlines())]
        }

    def _answer(self, asked: Asked) -> tuple[int, Any] | None:
        """What only a test asks: logs, containers, secrets, tokens."""
        if asked.path.startswith("/standin/logs/"):
            name = asked.path.removeprefix("/standin/logs/").rstrip("/")
            return 200, self.launching.log(name, self.revisions.pool(name))
        if asked.path == "/v2/entries:list" and asked.method == "POST":
            return 200, self._log_entries(asked)
        if asked.path == "/standin/containers":
            return 200, {
                name: [vars(instance) for instance in pool.instances()]
                for name, pool in self.revisions.by_name().items()
            }
        if asked.path == "/standin/secrets" and asked.method == "PUT":
            self.launching.secrets.update(asked.json())
            return 200, sorted(self.launching.secrets)
        if asked.path == "/standin/id-token":
            return 200, {"id_token": self.identity.id_token(asked.query["audience"], asked.query.get("email", ""))}
        if asked.path == "/standin/access-token":
            return 200, {"access_token": self.identity.access_token()}
        return (200, {"ok": True, "pid": os.getpid()}) if asked.path == "/standin/health" else None
