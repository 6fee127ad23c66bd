"""mlpack.yaml: reading and validation of the user's choices, as a Config."""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, get_type_hints

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from mlpack.artifacts.model_reference import ModelReference, reference_of
from mlpack.errors import ConfigError
from mlpack.runtime.settings import Settings, parse_size  # the `serve:` section

__all__ = ["FILE_NAME", "Config", "Settings", "Test", "find_config", "load_config", "parse_size"]

FILE_NAME = "mlpack.yaml"
_DEEPEST = 20


class _Section(BaseModel):
    """A section of mlpack.yaml: immutable, and unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Build(_Section):
    """How the image is built."""

    base: str | None = Field(
        default=None, description="base image instead of python:X.Y-slim (Debian-like, with that Python)"
    )
    platform: Literal["linux/amd64", "linux/arm64"] | None = Field(
        default=None, description="platform of the image; default: that of the engine"
    )
    ca_bundle: Path | None = Field(default=None, description="PEM file trusted while packages are installed")
    wheelhouse: Path | None = Field(
        default=None, description="folder of wheels to install from, without a package index"
    )
    sdists: tuple[str, ...] = Field(
        default=(), description="packages without a wheel whose source package is built, which runs its setup code"
    )
    gpu: bool = Field(default=False, description="install CUDA builds of packages instead of CPU builds")
    slim: bool = Field(
        default=True, description="leave out files that serving never loads, such as C++ headers and test suites"
    )
    max_size: str | None = Field(default=None, description="maximum size of the image, such as 600MB")

    @field_validator("max_size")
    @classmethod
    def _size(cls, text: str | None) -> str | None:
        if text is not None:
            parse_size(text)
        return text

    @property
    def max_bytes(self) -> int | None:
        """`max_size` in bytes."""
        return None if self.max_size is None else parse_size(self.max_size)


class ImageSection(_Section):
    """The repository of the image."""

    repository: str | None = Field(default=None, description="where `mlpack push` pushes to without --to: host/path")


class Test(_Section):
    """What `mlpack test` sends in addition to its own requests."""

    __test__ = False  # not a pytest class

    request: Path | None = Field(default=None, description="JSON body to send to /predict")
    expected: Path | None = Field(default=None, description="JSON answer to compare with")
    tolerance: float = Field(default=1e-6, ge=0, description="largest relative difference of numbers")


class Config(_Section):
    """The user's choices for one model. Paths are absolute after loading."""

    name: str | None = Field(default=None, description="name of the image and the model; default: the name of the file")
    version: str | None = Field(default=None, description="tag, OCI label and V2 model_version")
    model: str | Path | None = Field(default=None, description="the model file or folder")
    entry: str | None = Field(default=None, description="which object to serve if the file contains several")
    signature: str | None = Field(default=None, description="signature for requests that name none")
    framework: str | None = Field(
        default=None,
        description="framework and version, such as scikit-learn==1.0.2; default: those that the file records",
    )
    python: str | None = Field(
        default=None, description="Python version, such as 3.11; default: chosen", pattern=r"^3\.\d+$"
    )
    requirements: tuple[str, ...] = Field(default=(), description="packages in addition to those that the file needs")
    apt: tuple[str, ...] = Field(default=(), description="Debian packages to add to the image")
    include: tuple[Path, ...] = Field(default=(), description="your own code that the model needs")
    predictor: Path | None = Field(
        default=None, description="Python file with your own load, preprocess, predict or postprocess"
    )
    sample: Path | None = Field(default=None, description="a few rows for column names, warm-up, tests and examples")
    templates: Path | None = Field(default=None, description="folder with your own templates")
    engine: str = Field(
        default="docker",
        description="engine that builds, runs and pushes images; `process` serves a model without an image",
    )
    test: Test = Field(default=Test(), description="requests of `mlpack test`")
    build: Build = Field(default=Build(), description="how the image is built")
    image: ImageSection = Field(default=ImageSection(), description="where the image is pushed to")
    serve: Settings = Field(default=Settings(), description="how the service behaves")
    deploy: dict[str, Any] = Field(default_factory=dict, description="deployment target and its settings")

    file: Path | None = Field(default=None, exclude=True, description="the mlpack.yaml it came from")

    @field_validator("model")
    @classmethod
    def _path_or_reference(cls, model: str | Path | None) -> ModelReference | None:
        return reference_of(model) if isinstance(model, str) else model

    @field_validator("serve", mode="before")
    @classmethod
    def _short_batch(cls, serve: Any) -> Any:
        """`batch: off` is short for `batch: {mode: off}`."""
        if isinstance(serve, dict) and isinstance(serve.get("batch"), (bool, str)):
            return {**serve, "batch": {"mode": serve["batch"]}}
        return serve


# Keys that hold paths, relative to the file that names them.
_PATHS = (
    ("model",), ("predictor",), ("sample",), ("templates",), ("include",),
    ("test", "request"), ("test", "expected"), ("build", "ca_bundle"), ("build", "wheelhouse"),
)  # fmt: skip


def find_config(model: ModelReference | None, cwd: Path) -> Path | None:
    """Find mlpack.yaml: beside the model, else in the working folder; None if there is neither."""
    places = [model if model.is_dir() else model.parent] if isinstance(model, Path) else []
    for place in [*places, cwd]:
        candidate = place / FILE_NAME
        if candidate.is_file():
            return candidate
    return None


