"""What users can configure of a target: its section in mlpack.yaml, read strictly, and its command-line options."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from mlpack.errors import ConfigError


class TargetSettings(BaseModel):
    """The section of a target in mlpack.yaml: unknown keys are errors, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


@dataclass(frozen=True, kw_only=True)
class TargetOption:
    """A command-line option of a target, which sets `key` of its settings. The settings check the value.

    `flag` is such as `--min-instances`. Kinds: "flag" also has a `--no-...`; "pairs" is NAME=VALUE, repeatable, for a key
    that holds a mapping. An option that `locates` is needed to find an existing service: the commands that manage one take it
    too, and the values of the last deployment are remembered if the target has them in `where`.
    """

    flag: str
    key: str
    help: str
    kind: Literal["text", "integer", "flag", "pairs"] = "text"
    metavar: str = ""
    locates: bool = False


SettingsType = TypeVar("SettingsType", bound=TargetSettings)


def read_settings(
    kind: type[SettingsType], target: str, section: Mapping[str, Any], flags: Mapping[str, str] | None = None
) -> SettingsType:
    """The settings of a target from its section; raises ConfigError for a wrong key or value.

    `flags` has the options that values came from, by key, for the error.
    """
    try:
        return kind.model_validate(dict(section))
    except ValidationError as error:
        first = error.errors()[0]
        path = [str(part) for part in first["loc"]]
        key = (flags or {}).get(path[0] if path else "") or ".".join(["deploy", target, *path])
        known = list(kind.model_fields)
        if first["type"] == "extra_forbidden" and len(path) == 1:
            near = difflib.get_close_matches(path[0], known, n=1, cutoff=0.5)
            hint = f"Did you mean `{near[0]}`?" if near else f"Available settings: {', '.join(known)}."
            raise ConfigError(f"the target {target} has no setting `{path[0]}` ({key})", hint=hint) from None
        field = kind.model_fields.get(path[0]) if path else None
        message, hint = str(first["msg"]).removeprefix("Value error, "), f"Available settings: {', '.join(known)}."
        if field is not None:
            # The value of a variable may be a secret, also where its name was expected; many people read a CI log.
            held = "Check its value" if path[0] in {"env", "secrets"} else f"Its value is {first['input']!r}"
            hint = held + (f" ({field.description})." if field.description else ".")
        if first["type"] == "string_type" and isinstance(first["input"], (bool, int, float)):
            message, hint = "expected a text", "In YAML, write numbers, `yes` and `no` in quotes to make them texts."
        raise ConfigError(f"`{key}`: {message}", hint=hint) from None
