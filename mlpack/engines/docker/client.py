"""The connection to the engine's API, and what is said when there is none."""

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
# Seconds for an ordinary question. Builds, pulls and pushes wait as long as the engine works (see stream.py).
PATIENCE = 120
INSTALL = "Install Docker (https://docs.docker.com/engine/install/), or set DOCKER_HOST to an engine elsewhere."
START = "Start it (`sudo systemctl start docker`, or Docker Desktop), or set DOCKER_HOST to another."


def open_client(address: Address) -> Client:
    """A client that has spoken with the engine; close it. Raises EngineUnavailableError with the remedy."""
    # The SDK takes a quarter of a second to import, which `--help` need not pay.
    from docker import APIClient
    from docker.errors import DockerException
    from docker.tls import TLSConfig

    _knock(address)
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
    """Why the engine cannot be used, told apart: not installed, not running, not allowed, not understood."""
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
            f"the engine at {where} is reached by ssh, for which a library is missing",
            hint="`pip install paramiko` into mlpack's environment.",
        )
    return EngineUnavailableError(
        f"the container engine at {where} cannot be used: {text}", hint="`docker version` should name a server."
    )


@contextlib.contextmanager
def told(address: Address, doing: str) -> Iterator[None]:
    """The SDK's failures in the `with` become ours: EngineUnavailableError when the line broke, else EngineError."""
    import requests  # comes with the SDK
    import urllib3
    from docker.errors import APIError, DockerException

    try:
        yield
    except APIError as error:
        raise EngineError(f"the engine failed at {doing}: {explanation(error)}", hint=_hint(error)) from error
    except (requests.Timeout, urllib3.exceptions.TimeoutError) as error:
        raise EngineUnavailableError(
            f"the engine at {address.url} did not answer in time at {doing}", hint="See whether it is overloaded."
        ) from error
    except (requests.RequestException, urllib3.exceptions.HTTPError, ConnectionError) as error:
        raise EngineUnavailableError(
            f"the engine at {address.url} went away at {doing}: {_reason(error)}", hint=START
        ) from error
    except DockerException as error:
        raise EngineError(f"Docker's library failed at {doing}: {error}") from error


def explanation(error: Any) -> str:
    """The engine's own words of an APIError, without the library's around them."""
    return str(getattr(error, "explanation", None) or error).strip().rstrip(".")


def _knock(address: Address) -> None:
    """Open and close a unix socket first: its error is plain, and the SDK leaves its own socket open on failure."""
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


def engine_facts(client: Client, address: Address) -> EngineFacts:
    """What the engine says of itself."""
    version, info = client.version(), client.info()
    parts = [str(part.get("Name", "")) for part in version.get("Components") or ()]
    podman = any("podman" in part.lower() for part in parts)
    # The ping names the builder that the administrator prefers: 1 is a refusal of BuildKit; 20.10 says nothing at all.
    ping = client._get(client._url("/_ping"))  # noqa: SLF001  # the SDK keeps the headers to itself
    api = tuple(map(int, str(version["ApiVersion"]).split(".")))
    return EngineFacts(
        name="Podman" if podman else "Docker",
        version=str(version["Version"]),
        platform=f"{version['Os']}/{version['Arch']}",
        buildkit=not podman
        and version["Os"] == "linux"
        and api >= (1, 39)
        and ping.headers.get("Builder-Version") != "1",
        details={
            "root_dir": info.get("DockerRootDir", ""),
            "cpus": info.get("NCPU"),
            "memory": info.get("MemTotal"),
            "storage": info.get("Driver", ""),
            "cgroup": str(info.get("CgroupVersion", "")),
            "api": str(version["ApiVersion"]),
            "url": address.url,
        },
    )
