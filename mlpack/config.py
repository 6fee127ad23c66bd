"""mlpack.yaml: reading and validation of the user's choices, as a Config."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError, field_validator

from mlpack.artifacts.model_reference import ModelReference, reference_of
from mlpack.runtime.settings import Settings, parse_size  # the `serve:` section
from mlpack.yaml_files import Lines, Section, config_error, read_yaml

__all__ = ["FILE_NAME", "Config", "Settings", "Test", "find_config", "load_config", "parse_size", "with_short_batch"]

FILE_NAME = "mlpack.yaml"


class Build(Section):
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


class ImageSection(Section):
    """The repository of the image."""

    repository: str | None = Field(default=None, description="where `mlpack push` pushes to without --to: host/path")


class Test(Section):
    """What `mlpack test` sends in addition to its own requests."""

    __test__ = False  # not a pytest class

    request: Path | None = Field(default=None, description="JSON body to send to /predict")
    expected: Path | None = Field(default=None, description="JSON answer to compare with")
    tolerance: float = Field(default=1e-6, ge=0, description="largest relative difference of numbers")


def with_short_batch(serve: Any) -> Any:
    """The section `serve:` with `batch: off`, which is short for `batch: {mode: off}`, written out."""
    if isinstance(serve, dict) and isinstance(serve.get("batch"), (bool, str)):
        return {**serve, "batch": {"mode": serve["batch"]}}
    return serve


class Config(Section):
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
        return with_short_batch(serve)


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
    lines: Lines = {}
    if file is not None:
        data, lines = read_yaml(file)
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
        raise config_error(error, Config, file, lines, origins) from None


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
        if isinstance(section, type) and issubclass(section, Section):
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
