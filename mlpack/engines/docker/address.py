"""Where the engine is: found as the docker CLI finds it."""

from __future__ import annotations

import hashlib
import ipaddress
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from mlpack.errors import EngineUnavailableError

DEFAULT_URL = "npipe:////./pipe/docker_engine" if sys.platform == "win32" else "unix:///var/run/docker.sock"


@dataclass(frozen=True, kw_only=True)
class Tls:
    """The files that prove who we are and who the engine is; without `verify` any engine is believed."""

    ca: Path | None
    cert: Path | None
    key: Path | None
    verify: bool


@dataclass(frozen=True, kw_only=True)
class Address:
    """An engine's place: `url` as DOCKER_HOST writes it; `named_by` says who named it, for messages."""

    url: str
    named_by: str
    tls: Tls | None = None

    @property
    def host(self) -> str:
        """The host name under which a port that the engine publishes is reached from here."""
        name = urlsplit(self.url).hostname if self.url.startswith(("tcp://", "http://", "https://", "ssh://")) else None
        return "127.0.0.1" if name is None or is_loopback(name) else name

    @property
    def local(self) -> bool:
        """Whether a port on the engine's loopback address is on ours too."""
        return self.host == "127.0.0.1" and not self.url.startswith("ssh://")


def find_address(environ: Mapping[str, str]) -> Address:
    """The engine of DOCKER_HOST, else DOCKER_CONTEXT, else the config's current context, else the default socket.

    Raises EngineUnavailableError when a context is named that does not exist.
    """
    if url := environ.get("DOCKER_HOST", "").strip():
        return Address(url=url, named_by=f"DOCKER_HOST={url}", tls=_environment_tls(environ))
    name, named_by = environ.get("DOCKER_CONTEXT", ""), "DOCKER_CONTEXT"
    if not name:
        name, named_by = str(read_config(environ).get("currentContext") or ""), str(config_file(environ))
    if name in {"", "default"}:
        return Address(url=DEFAULT_URL, named_by="the default socket", tls=_environment_tls(environ))
    return _context(config_folder(environ), name, named_by)


def config_folder(environ: Mapping[str, str]) -> Path:
    """Where the docker CLI keeps its configuration."""
    return Path(environ.get("DOCKER_CONFIG") or Path.home() / ".docker")


def config_file(environ: Mapping[str, str]) -> Path:
    """The docker CLI's config.json, whether or not it is there."""
    return config_folder(environ) / "config.json"


def read_config(environ: Mapping[str, str]) -> dict[str, Any]:
    """What config.json says; empty when it is missing. Raises EngineUnavailableError when it is not JSON."""
    path = config_file(environ)
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise EngineUnavailableError(
            f"Docker's configuration {path} cannot be read: {error}", hint="Repair or remove that file."
        ) from error
    return config if isinstance(config, dict) else {}


def is_loopback(host: str) -> bool:
    """Whether a host name or address means this machine."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _environment_tls(environ: Mapping[str, str]) -> Tls | None:
    """TLS as DOCKER_TLS_VERIFY (any text but none) and DOCKER_CERT_PATH ask for it."""
    verify, folder = bool(environ.get("DOCKER_TLS_VERIFY")), environ.get("DOCKER_CERT_PATH", "")
    if not verify and not environ.get("DOCKER_TLS"):
        return None
    return _tls(Path(folder) if folder else config_folder(environ), verify=verify)


def _tls(folder: Path, *, verify: bool) -> Tls:
    ca, cert, key = (path if (path := folder / name).is_file() else None for name in ("ca.pem", "cert.pem", "key.pem"))
    return Tls(ca=ca, cert=cert, key=key, verify=verify)


def _context(folder: Path, name: str, named_by: str) -> Address:
    """The endpoint of a context: the CLI keeps each under the hash of its name."""
    key = hashlib.sha256(name.encode()).hexdigest()
    try:
        meta = json.loads((folder / "contexts" / "meta" / key / "meta.json").read_text(encoding="utf-8"))
        endpoint = meta["Endpoints"]["docker"]
        url = str(endpoint["Host"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise EngineUnavailableError(
            f"there is no Docker context {name!r}, which {named_by} names",
            hint="`docker context ls` lists them; `docker context use default` goes back to the default.",
        ) from error
    files = folder / "contexts" / "tls" / key / "docker"
    tls = _tls(files, verify=not endpoint.get("SkipTLSVerify", False)) if files.is_dir() else None
    return Address(url=url, named_by=f"the Docker context {name!r}", tls=tls)
