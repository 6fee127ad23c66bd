"""Read pip's settings in pip's order: its files by level, then `PIP_*` in the environment."""

from __future__ import annotations

import configparser
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from mlpack.errors import ConfigError
from mlpack.packages.names import redact


def read_pip(environ: Mapping[str, str]) -> dict[str, str]:
    """The settings of `pip install` by long name (`extra-index-url`); a later level overrides an earlier one.

    Source: pip's user guide, "Configuration". Raises ConfigError for a file that pip itself would refuse.
    """
    settings: dict[str, str] = {}
    for path in config_files(environ):
        settings.update(_read(path))
    for name, value in environ.items():
        if name.startswith("PIP_") and value and name != "PIP_CONFIG_FILE":
            settings[name.removeprefix("PIP_").lower().replace("_", "-")] = value
    return settings


def config_files(environ: Mapping[str, str]) -> list[Path]:
    """The files that pip reads, in order: global, user, site, PIP_CONFIG_FILE."""
    named = environ.get("PIP_CONFIG_FILE", "")
    if named == os.devnull:  # pip's convention for no files at all
        return []
    home = Path(environ.get("HOME", "/nonexistent"))
    shared = [
        Path(folder) / "pip/pip.conf" for folder in environ.get("XDG_CONFIG_DIRS", "/etc/xdg").split(":") if folder
    ]
    files = [
        *shared,
        Path("/etc/pip.conf"),
        Path("/Library/Application Support/pip/pip.conf"),
        home / ".pip/pip.conf",
        home / "Library/Application Support/pip/pip.conf",
        Path(environ.get("XDG_CONFIG_HOME") or home / ".config") / "pip/pip.conf",
        Path(sys.prefix) / "pip.conf",
        *([Path(named)] if named else []),
    ]
    return [path for path in files if path.is_file()]


def _read(path: Path) -> dict[str, str]:
    """One file's settings for an install: [global], then [install] over it."""
    parser = configparser.RawConfigParser()
    try:
        parser.read_string(path.read_text(encoding="utf-8"), source=str(path))
    except (OSError, ValueError, configparser.Error) as error:
        reason = redact(str(error)).splitlines()[0]
        raise ConfigError(
            f"pip's settings file {path} cannot be read: {reason}", hint="`pip config debug` shows it"
        ) from None
    settings: dict[str, str] = {}
    for section in ("global", "install"):
        if parser.has_section(section):
            settings.update({name.replace("_", "-").lower(): value for name, value in parser.items(section)})
    return settings
