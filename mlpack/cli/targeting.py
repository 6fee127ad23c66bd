"""Which target and which service a command means: words, mlpack.yaml, and what was deployed last in the working folder."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from mlpack.artifacts.service import Service
from mlpack.cli.output.console import Console
from mlpack.config import Config
from mlpack.errors import ConfigError, UsageError
from mlpack.workspace import FOLDER, write_whole

_NOTE = "deployed.json"
_PAIRS = ("env", "secrets", "labels")


def make_target(
    config: Config, target: str | None, words: Mapping[str, Any], more: Sequence[str], *, folder: Path, name: str | None
) -> Any:
    """The Target, which is a Keeper too, that a command's words mean; `name` is the service's when nothing else says it.

    Raises UsageError and ConfigError.
    """
    from mlpack.plugins import load, names

    last = last_deployed(folder)
    kind = target or config.deploy.get("target") or (last or {}).get("target")
    if not isinstance(kind, str):
        raise UsageError("where to?", hint=f"--target {' or '.join(names('targets'))}, or `deploy: {{target: ...}}`.")
    corner = _corner(config, kind)
    for key, value in {**_spoken(words), **_settings(more)}.items():
        corner[key] = {**corner.get(key, {}), **value} if isinstance(value, dict) and key in _PAIRS else value
    remembered = last if last and last["target"] == kind else {}
    for key, value in remembered.get("where", {}).items():
        corner.setdefault(key, value)
    service = corner.pop("service", None) or name or remembered.get("service") or config.name
    if not service:
        raise UsageError("which service?", hint="--service NAME, or `name:` in mlpack.yaml.")
    return load("targets", kind)(str(service), corner, folder=folder, templates=config.templates)


def ready_made(
    console: Console, config: Path | None, target: str | None, words: Mapping[str, Any], more: Sequence[str] | None
) -> Any:
    """The Keeper for a command that looks after a service which is there."""
    from mlpack.cli.wiring import make_context, remembered_config

    context = make_context(None, console=console, config=config or remembered_config())
    return make_target(context.config, target, words, tuple(more or ()), folder=context.folder, name=None)


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


def show_service(console: Console, service: Service) -> None:
    """The service and its revisions, for people."""
    access = {True: "public", False: "private", None: "who may ask it could not be looked up"}[service.open_to_all]
    console.text(f"{service.name} on {service.target}: {service.url} ({access})")
    if service.message:
        console.warn(service.message)
    rows = [
        (
            f"{revision.percent} %",
            revision.name,
            "ready" if revision.ready else "not ready",
            revision.made,
            " ".join(filter(None, (revision.image, *(f"[{tag}]" for tag in revision.tags), revision.message))),
        )
        for revision in service.revisions
    ]
    console.table(rows, header=("traffic", "revision", "", "made", "image"))


def remember_deployed(folder: Path, target: str, service: str, where: Mapping[str, Any]) -> None:
    """Notes what was deployed, for `mlpack status`, `rollback`, `traffic` and `delete` without words."""
    note = {"target": target, "service": service, "where": dict(where)}
    write_whole(folder / FOLDER / _NOTE, json.dumps(note, indent=2) + "\n")


def last_deployed(folder: Path) -> dict[str, Any] | None:
    """What `remember_deployed` noted, None when there is nothing readable."""
    try:
        note = json.loads((folder / FOLDER / _NOTE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return note if isinstance(note, dict) and isinstance(note.get("target"), str) else None


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
