"""The target and service of a command: from its options, mlpack.yaml, or the last deployment of the working folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast, get_origin

import yaml

from mlpack.cli.target_command import GivenOption, refuse_other_options
from mlpack.config import Config
from mlpack.errors import ConfigError, UsageError
from mlpack.workspace import Deployed, Workspace

if TYPE_CHECKING:
    from mlpack.targets.base import Target


def target_class(config: Config, named: str | None, last: Deployed | None) -> type[Target]:
    """The class of the target: `named`, else the one in mlpack.yaml, else that of the last deployment.

    Raises UsageError if none of them names a target, or if it does not exist.
    """
    from mlpack.plugins import load, names

    name = named or config.deploy.get("target") or (last.target if last else None)
    if not isinstance(name, str):
        raise UsageError(
            "no target is named",
            hint=f"--target {' or '.join(names('targets'))}, or `deploy: {{target: ...}}` in mlpack.yaml.",
        )
    return cast("type[Target]", load("targets", name))


def make_target(
    config: Config,
    target: str | None,
    service: str | None,
    options: Sequence[GivenOption],
    more: Sequence[str],
    *,
    workspace: Workspace,
    name: str | None,
) -> Target:
    """The target of one service, with the settings of mlpack.yaml, of a command's options, and of `--set` (`more`).

    The service's name is --service, else that of mlpack.yaml, else `name`. Raises UsageError and ConfigError.
    """
    from mlpack.targets.settings import read_settings

    last = workspace.last_deployed()
    kind = target_class(config, target, last)
    section = read_section(config, kind, options, more, last)
    previous = last if last and last.target == kind.name else None
    configured = section.pop("service", None)
    named = service or configured or name or (previous.service if previous else None) or config.name
    if not named:
        raise UsageError("no service is named", hint="--service NAME, or `name:` in mlpack.yaml.")
    settings = read_settings(kind.settings, kind.name, section, {one.option.key: one.option.flag for one in options})
    return kind(str(named), settings, folder=workspace.folder, templates=config.templates)


def read_section(
    config: Config, kind: type[Target], options: Sequence[GivenOption], more: Sequence[str], last: Deployed | None
) -> dict[str, Any]:
    """The settings of a target: those of mlpack.yaml, then of a command's options and of `--set`; else of the last deployment.

    Raises UsageError and ConfigError.
    """
    refuse_other_options(options, kind.name)
    section = _section(config, kind.name)
    mappings = {key for key, field in kind.settings.model_fields.items() if get_origin(field.annotation) is dict}
    for key, value in {**_given(options), **_settings(more)}.items():
        adds = key in mappings and isinstance(value, dict) and isinstance(section.get(key), dict)
        section[key] = {**section[key], **value} if adds else value
    for key, value in (last.where if last and last.target == kind.name else {}).items():
        section.setdefault(key, value)
    return section


def deployed_service(
    config: Path | None,
    target: str | None,
    service: str | None,
    options: Sequence[GivenOption],
    more: Sequence[str] | None,
) -> Target:
    """The target of an existing service."""
    from mlpack.cli.settings import load_config_for

    workspace = Workspace(Path.cwd())
    loaded = load_config_for(None, workspace, config=config, of_last_image=True)
    return make_target(loaded, target, service, options, tuple(more or ()), workspace=workspace, name=None)


def read_shares(words: Sequence[str]) -> dict[str, int]:
    """Parse `REVISION=PERCENT` arguments, whose percentages add up to 100; raises UsageError."""
    hint = "Example: `mlpack traffic iris-00002-abc=90 iris-00003-xyz=10`. The percentages must add up to 100."
    shares: dict[str, int] = {}
    for word in words:
        name, equals, percent = word.partition("=")
        if not (name and equals and percent.isdecimal() and int(percent) <= 100):
            raise UsageError(f"{word!r} is not REVISION=PERCENT", hint=hint)
        if name in shares:
            raise UsageError(f"{name} is named twice", hint=hint)
        shares[name] = int(percent)
    if sum(shares.values()) != 100:
        raise UsageError(f"the percentages add up to {sum(shares.values())}, not to 100", hint=hint)
    return shares


def _section(config: Config, target: str) -> dict[str, Any]:
    section = config.deploy.get(target) or {}
    if not isinstance(section, dict):
        raise ConfigError(
            f"{config.file}: `deploy.{target}` must contain keys and values",
            hint="Example: `deploy: {cloudrun: {region: ...}}`.",
        )
    return dict(section)


def _given(options: Sequence[GivenOption]) -> dict[str, Any]:
    """The values of the given options by the settings' names; lists of NAME=VALUE as mappings."""
    return {
        one.option.key: dict(_pair(word, one.option.flag) for word in one.value)
        if one.option.kind == "pairs"
        else one.value
        for one in options
    }


def _settings(more: Sequence[str]) -> dict[str, Any]:
    """Parse `--set KEY=VALUE`, with the value as YAML; `KEY.INNER=VALUE` sets one key of a mapping."""
    found: dict[str, Any] = {}
    for word in more:
        key, text = _pair(word, "--set")
        try:
            value = yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise UsageError(f"--set {key}: the value is not valid YAML", hint="Example: --set port=8081.") from error
        outer, dot, inner = key.partition(".")
        if dot:
            found.setdefault(outer, {})[inner] = value
        else:
            found[key] = value
    return found


def _pair(word: str, option: str) -> tuple[str, str]:
    name, equals, value = word.partition("=")
    if not equals or not name:
        raise UsageError(f"{option}: {name!r} is not NAME=VALUE", hint=f"Write {option} NAME=VALUE.")
    return name, value
