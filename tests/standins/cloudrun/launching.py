"""How a revision's container comes up: its variables and secrets, its limits, its probe, and the words when it does not."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from . import checks, sizes
from .conditions import Failure
from .engine import Engine, Instance
from .faults import Fault, Faults
from .pools import Pool

HELP = (
    "For more troubleshooting guidance, see https://cloud.google.com/run/docs/troubleshooting#container-failed-to-start"
)


class Launching:
    """Makes pools. `login` gives a fresh registry login for an image, `secrets` holds the project's secrets by name."""

    def __init__(
        self, engine: Engine, faults: Faults, login: Callable[[str], dict[str, str] | None], most: int
    ) -> None:
        self.engine, self._faults, self._login, self._most = engine, faults, login, most
        self.secrets: dict[str, str] = {}
        self.logs: dict[str, str] = {}

    def pool(self, revision: Any) -> Pool:
        """A revision's pool with the image pulled and the first instance running; Failure tells why not."""
        main = checks.serving(revision)
        self._strike_before_pull(main.image)
        image = self.engine.pull(main.image, self._login(main.image))
        main.image = image
        environment = self._environment(revision, main)
        fault = self._faults.strike("out-of-memory")
        memory = (
            int(fault.details.get("bytes", 16 << 20)) if fault else sizes.memory_bytes(main.resources.limits["memory"])
        )
        stuck = self._faults.strike("never-starts")
        pool = Pool(
            revision,
            lambda: self._launch(revision, image, environment, memory, stuck),
            lambda instance: self._end(revision, instance),
            self._most,
        )
        pool.ensure()
        return pool

    def log(self, revision: str, pool: Pool | None) -> str:
        """All that a revision's instances said, the ended ones' first."""
        running = [self.engine.logs(each.id) for each in pool.instances()] if pool else []
        return self.logs.get(revision, "") + "".join(running)

    def _strike_before_pull(self, image: str) -> None:
        if self._faults.strike("image-gone"):
            raise Failure(f"Image '{image}' not found.", reason="CONTAINER_MISSING", part="ContainerReady")
        if self._faults.strike("gpu-quota"):
            raise Failure(
                "Quota exceeded for total allowable count of GPUs per project per region.",
                reason="MIN_INSTANCES_NOT_PROVISIONED",
                part="ResourcesAvailable",
            )

    def _launch(
        self, revision: Any, image: str, environment: dict[str, str], memory: int, stuck: Fault | None
    ) -> Instance:
        main = checks.serving(revision)
        instance = self.engine.run(revision, image, environment, memory)
        if stuck:
            time.sleep(float(stuck.details.get("seconds", 1)))
        elif self.engine.comes_up(instance, main.startup_probe):
            return instance
        if self.engine.ran_out_of_memory(instance.id):
            limit = memory >> 20
            self._note(
                revision,
                f"Memory limit of {limit} MiB exceeded with {limit} MiB used. Consider increasing the memory limit, see"
                " https://cloud.google.com/run/docs/configuring/memory-limits\n",
            )
        self._note(revision, self.engine.logs(instance.id))
        self.engine.remove(instance.id)
        raise Failure(_start_failure(main, revision.log_uri))

    def _end(self, revision: Any, instance: Instance) -> None:
        self.engine.quit(instance.id)
        self._note(revision, self.engine.logs(instance.id))
        self.engine.remove(instance.id)

    def _note(self, revision: Any, words: str) -> None:
        self.logs[revision.name] = self.logs.get(revision.name, "") + words

    def _environment(self, revision: Any, main: Any) -> dict[str, str]:
        service, name = (str(each).rpartition("/")[2] for each in (revision.service, revision.name))
        given = {variable.name: variable.value for variable in main.env}
        for variable in main.env:
            if variable.HasField("value_source"):
                given[variable.name] = self._secret(variable.value_source.secret_key_ref)
        return given | {
            "PORT": str(main.ports[0].container_port),
            "K_SERVICE": service,
            "K_REVISION": name,
            "K_CONFIGURATION": service,
        }

    def _secret(self, wanted: Any) -> str:
        if wanted.secret not in self.secrets:
            raise Failure(
                f"Secret {wanted.secret}/versions/{wanted.version or 'latest'} was not found",
                reason="SECRETS_ACCESS_CHECK_FAILED",
                part="ContainerReady",
            )
        return self.secrets[wanted.secret]


def _start_failure(main: Any, log_uri: str) -> str:
    if main.startup_probe.HasField("tcp_socket"):
        why = (
            "The user-provided container failed to start and listen on the port defined provided by the"
            f" PORT={main.ports[0].container_port} environment variable within the allocated timeout. This can happen when"
            " the container port is misconfigured or if the timeout is too short. The health check timeout can be extended."
        )
    else:
        why = "The user-provided container failed the configured startup probe checks."
    return f"{why} Logs for this revision might contain more information.\n\nLogs URL: {log_uri}\n{HELP}"
