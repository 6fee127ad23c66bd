"""The targets of an ensemble's services: from the options of a command, ensemble.yaml, or the last deployment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlpack.cli.target_choice import read_section, target_class
from mlpack.cli.target_command import GivenOption
from mlpack.errors import ConfigError, UsageError
from mlpack.workspace import Workspace

if TYPE_CHECKING:
    from mlpack.ensembles.file import EnsembleFile, MemberEntry
    from mlpack.ensembles.services import Targets
    from mlpack.targets.base import EnsembleRunner, EnsembleTarget


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """The target of a command: `services` if each member is a service of its own, `runner` if all run on this machine.

    One of the two is None.
    """

    ensemble: EnsembleFile
    name: str
    platforms: tuple[str, ...]
    services: Targets | None
    runner: EnsembleRunner | None


def choose_target(file: Path, target: str | None, options: Sequence[GivenOption], more: Sequence[str] | None) -> Chosen:
    """The target of an ensemble: `target`, else that of ensemble.yaml, else that of its last deployment.

    The settings of ensemble.yaml are those of every service, but those of the coordinator alone; a member's own come first.
    Raises UsageError and ConfigError.
    """
    from mlpack.config import load_config
    from mlpack.ensembles.assembly import service_of
    from mlpack.ensembles.file import FILE_NAME, read_ensemble
    from mlpack.ensembles.services import Targets
    from mlpack.targets.base import EnsembleTarget
    from mlpack.targets.settings import read_settings

    ensemble, _ = read_ensemble(file, models=False)
    workspace = Workspace(Path.cwd())
    last = workspace.last_deployed(ensemble=ensemble.name)
    config = load_config(None, overrides={"name": ensemble.name, "deploy": ensemble.deploy})
    try:
        kind = target_class(config, target, last)
    except UsageError as error:
        error.hint = error.hint.replace("mlpack.yaml", FILE_NAME)
        raise
    section = read_section(config, kind, options, tuple(more or ()), last)
    if "service" in section:
        raise ConfigError(
            f"{ensemble.file}: `deploy.{kind.name}.service` cannot be set",
            hint="The services are named after the ensemble: NAME and NAME-MEMBER. Change `name:`.",
        )

    def make(service: str, values: Mapping[str, Any], of: str = "") -> Any:
        flags = {} if of else {one.option.key: one.option.flag for one in options}
        settings = read_settings(kind.settings, kind.name + of, values, flags)
        try:
            return kind(service, settings, folder=workspace.folder, templates=ensemble.templates)
        except UsageError as error:
            error.hint = error.hint.replace("--service NAME", "shorten the name of the ensemble or of the member")
            raise

    coordinator = make(ensemble.name, section)
    if not isinstance(coordinator, EnsembleTarget):
        runner: EnsembleRunner | None = getattr(coordinator, "ensemble", None)
        if runner is None:
            raise UsageError(
                f"the target {kind.name} releases no ensembles",
                hint="Use cloudrun or compose, or deploy each member with `mlpack deploy`, and name their URLs.",
            )
        return Chosen(ensemble=ensemble, name=kind.name, platforms=kind.platforms, services=None, runner=runner)
    common = {key: value for key, value in section.items() if key not in coordinator.coordinator_settings}

    def member(entry: MemberEntry) -> EnsembleTarget:
        own = _own_section(ensemble, entry, kind.name, coordinator.member_settings)
        found: EnsembleTarget = make(
            service_of(ensemble, entry), {**common, **own, **coordinator.member_settings}, f" of {entry.name}"
        )
        return found

    members = {service_of(ensemble, one): member(one) for one in ensemble.members if one.url is None}
    services = Targets(
        name=ensemble.name, coordinator=coordinator, members=members,
        other=lambda service: make(service, {**common, **coordinator.member_settings}, f" of {service}"),
    )  # fmt: skip
    return Chosen(ensemble=ensemble, name=kind.name, platforms=kind.platforms, services=services, runner=None)


def _own_section(ensemble: EnsembleFile, entry: MemberEntry, target: str, fixed: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a member alone. Raises ConfigError for one that a member cannot have."""
    own = entry.deploy.get(target) or {}
    if not isinstance(own, dict):
        raise ConfigError(
            f"{ensemble.file}: `deploy.{target}` of the member {entry.name} must contain keys and values",
            hint="Example: `deploy: {cloudrun: {memory: 1Gi}}`.",
        )
    for key, value in fixed.items():
        if own.get(key, value) != value:
            raise ConfigError(
                f"{ensemble.file}: `{key}` of the member {entry.name} must be {str(value).lower()}",
                hint="Only the coordinator may send requests to a member. Remove the setting.",
            )
    return dict(own)
