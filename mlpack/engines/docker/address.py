"""The address of the engine, found in the same way as by the docker CLI."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from mlpack.artifacts.references import is_loopback
from mlpack.errors import EngineUnavailableError
from mlpack.registries.docker_config import config_file, config_folder, read_config

DEFAULT_URL = "npipe:////./pipe/docker_engine" if sys.platform == "win32" else "unix:///var/run/docker.sock"


@dataclass(frozen=True, kw_only=True)
class Tls:
    """The files that authenticate the client and the engine; without `verify`, the engine's certificate is not checked."""

    ca: Path | None
    cert: Path | None
    key: Path | None
    verify: bool


@dataclass(frozen=True, kw_only=True)
class Address:
    """An engine's address: `url` in the form of DOCKER_HOST; `named_by` is where it comes from, for messages."""

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
            hint="`docker context ls` lists the contexts; `docker context use default` selects the default.",
        ) from error
    files = folder / "contexts" / "tls" / key / "docker"
    tls = _tls(files, verify=not endpoint.get("SkipTLSVerify", False)) if files.is_dir() else None
    return Address(url=url, named_by=f"the Docker context {name!r}", tls=tls)
