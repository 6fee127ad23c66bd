"""Which target and service a command means: options, mlpack.yaml, else what was deployed last in the working folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from mlpack.config import Config
from mlpack.errors import ConfigError, UsageError
from mlpack.workspace import Workspace

_PAIRS = ("env", "secrets", "labels")


def make_target(
    config: Config,
    target: str | None,
    words: Mapping[str, Any],
    more: Sequence[str],
    *,
    workspace: Workspace,
    name: str | None,
) -> Any:
    """The Target, which is a Keeper too, that a command's words mean; `name` is the service's when nothing else says it.

    Raises UsageError and ConfigError.
    """
    from mlpack.plugins import load, names

    last = workspace.last_deployed()
    kind = target or config.deploy.get("target") or (last.target if last else None)
    if not isinstance(kind, str):
        raise UsageError("where to?", hint=f"--target {' or '.join(names('targets'))}, or `deploy: {{target: ...}}`.")
    corner = _corner(config, kind)
    for key, value in {**_spoken(words), **_settings(more)}.items():
        corner[key] = {**corner.get(key, {}), **value} if isinstance(value, dict) and key in _PAIRS else value
    remembered = last if last and last.target == kind else None
    for key, value in (remembered.where if remembered else {}).items():
        corner.setdefault(key, value)
    service = corner.pop("service", None) or name or (remembered.service if remembered else None) or config.name
    if not service:
        raise UsageError("which service?", hint="--service NAME, or `name:` in mlpack.yaml.")
    return load("targets", kind)(str(service), corner, folder=workspace.folder, templates=config.templates)


def read_shares(words: Sequence[str]) -> dict[str, int]:
    """`REVISION=PERCENT` words as a mapping whose values are together 100; raises UsageError."""
    hint = "Such as `mlpack traffic iris-00002-abc=90 iris-00003-xyz=10`, together 100."
    shares: dict[str, int] = {}
    for word in words:
        name, equals, percent = word.partition("=")
        if not (name and equals and percent.isdecimal() and int(percent) <= 100) or name in shares:
            raise UsageError(f"{word!r} is not REVISION=PERCENT, or named twice", hint=hint)
        shares[name] = int(percent)
    if sum(shares.values()) != 100:
        raise UsageError(f"the shares are together {sum(shares.values())}, not 100", hint=hint)
    return shares


def _corner(config: Config, kind: str) -> dict[str, Any]:
    corner = config.deploy.get(kind) or {}
    if not isinstance(corner, dict):
        raise ConfigError(
            f"{config.file}: `deploy.{kind}` holds no keys and values",
            hint="Such as `deploy: {cloudrun: {region: ...}}`.",
        )
    return dict(corner)


def _spoken(words: Mapping[str, Any]) -> dict[str, Any]:
    """The options that were given; lists of NAME=VALUE as a mapping."""
    given = {key: value for key, value in words.items() if value is not None}
    for key in _PAIRS:
        if key in given:
            given[key] = dict(_pair(word, f"--{key.rstrip('s')}") for word in given[key])
    return given


def _settings(more: Sequence[str]) -> dict[str, Any]:
    """`--set KEY=VALUE`, the value as YAML would read it; `KEY.INNER=VALUE` for a key that holds several."""
    found: dict[str, Any] = {}
    for word in more:
        key, text = _pair(word, "--set")
        try:
            value = yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise UsageError(f"--set {key}: no value that YAML can read", hint="Such as --set port=8081.") from error
        outer, dot, inner = key.partition(".")
        if dot:
            found.setdefault(outer, {})[inner] = value
        else:
            found[key] = value
    return found


def _pair(word: str, option: str) -> tuple[str, str]:
    name, equals, value = word.partition("=")
    if not equals or not name:
        raise UsageError(f"{option}: {name!r} is not NAME=VALUE", hint=f"Such as {option} NAME=VALUE.")
    return name, value


def deployed_service(
    config: Path | None, target: str | None, words: Mapping[str, Any], more: Sequence[str] | None
) -> Any:
    """The Keeper of the service that a command means, which exists already."""
    from mlpack.cli.wiring import load_config_for

    workspace = Workspace(Path.cwd())
    loaded = load_config_for(None, workspace, config=config, remembered=True)
    return make_target(loaded, target, words, tuple(more or ()), workspace=workspace, name=None)