def load_config(file: Path | None, *, overrides: Mapping[str, Any] | None = None) -> Config:
    """Load a file (None: defaults); `MLPACK_*` variables override it, and `overrides` (options) override both.

    `overrides` has dotted keys (`build.platform`); None values are ignored. Raises ConfigError.
    """
    data: dict[str, Any] = {}
    lines: dict[tuple[str, ...], int] = {}
    if file is not None:
        data, lines = _read_yaml(file)
        _resolve_paths(data, file.parent)
    flags = {dotted: value for dotted, value in (overrides or {}).items() if value is not None}
    environment = _from_environment()
    for dotted, value in {**environment, **flags}.items():
        _set(data, dotted.split("."), value)
    if file is not None:
        data["file"] = file
    try:
        return Config.model_validate(data)
    except ValidationError as error:
        origins = {dotted: _variable(dotted) for dotted in environment} | dict.fromkeys(flags, "the command's options")
        raise _config_error(error, file, lines, origins) from None


def _read_yaml(file: Path) -> tuple[dict[str, Any], dict[tuple[str, ...], int]]:
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
    lines: dict[tuple[str, ...], int] = {}
    _note_lines(node, (), lines, file)
    _keep_texts(node, data)
    return data, lines


def _keep_texts(node: yaml.Node | None, data: dict[str, Any]) -> None:
    """Keep the text of values such as `version: 1.10`, which YAML parses as the number 1.1."""
    for key, value in node.value if isinstance(node, yaml.MappingNode) else ():
        if key.value in {"name", "version", "python"} and data.get(key.value) is not None:
            data[key.value] = value.value if isinstance(value, yaml.ScalarNode) else data[key.value]


def _note_lines(node: yaml.Node | None, path: tuple[str, ...], lines: dict[tuple[str, ...], int], file: Path) -> None:
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


def _resolve_paths(data: dict[str, Any], folder: Path) -> None:
    for keys in _PATHS:
        holder: Any = data
        for key in keys[:-1]:
            holder = holder.get(key) if isinstance(holder, dict) else None
        if not isinstance(holder, dict) or holder.get(keys[-1]) is None:
            continue
        value = holder[keys[-1]]
        if isinstance(value, str):
            place = reference_of(value) if keys == ("model",) else Path(value)
            holder[keys[-1]] = folder / place if isinstance(place, Path) else place
        elif isinstance(value, list):
            holder[keys[-1]] = [folder / item if isinstance(item, str) else item for item in value]


def _from_environment() -> dict[str, Any]:
    """`MLPACK_NAME`, `MLPACK_BUILD_PLATFORM`, `MLPACK_SERVE_MAX_ROWS`: a variable for each plain key."""
    found: dict[str, Any] = {}
    for dotted in _plain_keys():
        value = os.environ.get(_variable(dotted))
        if value:
            found[dotted] = value
    return found


def _variable(dotted: str) -> str:
    return "MLPACK_" + dotted.upper().replace(".", "_")


def _plain_keys() -> list[str]:
    keys = []
    for name, field in Config.model_fields.items():
        section = field.annotation
        if isinstance(section, type) and issubclass(section, _Section):
            keys += [f"{name}.{inner}" for inner in section.model_fields if inner != "sdists"]
        elif name == "serve":
            keys += [f"serve.{inner}" for inner, _, _ in Settings.describe()]
        elif name not in {"requirements", "apt", "include", "deploy", "file", "test"}:
            keys.append(name)
    return keys


def _set(data: dict[str, Any], keys: list[str], value: Any) -> None:
    holder = data
    for key in keys[:-1]:
        inner = holder.get(key)
        if not isinstance(inner, dict):
            inner = holder[key] = {}
        holder = inner
    holder[keys[-1]] = value


def _config_error(
    error: ValidationError, file: Path | None, lines: Mapping[tuple[str, ...], int], origins: Mapping[str, str]
) -> ConfigError:
    """The first error: its origin (file and line, variable, option), the key, and the valid values."""
    first = error.errors()[0]
    path = tuple(str(part) for part in first["loc"])
    key = ".".join(path)
    line = next((lines[path[:n]] for n in range(len(path), 0, -1) if path[:n] in lines), None)
    where = origins.get(key) or (f"{file}:{line}" if file and line else str(file or "the command's options"))
    if first["type"] in {"extra_forbidden", "unexpected_keyword_argument"}:
        near = difflib.get_close_matches(path[-1], _keys_beside(path), n=1, cutoff=0.5)
        hint = f"Did you mean `{near[0]}`?" if near else f"Available keys: {', '.join(_keys_beside(path))}."
        return ConfigError(f"{where}: unknown key `{key}`", hint=hint)
    message = str(first["msg"]).removeprefix("Value error, ")
    meaning = _meaning(path)
    return ConfigError(
        f"{where}: `{key}`: {message}",
        hint=f"The value is {first['input']!r}" + (f". Meaning of the key: {meaning}." if meaning else "."),
    )


def _keys_beside(path: tuple[str, ...]) -> list[str]:
    section = _section_of(path)
    if hasattr(section, "model_fields"):
        return [name for name in section.model_fields if name != "file"]
    return list(getattr(section, "__dataclass_fields__", {}))


def _meaning(path: tuple[str, ...]) -> str:
    fields = getattr(_section_of(path), "model_fields", {})
    return (fields[path[-1]].description or "") if path[-1] in fields else ""


def _section_of(path: tuple[str, ...]) -> Any:
    """The class that has the last key of a path as a field."""
    section: Any = Config
    for part in path[:-1]:
        section = get_type_hints(section).get(part) if isinstance(section, type) else None
    return section
