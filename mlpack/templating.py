"""Jinja, strict: where templates are, and how a name of the user's is quoted for each language."""

from __future__ import annotations

import json
import re
from functools import lru_cache
from pathlib import Path
from typing import Any

from mlpack.errors import TemplateError


def render(name: str, values: dict[str, Any], *, folder: Path | None = None) -> str:
    """The template `name` filled with `values`; one of the same name in `folder` (the user's) wins.

    A user's template may extend ours: `{% extends "mlpack/Dockerfile.j2" %}` and override one block. Raises TemplateError.
    """
    from jinja2 import TemplateError as JinjaError

    try:
        return str(_environment(folder).get_template(name).render(values))
    except JinjaError as error:
        line = getattr(error, "lineno", None)
        where = f"{name}:{line}" if line else name
        raise TemplateError(
            f"template {where}: {error}",
            hint=f"It was looked for in {folder} and then among mlpack's own."
            if folder
            else "Is mlpack whole? Reinstall.",
        ) from error


def templates_dir() -> Path:
    """The folder of mlpack's own templates: in the package when installed, beside it in a checkout."""
    here = Path(__file__).parent
    for candidate in (here / "templates", here.parent / "templates"):
        if candidate.is_dir():
            return candidate
    raise TemplateError("mlpack's templates are missing", hint="Reinstall mlpack-cli.")


@lru_cache(maxsize=4)
def _environment(folder: Path | None) -> Any:
    from jinja2 import ChoiceLoader, Environment, FileSystemLoader, PrefixLoader, StrictUndefined

    ours = FileSystemLoader(templates_dir())
    loaders: list[Any] = [] if folder is None else [FileSystemLoader(folder)]
    environment = Environment(
        loader=ChoiceLoader([*loaders, ours, PrefixLoader({"mlpack": ours})]),
        undefined=StrictUndefined,
        autoescape=False,  # noqa: S701 - no HTML here; each language has its own filter below
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(comment=comment, docker=docker_string, py=python_literal, json=json_text)
    return environment


def comment(value: object) -> str:
    """Text that cannot leave its comment line: controls, line ends and quotes' doubles are replaced."""
    return re.sub(r"[^\x20-\x7e\u00a1-\uffff]+", " ", str(value)).replace('"""', "'''").replace("\\", "/").strip()


def docker_string(value: object) -> str:
    """A double-quoted Dockerfile word: backslash, quote and dollar escaped, controls replaced."""
    text = re.sub(r"[\x00-\x1f\x7f\u2028\u2029]+", " ", str(value))
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$") + '"'


def python_literal(value: object) -> str:
    """A Python literal, ASCII only."""
    return ascii(value)


def json_text(value: object) -> str:
    """JSON on one line, keys in the order given."""
    return json.dumps(value, ensure_ascii=True)
