"""Jinja templates, with undefined names as errors: their folders, and filters that quote text for each language."""

from __future__ import annotations

import difflib
import json
import re
import traceback
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from mlpack.artifacts.image_plan import ImagePlan
from mlpack.errors import TemplateError

_NOT_IN_BUNDLES = {
    "mlpack.yaml.j2", "predict_weights.py.j2", "predict_keras_weights.py.j2", "predict_bundle.py.j2", "predict_object.py.j2",
    "ci-github.yml.j2", "ci-gitlab.yml.j2", "ci-cloudbuild.yaml.j2",
}  # fmt: skip


def render(name: str, values: dict[str, Any], *, folder: Path | None = None) -> str:
    """Render the template `name`; one of the same name in `folder`, the user's, takes precedence.

    A user's template may extend mlpack's (`{% extends "mlpack/Dockerfile.j2" %}`) and override blocks. Raises TemplateError.
    """
    from jinja2 import TemplateError as JinjaError

    if folder is not None:
        _refuse_useless(folder)
    environment = _environment(folder)
    try:
        if folder is not None and (folder / name).is_file():
            _refuse_unknown_blocks(environment, folder / name)
        return str(environment.get_template(name).render(values))
    except (JinjaError, ArithmeticError, LookupError, TypeError, ValueError) as error:
        raise TemplateError(f"{_place(error, name)}: {_words(error)}", hint=_hint(error, folder)) from error


def render_dockerfile(
    plan: ImagePlan, values: Mapping[str, Any] | None = None, *, buildkit: bool, folder: Path | None = None
) -> str:
    """Render the Dockerfile of an image, with or without BuildKit's mounts; `values` are more variables for templates."""
    mounts = "--mount=type=bind,source=build,target=/run/mlpack --mount=type=cache,target=/root/.cache "
    builder = {
        "buildkit": buildkit,
        "sdists_mount": "--mount=type=bind,source=build/sdists,target=/sdists/files " if buildkit else "",
        "mounts": mounts if buildkit else "",
        "pip_cache": "" if buildkit else " --no-cache-dir",
        "uv_cache": " --link-mode=copy" if buildkit else " --no-cache",
    }
    return render("Dockerfile.j2", {**(values or {}), **builder, "plan": plan}, folder=folder)


def templates_dir() -> Path:
    """The folder of mlpack's templates: in the installed package, or beside it in a checkout."""
    here = Path(__file__).parent
    for candidate in (here / "templates", here.parent / "templates"):
        if candidate.is_dir():
            return candidate
    raise TemplateError("mlpack's templates are missing", hint="Reinstall mlpack-cli.")


@lru_cache(maxsize=4)
def _environment(folder: Path | None) -> Any:
    from jinja2 import ChoiceLoader, Environment, FileSystemLoader, PrefixLoader, StrictUndefined

    built_in = FileSystemLoader(templates_dir())
    loaders: list[Any] = [] if folder is None else [FileSystemLoader(folder)]
    environment = Environment(
        loader=ChoiceLoader([*loaders, built_in, PrefixLoader({"mlpack": built_in})]),
        undefined=StrictUndefined,
        autoescape=False,  # noqa: S701 - no HTML here; each language has its own filter below
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(comment=comment, docker=docker_string, py=python_literal, json=json_text)
    return environment


def _refuse_useless(folder: Path) -> None:
    """Raise TemplateError for a folder that overrides no template, which would have no effect."""
    built_in = sorted(path.name for path in templates_dir().glob("*.j2") if path.name not in _NOT_IN_BUNDLES)
    if not folder.is_dir():
        raise TemplateError(f"no folder {folder}", hint="`templates:` names a folder with your own templates.")
    found = sorted(path.name for path in folder.iterdir() if path.is_file())
    if not set(found) & set(built_in):
        near = next((match for name in found for match in difflib.get_close_matches(name, built_in, n=1)), None)
        known = f"Did you mean `{near}`?" if near else f"mlpack's templates: {', '.join(built_in)}."
        contents = f"it contains {', '.join(found[:5])}" if found else "it is empty"
        raise TemplateError(f"{folder} overrides no template: {contents}", hint=known)


def _refuse_unknown_blocks(environment: Any, file: Path) -> None:
    """Raise TemplateError for a block that the extended template does not have, which Jinja ignores silently."""
    from jinja2 import nodes

    tree = environment.parse(file.read_text(encoding="utf-8"), filename=str(file))
    parent = next((node.template for node in tree.body if isinstance(node, nodes.Extends)), None)
    if not isinstance(parent, nodes.Const):
        return
    known = list(environment.get_template(parent.value).blocks)
    for node in tree.body:
        if isinstance(node, nodes.Block) and node.name not in known:
            near = difflib.get_close_matches(node.name, known, n=1)
            raise TemplateError(
                f"{file}:{node.lineno}: {parent.value} has no block `{node.name}`",
                hint=f"Did you mean `{near[0]}`?" if near else f"Its blocks are: {', '.join(known)}.",
            )


def _place(error: BaseException, name: str) -> str:
    """File and line of an error: from the error, else from its traceback."""
    if getattr(error, "lineno", None):
        return f"{getattr(error, 'filename', None) or getattr(error, 'name', None) or name}:{error.lineno}"  # type: ignore[attr-defined]  # checked above
    frames = traceback.extract_tb(error.__traceback__)
    inside = next((frame for frame in reversed(frames) if frame.filename.endswith(".j2")), None)
    return f"{inside.filename}:{inside.lineno}" if inside else f"template {name}"


def _words(error: Exception) -> str:
    from jinja2 import TemplateError as JinjaError
    from jinja2 import TemplateNotFound

    if isinstance(error, TemplateNotFound):
        return f"there is no template {error.name}"
    return str(error).rstrip(".") if isinstance(error, JinjaError) else f"{type(error).__name__}: {error}"


def _hint(error: Exception, folder: Path | None) -> str:
    from jinja2 import TemplateNotFound, UndefinedError

    if folder is None:
        return "The installation may be incomplete: reinstall mlpack-cli."
    if isinstance(error, TemplateNotFound):
        return f"Templates are searched in {folder}, then among mlpack's own, which are also available as mlpack/NAME."
    if isinstance(error, UndefinedError):
        return "mlpack's own template of that name shows the available variables."
    return "Correct the template; https://jinja.palletsprojects.com/templates documents its syntax."


def comment(value: object) -> str:
    """Text that cannot end a comment: line ends, invisible characters, triple quotes and backslashes are replaced."""
    return _seen(value).replace('"""', "'''").replace("\\", "/").strip()


def docker_string(value: object) -> str:
    """A double-quoted Dockerfile string: backslash, quote and dollar escaped, control characters replaced."""
    text = _seen(value)
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$") + '"'


def _seen(value: object) -> str:
    """The text with spaces instead of control characters, zero-width characters and changes of the writing direction."""
    return re.sub(r"\0+", " ", "".join(char if char.isprintable() else "\0" for char in str(value)))


def python_literal(value: object) -> str:
    """A Python literal, ASCII only."""
    return ascii(value)


def json_text(value: object) -> str:
    """JSON on one line, keys in the order given."""
    return json.dumps(value, ensure_ascii=True)
