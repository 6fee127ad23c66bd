"""The command line of a model as the user typed it, for messages that show how to go on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from shlex import quote
from typing import Any

from mlpack.pipeline.tools import Options


def command_line(
    command: str,
    model: str | None,
    *,
    overrides: Mapping[str, Any],
    options: Options,
    config: Path | None = None,
    engine: str | None = None,
) -> str:
    """`mlpack COMMAND MODEL` and the options that were given; `overrides` are options by their key in mlpack.yaml."""
    words = ["mlpack", command, *([] if model is None else [quote(model)])]
    given = {**{key.rpartition(".")[2]: value for key, value in overrides.items()}, "config": config, "engine": engine}
    for name, value in given.items():
        words += _option(name.replace("_", "-"), value)
    repeated = {"include": options.include, "require": options.require, "sdist": options.sdist, "tag": options.tags}
    for name, values in repeated.items():
        words += [word for value in values for word in _option(name, value)]
    return " ".join([*words, *_option("trust", options.trust or None), *_option("force", options.force or None)])


def _option(name: str, value: Any) -> Iterator[str]:
    if value is None:
        return
    if isinstance(value, bool):
        yield f"--{name}" if value else f"--no-{name}"
    else:
        yield f"--{name}"
        yield quote(str(value))
