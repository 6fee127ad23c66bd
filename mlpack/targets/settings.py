"""A target's section in mlpack.yaml, read strictly; an error names the key and the available settings."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from mlpack.errors import ConfigError


class Corner(BaseModel):
    """What every target's settings are: unknown keys are errors, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


CornerType = TypeVar("CornerType", bound=Corner)


def read_corner(kind: type[CornerType], target: str, corner: Mapping[str, Any]) -> CornerType:
    """The settings of one target; raises ConfigError for what does not fit."""
    try:
        return kind.model_validate(dict(corner))
    except ValidationError as error:
        first = error.errors()[0]
        path = [str(part) for part in first["loc"]]
        key = ".".join(["deploy", target, *path])
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
