"""The connection to the engine's API, and the errors when it fails."""

from __future__ import annotations

import contextlib
import errno
import shutil
import socket
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from mlpack.engines.base import EngineFacts
from mlpack.engines.docker.address import Address
from mlpack.errors import EngineError, EngineUnavailableError

# The SDK's APIClient. Its types know half of it, and we need its unofficial half: `_post`, `_url`, `_raise_for_status`.
Client = Any
# Seconds for an ordinary request. Builds, pulls and pushes have no time limit (see stream.py).
PATIENCE = 120
INSTALL = (
    "Install Docker (https://docs.docker.com/engine/install/), or set DOCKER_HOST to an engine on another machine."
)
START = "Start it (`sudo systemctl start docker`, or Docker Desktop), or set DOCKER_HOST to another engine."


def open_client(address: Address) -> Client:
    """A client that is connected to the engine; close it. Raises EngineUnavailableError with the remedy."""
    # Importing the SDK takes a quarter of a second; `--help` must not need it.
    from docker import APIClient
    from docker.errors import DockerException
    from docker.tls import TLSConfig

    _probe(address)
    try:
        tls = address.tls and TLSConfig(
            client_cert=(str(address.tls.cert), str(address.tls.key)) if address.tls.cert and address.tls.key else None,
            ca_cert=str(address.tls.ca) if address.tls.ca else None,
            verify=address.tls.verify,
        )
        return APIClient(base_url=address.url, version="auto", timeout=PATIENCE, tls=tls or False, use_ssh_client=True)
    except (DockerException, OSError, ValueError) as error:
        raise unavailable(address, error) from error


def unavailable(address: Address, error: BaseException) -> EngineUnavailableError:
    """The error for the reason: not installed, not running, no permission, or another one."""
    where, text = f"{address.url} ({address.named_by})", str(error)
    reason = _os_error(error)
    if isinstance(reason, PermissionError):
        return EngineUnavailableError(
            f"no permission to use the container engine at {where}",
            hint="Add yourself to its group (`sudo usermod -aG docker $USER`, then log in again), or use sudo.",
        )
    if isinstance(reason, FileNotFoundError):
        if address.named_by == "the default socket" and not any(map(shutil.which, ("docker", "dockerd"))):
            return EngineUnavailableError(f"no container engine is installed: nothing at {where}", hint=INSTALL)
        return EngineUnavailableError(f"no container engine runs at {where}: there is no such socket", hint=START)
    if isinstance(reason, ConnectionRefusedError):
        return EngineUnavailableError(f"no container engine runs at {where}: connection refused", hint=START)
    if "paramiko" in text:
        return EngineUnavailableError(
            f"the engine at {where} is reached by ssh, which needs the library paramiko",
            hint="Run `pip install paramiko` in mlpack's environment.",
        )
    return EngineUnavailableError(
        f"the container engine at {where} cannot be used: {text}", hint="Check whether `docker version` shows a server."
    )


@contextlib.contextmanager
def engine_errors(address: Address, doing: str) -> Iterator[None]:
    """Translate the SDK's exceptions: EngineUnavailableError if the connection failed, else EngineError."""
    import requests  # comes with the SDK
    import urllib3
    from docker.errors import APIError, DockerException

    try:
        yield
    except APIError as error:
        raise EngineError(f"the engine failed while {doing}: {explanation(error)}", hint=_hint(error)) from error
    except (requests.Timeout, urllib3.exceptions.TimeoutError) as error:
        raise EngineUnavailableError(
            f"the engine at {address.url} did not answer in time while {doing}", hint="Check whether it is overloaded."
        ) from error
    except (requests.RequestException, urllib3.exceptions.HTTPError, ConnectionError) as error:
        raise EngineUnavailableError(
            f"the connection to the engine at {address.url} was lost while {doing}: {_reason(error)}", hint=START
        ) from error
    except DockerException as error:
        raise EngineError(f"Docker's library failed while {doing}: {error}") from error


def explanation(error: Any) -> str:
    """The engine's message in an APIError, without the text that the library adds."""
    return str(getattr(error, "explanation", None) or error).strip().rstrip(".")


def _probe(address: Address) -> None:
    """Open and close a unix socket first: its error is clear, and the SDK would leave its own socket open on failure."""
    if not address.url.startswith("unix://"):
        return
    parts = urlsplit(address.url)
    path = f"/{parts.hostname}{parts.path}" if parts.hostname else parts.path
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(10)
        try:
            probe.connect(path)
        except OSError as error:
            raise unavailable(address, error) from error


def _os_error(error: BaseException | None) -> OSError | None:
    """The operating system's error under the layers of libraries, which wrap it as argument, cause or context."""
    seen: set[int] = set()
    waiting = [error]
    while waiting:
        current = waiting.pop()
        if current is None or id(current) in seen:
            continue
        seen.add(id(current))
        if isinstance(current, OSError) and current.errno in {
            errno.EACCES,
            errno.EPERM,
            errno.ENOENT,
            errno.ECONNREFUSED,
        }:
            return current
        waiting += [current.__cause__, current.__context__, *(a for a in current.args if isinstance(a, BaseException))]
        waiting.append(getattr(current, "reason", None) if isinstance(current, Exception) else None)
    return None


def _reason(error: BaseException) -> str:
    return str(_os_error(error) or error).rstrip(".")


def _hint(error: Any) -> str:
    return "Free some disk space (`docker system prune`)." if "no space left" in explanation(error).lower() else ""


def engine_facts(client: Client, address: Address, *, classic: bool) -> EngineFacts:
    """The engine's own description; with `classic` it counts as one without BuildKit."""
    version, info = client.version(), client.info()
    parts = [str(part.get("Name", "")) for part in version.get("Components") or ()]
    podman = any("podman" in part.lower() for part in parts)
    # The ping names the builder that the administrator prefers: 1 is a refusal of BuildKit; 20.10 says nothing at all.
    ping = client._get(client._url("/_ping"))  # noqa: SLF001  # the SDK keeps the headers to itself
    api = tuple(map(int, str(version["ApiVersion"]).split(".")))
    buildkit = (
        not (podman or classic)
        and version["Os"] == "linux"
        and api >= (1, 39)
        and ping.headers.get("Builder-Version") != "1"
    )
    return EngineFacts(
        name="Podman" if podman else "Docker",
        version=str(version["Version"]),
        platform=f"{version['Os']}/{version['Arch']}",
        caches_secrets=not buildkit,  # the classic builder copies private files into layers, which its cache keeps
        details={
            "buildkit": buildkit,
            "root_dir": info.get("DockerRootDir", ""),
            "cpus": info.get("NCPU"),
            "memory": info.get("MemTotal"),
            "storage": info.get("Driver", ""),
            "cgroup": str(info.get("CgroupVersion", "")),
            "api": str(version["ApiVersion"]),
            "url": address.url,
        },
    )
