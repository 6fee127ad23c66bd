"""Configuration files in YAML: read with the line of each key, and validated with errors that name file, line and key."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args, get_type_hints

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from mlpack.errors import ConfigError

Lines = dict[tuple[str, ...], int]  # the line of each key, by its path
_DEEPEST = 20


class Section(BaseModel):
    """A section of a configuration file: immutable, and unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def read_yaml(file: Path) -> tuple[dict[str, Any], Lines]:
    """The keys and values of a file, and the line of each key. Raises ConfigError."""
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read {file}: {error}", hint="It must be a readable UTF-8 text file.") from error
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        data = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{file}:{mark.line + 1}" if mark else str(file)
        problem = getattr(error, "problem", None) or str(error)
        raise ConfigError(
            f"{where} is not valid YAML: {problem}", hint="Check the indentation and the quotes near this line."
        ) from error
    if data is None:
        return {}, {}
    if not isinstance(data, dict):
        raise ConfigError(
            f"{file} contains a {type(data).__name__}, not keys and values", hint="Start with `name: ...`."
        )
    lines: Lines = {}
    _note_lines(node, (), lines, file)
    _keep_texts(node, data)
    return data, lines


def _keep_texts(node: yaml.Node | None, data: dict[str, Any]) -> None:
    """Keep the text of values such as `version: 1.10`, which YAML parses as the number 1.1."""
    for key, value in node.value if isinstance(node, yaml.MappingNode) else ():
        if key.value in {"name", "version", "python"} and data.get(key.value) is not None:
            data[key.value] = value.value if isinstance(value, yaml.ScalarNode) else data[key.value]


def _note_lines(node: yaml.Node | None, path: tuple[str, ...], lines: Lines, file: Path) -> None:
    """Record the line of each key; raise ConfigError for a duplicate key, of which YAML would silently use the last."""
    if len(path) > _DEEPEST:  # an alias can refer to itself
        return
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            here = (*path, str(key.value))
            line = key.start_mark.line + 1
            if here in lines:
                raise ConfigError(
                    f"{file}:{line}: `{'.'.join(here)}` is a duplicate of line {lines[here]}",
                    hint="Remove one of them.",
                )
            lines[here] = line
            _note_lines(value, here, lines, file)
    elif isinstance(node, yaml.SequenceNode):
        for number, value in enumerate(node.value):
            item = (*path, str(number))
            lines[item] = value.start_mark.line + 1
            _note_lines(value, item, lines, file)


def config_error(
    error: ValidationError, kind: type[BaseModel], file: Path | None, lines: Lines, origins: Mapping[str, str]
) -> ConfigError:
    """The first error in a file of this kind: its origin (file and line, variable, option), the key, and the valid values."""
    first = error.errors()[0]
    path = tuple(str(part) for part in first["loc"])
    key = ".".join(path)
    line = next((lines[path[:n]] for n in range(len(path), 0, -1) if path[:n] in lines), None)
    where = origins.get(key) or (f"{file}:{line}" if file and line else str(file or "the command's options"))
    if first["type"] in {"extra_forbidden", "unexpected_keyword_argument"}:
        near = difflib.get_close_matches(path[-1], _keys_beside(kind, path), n=1, cutoff=0.5)
        hint = f"Did you mean `{near[0]}`?" if near else f"Available keys: {', '.join(_keys_beside(kind, path))}."
        return ConfigError(f"{where}: unknown key `{key}`", hint=hint)
    message = str(first["msg"]).removeprefix("Value error, ")
    meaning = _meaning(kind, path)
    return ConfigError(
        f"{where}: `{key}`: {message}",
        hint=f"The value is {first['input']!r}" + (f". Meaning of the key: {meaning}." if meaning else "."),
    )


def line_of(lines: Lines, *path: str | int) -> int:
    """The line of a key or an item, or of the nearest one that contains it."""
    keys = tuple(map(str, path))
    return next((lines[keys[:n]] for n in range(len(keys), 0, -1) if keys[:n] in lines), 1)


def _keys_beside(kind: type[BaseModel], path: tuple[str, ...]) -> list[str]:
    section = _section_of(kind, path)
    if hasattr(section, "model_fields"):
        return [name for name in section.model_fields if name != "file"]
    return list(getattr(section, "__dataclass_fields__", {}))


def _meaning(kind: type[BaseModel], path: tuple[str, ...]) -> str:
    fields = getattr(_section_of(kind, path), "model_fields", {})
    return (fields[path[-1]].description or "") if path[-1] in fields else ""


def _section_of(kind: type[BaseModel], path: tuple[str, ...]) -> Any:
    """The class that has the last key of a path as a field; an item of a list is of the list's class."""
    section: Any = kind
    for part in path[:-1]:
        if part.isdecimal():
            section = next(iter(get_args(section)), None)
        else:
            section = get_type_hints(section).get(part) if isinstance(section, type) else None
    return section
