"""Read uv's settings in uv's order: `uv.toml` and [tool.uv] by level, then `UV_*` in the environment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

from mlpack.errors import ConfigError
from mlpack.packages.settings.toml import load_toml


@dataclass(frozen=True, kw_only=True)
class UvSettings:
    """The package sources in uv's settings; `index_url` is None when they set none."""

    index_url: str | None = None
    extra_index_urls: tuple[str, ...] = ()
    find_links: tuple[str, ...] = ()
    no_index: bool = False
    trusted_hosts: tuple[str, ...] = ()


def read_uv(environ: Mapping[str, str], cwd: Path) -> UvSettings:
    """The sources: the environment's before the project's, the user's and the system's. Raises ConfigError."""
    tables = (
        [] if environ.get("UV_NO_CONFIG") else [_sources(table, environ, base) for table, base in _tables(environ, cwd)]
    )
    levels = [_environment(environ), *tables]
    return UvSettings(
        index_url=next((level.index_url for level in levels if level.index_url), None),
        extra_index_urls=tuple(url for level in levels for url in level.extra_index_urls),
        find_links=tuple(place for level in levels for place in level.find_links),
        no_index=any(level.no_index for level in levels),
        trusted_hosts=tuple(host for level in levels for host in level.trusted_hosts),
    )


def _environment(environ: Mapping[str, str]) -> UvSettings:
    """`UV_*`: lists are separated by spaces, find-links by commas; an index may be `name=address`."""
    named = [_named(text, environ) for text in environ.get("UV_INDEX", "").split()]
    default = environ.get("UV_DEFAULT_INDEX")
    return UvSettings(
        index_url=_named(default, environ) if default else environ.get("UV_INDEX_URL") or None,
        extra_index_urls=(*named, *environ.get("UV_EXTRA_INDEX_URL", "").split()),
        find_links=tuple(place.strip() for place in environ.get("UV_FIND_LINKS", "").split(",") if place.strip()),
        trusted_hosts=tuple(environ.get("UV_INSECURE_HOST", "").split()),
    )


def _named(text: str, environ: Mapping[str, str]) -> str:
    """The address of `name=address`, with the login that the environment sets for the name."""
    name, equals, url = text.partition("=")
    return _with_login(url, name, environ) if equals and "/" not in name else text


def _with_login(url: str, name: str, environ: Mapping[str, str]) -> str:
    """The address with the login of `UV_INDEX_NAME_USERNAME` and `_PASSWORD`."""
    key = "".join(letter if letter.isalnum() else "_" for letter in name).upper()
    user, password = environ.get(f"UV_INDEX_{key}_USERNAME", ""), environ.get(f"UV_INDEX_{key}_PASSWORD", "")
    parts = urlsplit(url)
    if not (user or password) or "@" in parts.netloc:
        return url
    return urlunsplit(parts._replace(netloc=f"{quote(user, safe='')}:{quote(password, safe='')}@{parts.netloc}"))


def _tables(environ: Mapping[str, str], cwd: Path) -> list[tuple[dict[str, Any], Path]]:
    """The tables of settings in order of precedence, each with the folder of its relative paths."""
    if environ.get("UV_CONFIG_FILE"):
        path = Path(environ["UV_CONFIG_FILE"])
        return [(_load(path), path.parent)]
    tables = []
    for folder in (cwd, *cwd.parents):
        project = folder / "pyproject.toml"
        if (folder / "uv.toml").is_file():
            tables.append((_load(folder / "uv.toml"), folder))
            break
        table = _load(project).get("tool", {}).get("uv") if project.is_file() else None
        if table is not None:
            tables.append((table, folder))
            break
    user = Path(environ.get("XDG_CONFIG_HOME") or Path(environ.get("HOME", "/nonexistent")) / ".config") / "uv/uv.toml"
    shared = [Path(folder) / "uv/uv.toml" for folder in environ.get("XDG_CONFIG_DIRS", "/etc/xdg").split(":") if folder]
    files = [user, *[path for path in (*shared, Path("/etc/uv/uv.toml")) if path.is_file()][:1]]
    return [*tables, *((_load(path), path.parent) for path in files if path.is_file())]


def _load(path: Path) -> dict[str, Any]:
    try:
        return load_toml(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"uv's settings file {path} cannot be read: {error}") from None


def _sources(table: Mapping[str, Any], environ: Mapping[str, str], base: Path) -> UvSettings:
    """The sources of one table, including its `[pip]`. `explicit` indexes are for named packages only: left out."""
    pip = table.get("pip", {})
    default, extra = None, []
    for index in table.get("index", []):
        url = _with_login(str(index.get("url", "")), str(index.get("name", "")), environ)
        if index.get("default"):
            default = default or url
        elif url and not index.get("explicit"):
            extra.append(url)
    places = [str(place) for place in (*table.get("find-links", []), *pip.get("find-links", []))]
    return UvSettings(
        index_url=default or pip.get("index-url") or table.get("index-url"),
        extra_index_urls=(*extra, *pip.get("extra-index-url", []), *table.get("extra-index-url", [])),
        find_links=tuple(place if "://" in place else str(base / Path(place).expanduser()) for place in places),
        no_index=bool(table.get("no-index") or pip.get("no-index")),
        trusted_hosts=tuple(table.get("allow-insecure-host", [])),
    )
