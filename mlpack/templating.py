"""Jinja, strict: where templates are, and how a name of the user's is quoted for each language."""

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
    "mlpack.yaml.j2", "predict_weights.py.j2", "predict_keras_weights.py.j2",
    "ci-github.yml.j2", "ci-gitlab.yml.j2", "ci-cloudbuild.yaml.j2",
}  # fmt: skip


def render(name: str, values: dict[str, Any], *, folder: Path | None = None) -> str:
    """The template `name` filled with `values`; one of the same name in `folder` (the user's) wins.

    A user's template may extend ours: `{% extends "mlpack/Dockerfile.j2" %}` and override one block. Raises TemplateError.
    """
    from jinja2 import TemplateError as JinjaError

    if folder is not None:
        _look_at(folder)
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
    """The Dockerfile of an image, with BuildKit's mounts or without; `values` are more names for a user's template."""
    mounts = "--mount=type=bind,source=build,target=/run/mlpack --mount=type=cache,target=/root/.cache "
    builder = {
        "buildkit": buildkit,
        "mounts": mounts if buildkit else "",
        "pip_cache": "" if buildkit else " --no-cache-dir",
        "uv_cache": " --link-mode=copy" if buildkit else " --no-cache",
    }
    return render("Dockerfile.j2", {**(values or {}), **builder, "plan": plan}, folder=folder)


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


def _look_at(folder: Path) -> None:
    """A folder of templates that overrides nothing is a mistake that nobody would see."""
    ours = sorted(path.name for path in templates_dir().glob("*.j2") if path.name not in _NOT_IN_BUNDLES)
    if not folder.is_dir():
        raise TemplateError(f"no folder {folder}", hint="`templates:` names a folder that holds templates of your own.")
    found = sorted(path.name for path in folder.iterdir() if path.is_file())
    if not set(found) & set(ours):
        near = next((match for name in found for match in difflib.get_close_matches(name, ours, n=1)), None)
        known = f"Did you mean `{near}`?" if near else f"mlpack's are: {', '.join(ours)}."
        held = f"it holds {', '.join(found[:5])}" if found else "it is empty"
        raise TemplateError(f"{folder} overrides no template: {held}", hint=known)


def _refuse_unknown_blocks(environment: Any, file: Path) -> None:
    """Jinja passes silently over a block that the extended template does not have."""
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
    """File and line of a failure: as the error says, else where rendering stood."""
    if getattr(error, "lineno", None):
        return f"{getattr(error, 'filename', None) or getattr(error, 'name', None) or name}:{error.lineno}"  # type: ignore[attr-defined]  # just asked for
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
        return "Is mlpack whole? Reinstall."
    if isinstance(error, TemplateNotFound):
        return f"It was looked for in {folder} and then among mlpack's own, which are also there as mlpack/NAME."
    if isinstance(error, UndefinedError):
        return "mlpack's own template of that name shows which names there are."
    return "Correct it there; https://jinja.palletsprojects.com/templates tells how templates are written."


def comment(value: object) -> str:
    """Text that cannot leave its comment line: line ends, what is not seen, and quotes' doubles are replaced."""
    return _seen(value).replace('"""', "'''").replace("\\", "/").strip()


def docker_string(value: object) -> str:
    """A double-quoted Dockerfile word: backslash, quote and dollar escaped, controls replaced."""
    text = _seen(value)
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$") + '"'


def _seen(value: object) -> str:
    """The text with a space where it has controls, or what has no width or turns the direction of writing."""
    return re.sub(r"\0+", " ", "".join(char if char.isprintable() else "\0" for char in str(value)))


def python_literal(value: object) -> str:
    """A Python literal, ASCII only."""
    return ascii(value)


def json_text(value: object) -> str:
    """JSON on one line, keys in the order given."""
    return json.dumps(value, ensure_ascii=True)
