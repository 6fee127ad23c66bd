"""Commands for a deployment target: in addition to their own options, they accept those that the target declares."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from inspect import Parameter, Signature
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand
from typer.main import get_command

from mlpack.errors import UsageError

if TYPE_CHECKING:
    from mlpack.targets.settings import TargetOption

_OFFERED, _GIVEN = "mlpack.offered_target_options", "mlpack.given_target_options"  # keys of the context's `meta`
_PREFIX = "target_option_"  # prevents conflicts with the names of the command's own parameters
_TYPES: dict[str, Any] = {"text": str | None, "integer": int | None, "flag": bool | None, "pairs": list[str] | None}


@dataclass(frozen=True, kw_only=True)
class OfferedOption:
    """An option that a command accepts, with its help for each target that declares it."""

    option: TargetOption
    helps: Mapping[str, str]

    @property
    def parameter(self) -> str:
        """The name of its parameter."""
        return _PREFIX + self.option.flag.strip("-").replace("-", "_")


@dataclass(frozen=True, kw_only=True)
class GivenOption:
    """An option that was given: its value on the command line, and the targets that declare it."""

    option: TargetOption
    value: Any
    targets: tuple[str, ...]


class TargetCommand(TyperCommand):
    """A command that manages a service of a target: it accepts the target's options that locate a service.

    `--target NAME` chooses the target. Without it, the options of all targets are parsed; then mlpack.yaml or the last
    deployment determines the target, and the options of other targets are rejected.
    """

    locating = True

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Add the options of the target to the command's own, then parse."""
        named = _named_target(args)
        try:
            ctx.meta[_OFFERED] = self._offered(named)
        except UsageError:
            if not ctx.resilient_parsing:  # not an error while the shell completes an unfinished line
                raise
        try:
            return super().parse_args(ctx, args)
        except typer.TyperException as error:
            flag = getattr(error, "option_name", None)
            others = {one.option.flag: one for one in self._offered(None)} if named else {}
            if flag in others and named not in others[flag].helps:
                raise _other_targets_option(str(flag), tuple(others[flag].helps), str(named)) from error
            raise

    def get_params(self, ctx: Any) -> list[Any]:
        """The command's own parameters, those of the target, and --help."""
        own = super().get_params(ctx)
        taken = {name for parameter in own for name in parameter.opts}
        offered = [one for one in ctx.meta.get(_OFFERED, ()) if one.option.flag not in taken]
        return [*own[: len(self.params)], *_parameters(offered), *own[len(self.params) :]]

    def invoke(self, ctx: Any) -> Any:
        """Run the command; the target's options are in the context, not among its parameters."""
        given = []
        for one in ctx.meta.get(_OFFERED, ()):
            value = ctx.params.pop(one.parameter, None)
            if value not in (None, [], ()):  # a repeatable option that was not given has no values
                given.append(GivenOption(option=one.option, value=value, targets=tuple(one.helps)))
        ctx.meta[_GIVEN] = tuple(given)
        return super().invoke(ctx)

    def _offered(self, target: str | None) -> list[OfferedOption]:
        return [one for one in offered_options(target) if one.option.locates or not self.locating]


class DeployCommand(TargetCommand):
    """A command that releases a service: it accepts all options of the target."""

    locating = False


def given_options(ctx: typer.Context) -> tuple[GivenOption, ...]:
    """The options of the target that a command was called with."""
    found: tuple[GivenOption, ...] = ctx.meta.get(_GIVEN, ())
    return found


def refuse_other_options(given: Sequence[GivenOption], target: str) -> None:
    """Raise UsageError for an option that this target does not declare."""
    for one in given:
        if target not in one.targets:
            raise _other_targets_option(one.option.flag, one.targets, target)


def offered_options(target: str | None, among: Sequence[str] | None = None) -> list[OfferedOption]:
    """The options of a target; for None those of all targets (or of the targets in `among`), one for each flag.

    If targets declare a flag with different kinds, the first one is used; the others need `--target NAME`. Raises UsageError
    for an unknown target.
    """
    from mlpack.plugins import load, names

    if target is not None:
        return [OfferedOption(option=option, helps={target: ""}) for option in load("targets", target).options]
    found: dict[str, OfferedOption] = {}
    for name in among or names("targets"):
        try:
            declared: tuple[TargetOption, ...] = load("targets", name).options
        except UsageError:  # a plugin that cannot be imported; the error is reported if it is chosen
            continue
        for option in declared:
            first = found.setdefault(option.flag, OfferedOption(option=option, helps={}))
            if first.option.kind == option.kind:
                helps = {**first.helps, name: option.help}
                locates = first.option.locates or option.locates
                found[option.flag] = replace(first, option=replace(first.option, locates=locates), helps=helps)
    return list(found.values())


def help_of(offered: OfferedOption) -> str:
    """The help of an option; it names the targets if there are several."""
    texts: dict[str, list[str]] = {}
    for target, text in offered.helps.items():
        texts.setdefault(text, []).append(target)
    if "" in texts:
        return offered.option.help
    return " ".join(f"{', '.join(targets)}: {text}" for text, targets in texts.items())


def _other_targets_option(flag: str, targets: tuple[str, ...], chosen: str) -> UsageError:
    return UsageError(
        f"{flag} is an option of the target {' and '.join(targets)}, not of {chosen}",
        hint=f"`mlpack deploy --target {chosen} --help` shows the options of {chosen}.",
    )


def _named_target(args: Sequence[str]) -> str | None:
    """The value of the last `--target`, None if there is none."""
    named = None
    for number, word in enumerate(args):
        if word == "--":
            break
        if word == "--target" and number + 1 < len(args):
            named = args[number + 1]
        elif word.startswith("--target="):
            named = word.partition("=")[2]
    return named


def _parameters(offered: Sequence[OfferedOption]) -> list[Any]:
    """The options as parameters, which typer creates from a function signature."""
    if not offered:
        return []

    def declaration() -> None:
        """Do nothing: only the signature is used."""

    parameters = list(_signature(offered))
    declaration.__signature__ = Signature(parameters)  # type: ignore[attr-defined]
    declaration.__annotations__ = {one.name: one.annotation for one in parameters}
    holder = typer.Typer(add_completion=False)
    holder.command()(declaration)
    return list(get_command(holder).params)


def _signature(offered: Sequence[OfferedOption]) -> Iterator[Parameter]:
    for one in offered:
        flag = one.option.flag
        words = f"{flag}/--no-{flag.removeprefix('--')}" if one.option.kind == "flag" else flag
        option = typer.Option(words, metavar=one.option.metavar or None, help=help_of(one))
        kind: Any = _TYPES[one.option.kind]
        yield Parameter(
            one.parameter,
            Parameter.KEYWORD_ONLY,
            default=None,
            annotation=Annotated[kind, option],
        )
