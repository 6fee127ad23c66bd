"""The package sources of this machine: the user's pip and uv settings, combined."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from mlpack.errors import ConfigError
from mlpack.packages.settings.pip import read_pip
from mlpack.packages.settings.uv import UvSettings, read_uv

DEFAULT_INDEX = "https://pypi.org/simple"


@dataclass(frozen=True, kw_only=True)
class PackageSettings:
    """Indexes, folders and connection settings. Addresses may hold logins: redact them before showing.

    `proxies` is by scheme (`http`, `https`, `all`), and `no` lists hosts without a proxy; `timeout_s` is for one response;
    `netrc` is the file with logins by host. `no_index` leaves only `find_links` (folders or pages).
    """

    index_url: str = DEFAULT_INDEX
    extra_index_urls: tuple[str, ...] = ()
    find_links: tuple[str, ...] = ()
    no_index: bool = False
    trusted_hosts: tuple[str, ...] = ()
    ca_bundle: Path | None = None
    client_cert: Path | None = None
    proxies: Mapping[str, str] = field(default_factory=dict)
    timeout_s: float = 15.0
    netrc: Path | None = None

    @property
    def indexes(self) -> tuple[str, ...]:
        """All indexes without duplicates, the extra ones first (uv's order)."""
        return () if self.no_index else tuple(dict.fromkeys((*self.extra_index_urls, self.index_url)))

    def only(self, wheelhouse: Path) -> PackageSettings:
        """The same settings with one folder as the only source, without network."""
        if not wheelhouse.is_dir():
            raise ConfigError(
                f"the wheelhouse {wheelhouse} is not a folder", hint="Fill one with: pip download -d DIR ."
            )
        return replace(
            self, index_url=DEFAULT_INDEX, extra_index_urls=(), find_links=(str(wheelhouse.resolve()),), no_index=True
        )


def read_settings(environ: Mapping[str, str], cwd: Path) -> PackageSettings:
    """The settings that pip and uv would use in this environment and folder.

    uv's index takes precedence over pip's; extra indexes and folders of both are joined. Raises ConfigError for a missing
    or unreadable file.
    """
    pip, uv = read_pip(environ), read_uv(environ, cwd)
    bundle = _certificates(pip, environ)
    client = pip.get("client-cert") or environ.get("SSL_CLIENT_CERT")
    return PackageSettings(
        index_url=_clean(uv.index_url or pip.get("index-url") or pip.get("pypi-url") or DEFAULT_INDEX),
        extra_index_urls=tuple(
            dict.fromkeys(_clean(url) for url in (*uv.extra_index_urls, *pip.get("extra-index-url", "").split()))
        ),
        find_links=_folders(pip, uv, cwd),
        no_index=uv.no_index or pip.get("no-index", "").lower() in ("1", "true", "yes", "on"),
        trusted_hosts=tuple(dict.fromkeys((*uv.trusted_hosts, *pip.get("trusted-host", "").split()))),
        ca_bundle=bundle,
        client_cert=Path(client).expanduser() if client else None,
        proxies=_proxies(environ, pip.get("proxy", "")),
        timeout_s=_seconds(environ.get("UV_HTTP_TIMEOUT") or pip.get("timeout") or pip.get("default-timeout")),
        netrc=_netrc(environ),
    )


def _certificates(pip: Mapping[str, str], environ: Mapping[str, str]) -> Path | None:
    """The CA bundle: the file of pip's setting must exist; those of the environment are used if they exist."""
    if pip.get("cert"):
        path = Path(pip["cert"]).expanduser().absolute()
        if not path.is_file():
            raise ConfigError(
                f"pip's setting cert names {path}, which does not exist", hint="Correct PIP_CERT or pip.conf."
            )
        return path
    named = (environ.get(name) for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"))
    return next((Path(path).absolute() for path in named if path and Path(path).is_file()), None)


def _folders(pip: Mapping[str, str], uv: UvSettings, cwd: Path) -> tuple[str, ...]:
    """find-links of pip and uv; local ones as absolute paths."""
    places = []
    for place in (*uv.find_links, *pip.get("find-links", "").split()):
        local = place.removeprefix("file://") if place.startswith("file://") else place
        places.append(place if "://" in local else str((cwd / Path(local).expanduser()).absolute()))
    return tuple(dict.fromkeys(places))


def _proxies(environ: Mapping[str, str], pip_proxy: str) -> dict[str, str]:
    """Proxies by scheme: pip's setting for all schemes, else the environment's (lower-case names take precedence)."""
    if pip_proxy:
        address = pip_proxy if "://" in pip_proxy else f"http://{pip_proxy}"
        return {"http": address, "https": address}
    found = {}
    for scheme in ("http", "https", "all", "no"):
        value = environ.get(f"{scheme}_proxy") or environ.get(f"{scheme.upper()}_PROXY")
        if value:
            found[scheme] = value
    return found


def _seconds(text: str | None) -> float:
    try:
        return max(1.0, float(text)) if text else 15.0
    except ValueError:
        return 15.0


def _netrc(environ: Mapping[str, str]) -> Path | None:
    named = environ.get("NETRC")
    path = Path(named) if named else Path(environ.get("HOME", "/nonexistent")) / ".netrc"
    return path if path.is_file() else None


def _clean(url: str) -> str:
    """An index address without a trailing slash; an address without a scheme is a path."""
    url = url.strip().rstrip("/")
    return url if re.match(r"[a-z+]+://", url) else Path(url).expanduser().absolute().as_uri()
