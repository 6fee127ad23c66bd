"""Every failure mlpack tells of: its class, its exit code, its stable code, its hint."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class MlpackError(Exception):
    """A failure with a remedy: what happened, which thing, what to do now.

    `exit` is the process's exit code (one table in the docs), `code` is stable for scripts, `hint` is the remedy.
    """

    exit: int = 1
    code: str = "internal"

    def __init__(self, message: str, *, hint: str = "", detail: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.detail = detail  # long text (a log's last lines), shown below the message
        self.document: dict[str, Any] = {}  # what was found out all the same, for --json


# 2: usage or configuration ------------------------------------------------------------------------


class UsageError(MlpackError):
    """The command's words do not fit."""

    exit = 2
    code = "usage"


class ConfigError(MlpackError):
    """The mlpack.yaml (or a MLPACK_* variable) does not fit the vocabulary."""

    exit = 2
    code = "config"


class TemplateError(MlpackError):
    """A template is missing or uses a name that does not exist."""

    exit = 2
    code = "template"


# 3: the model ---------------------------------------------------------------------------------------


class ModelError(MlpackError):
    """The model file cannot be used. `info` is what was found out of it all the same, as JSON values."""

    exit = 3
    code = "model"

    def __init__(
        self, message: str, *, hint: str = "", detail: str = "", info: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(message, hint=hint, detail=detail)
        self.info: dict[str, Any] = dict(info or {})


class UnreadableModelError(ModelError):
    """The file is empty, cut off, a pointer, not readable, or broken inside."""

    code = "unreadable"


class UnknownFormatError(ModelError):
    """No format recognised the file: says what was looked at."""

    code = "unknown_format"


class AmbiguousFormatError(ModelError):
    """Two formats claim the file, or a folder or bundle holds several models."""

    code = "ambiguous"


class UnsafeModelError(ModelError):
    """The model would call something dangerous, or code that is not here."""

    code = "unsafe"


class MissingCodeError(ModelError):
    """The file needs classes or functions that neither a package nor the included files define."""

    code = "missing_code"


class MissingPackageError(ModelError):
    """The included files import packages that nothing brings into the image."""

    code = "missing_package"


class MissingVersionError(ModelError):
    """The file does not tell its framework's version."""

    code = "missing_version"


# 4: resolve -----------------------------------------------------------------------------------------


class ResolveError(MlpackError):
    """No set of packages satisfies the model for the target."""

    exit = 4
    code = "resolve"


class PythonTooOldError(ResolveError):
    """The recorded versions need a Python that images no longer exist for."""

    code = "python_too_old"


class IndexUnreachableError(ResolveError):
    """The package index did not answer."""

    code = "index_unreachable"


# 5: engine or build ---------------------------------------------------------------------------------


class EngineError(MlpackError):
    """The container engine failed."""

    exit = 5
    code = "engine"


class EngineUnavailableError(EngineError):
    """No engine answers."""

    code = "engine_unavailable"


class BuildError(EngineError):
    """A step of the build failed; `detail` holds its last lines."""

    code = "build_failed"


class BaseImageError(EngineError):
    """The base image cannot be had."""

    code = "base_image"


class DiskFullError(EngineError):
    """The engine's or this machine's disk is full."""

    code = "disk_full"


class TagConflictError(EngineError):
    """The version's tag names other content."""

    code = "tag_conflict"


class ImageNotFoundError(EngineError):
    """The engine has no such image, or it was not built by mlpack."""

    code = "image_not_found"


# 6: a check failed ----------------------------------------------------------------------------------


class CheckFailedError(MlpackError):
    """A check of the running container failed."""

    exit = 6
    code = "check_failed"


class NotVerifiedError(CheckFailedError):
    """No passing receipt for this image's digest and platform."""

    code = "not_verified"


class ImageTooLargeError(CheckFailedError):
    """The image is larger than `--max-size` allows."""

    code = "image_too_large"


# 7: registry ----------------------------------------------------------------------------------------


class RegistryError(MlpackError):
    """The registry refused or failed."""

    exit = 7
    code = "registry"


class RegistryAuthError(RegistryError):
    """The registry refused the login."""

    code = "registry_auth"


class RegistryNotFoundError(RegistryError):
    """The registry has no such repository."""

    code = "registry_not_found"


class RegistryUnreachableError(RegistryError):
    """The registry did not answer."""

    code = "registry_unreachable"


class RegistryPushError(RegistryError):
    """The push broke off."""

    code = "registry_push"


# 8, 9: deploy ---------------------------------------------------------------------------------------


class DeployError(MlpackError):
    """The deploy failed; nothing changed, or all was put back. `code` tells the cause apart where it is known."""

    exit = 8
    code = "deploy_failed"

    def __init__(self, message: str, *, hint: str = "", detail: str = "", code: str = "") -> None:
        super().__init__(message, hint=hint, detail=detail)
        self.code = code or self.code


class DeployStateError(MlpackError):
    """The deploy failed and left a state that someone must look at."""

    exit = 9
    code = "deploy_state"


class InterruptedByUser(MlpackError):  # noqa: N818 - it is no error, and the user knows it
    """Ctrl-C or SIGTERM, or a no to a question."""

    exit = 130
    code = "interrupted"
