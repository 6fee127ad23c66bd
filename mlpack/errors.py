"""Every error that a command reports: its class, exit code, stable code and remedy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Need:
    """Something that a build needs from the user, as it is shown: `option` are the words of the command line that answer it.

    `code` is that of the error which a build raises for it; `option` is "" if no option answers it; `placeholders` are the
    values in it that the user must replace.
    """

    code: str
    text: str
    remedy: str = ""
    option: str = ""
    placeholders: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The need as plain JSON values."""
        return {
            "code": self.code,
            "text": self.text,
            "hint": self.remedy,
            "option": self.option,
            "placeholders": list(self.placeholders),
        }


class MlpackError(Exception):
    """An error with a remedy: what happened, to which thing, and what to do about it.

    `exit` is the exit code of the process (see docs/errors.md), `code` is stable for scripts, `hint` is the remedy.
    """

    exit: int = 1
    code: str = "internal"

    def __init__(self, message: str, *, hint: str = "", detail: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.detail = detail  # long text, such as the end of a log, shown with the message
        self.document: dict[str, Any] = {}  # results before the failure, for --json
        self.needs: tuple[Need, ...] = ()  # everything that the build needs, this error included
        self.command = ""  # the command line that answers all needs


# 2: usage or configuration ------------------------------------------------------------------------


class UsageError(MlpackError):
    """The arguments or options of the command are wrong."""

    exit = 2
    code = "usage"


class ConfigError(MlpackError):
    """A key or value in mlpack.yaml or in a MLPACK_* variable is invalid."""

    exit = 2
    code = "config"


class MembersMisfitError(UsageError):
    """The members of an ensemble do not fit each other or the reducer. `member` is the name of the one to change."""

    code = "members_misfit"

    def __init__(self, message: str, *, hint: str = "", detail: str = "", member: str = "") -> None:
        super().__init__(message, hint=hint, detail=detail)
        self.member = member


class MemberUnreachableError(UsageError):
    """The URL of a member of an ensemble does not answer."""

    code = "member_unreachable"


class TemplateError(MlpackError):
    """A template is missing or uses a name that does not exist."""

    exit = 2
    code = "template"


# 3: the model ---------------------------------------------------------------------------------------


class ModelError(MlpackError):
    """The model file cannot be used. `info` is what inspection found in it, as JSON values."""

    exit = 3
    code = "model"

    def __init__(
        self, message: str, *, hint: str = "", detail: str = "", info: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(message, hint=hint, detail=detail)
        self.info: dict[str, Any] = dict(info or {})


class UnreadableModelError(ModelError):
    """The file is empty, truncated, a Git LFS pointer, not readable, or damaged."""

    code = "unreadable"


class UnknownFormatError(ModelError):
    """No format recognised the file."""

    code = "unknown_format"


class AmbiguousFormatError(ModelError):
    """Two formats recognise the file, or a file or folder contains several models."""

    code = "ambiguous"


class UnsafeModelError(ModelError):
    """Loading the model would call something dangerous, or code that is missing."""

    code = "unsafe"


class MissingCodeError(ModelError):
    """The file needs classes or functions that neither a package nor the included files define."""

    code = "missing_code"


class MissingPackageError(ModelError):
    """The included files import packages that would not be installed in the image."""

    code = "missing_package"


class MissingVersionError(ModelError):
    """The file does not record the version of its framework."""

    code = "missing_version"


# 4: resolve -----------------------------------------------------------------------------------------


class ResolveError(MlpackError):
    """No set of package versions satisfies the model on this Python and platform."""

    exit = 4
    code = "resolve"


class PythonTooOldError(ResolveError):
    """The recorded versions need a Python version for which there is no base image."""

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
    """No container engine is available."""

    code = "engine_unavailable"


class BuildError(EngineError):
    """A step of the build failed; `detail` is the end of its output."""

    code = "build_failed"


class BaseImageError(EngineError):
    """The base image cannot be pulled."""

    code = "base_image"


class DiskFullError(EngineError):
    """The disk of the engine or of this machine is full."""

    code = "disk_full"


class TagConflictError(EngineError):
    """The tag of this version already names an image with other content."""

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
    """There is no receipt of a passed test for this image's digest and platform."""

    code = "not_verified"


class ImageTooLargeError(CheckFailedError):
    """The image is larger than `--max-size` allows."""

    code = "image_too_large"


# 7: registry ----------------------------------------------------------------------------------------


class RegistryError(MlpackError):
    """The registry rejected a request or failed."""

    exit = 7
    code = "registry"


class RegistryAuthError(RegistryError):
    """The registry did not accept the login."""

    code = "registry_auth"


class RegistryNotFoundError(RegistryError):
    """The registry has no such repository."""

    code = "registry_not_found"


class RegistryUnreachableError(RegistryError):
    """The registry did not answer."""

    code = "registry_unreachable"


class RegistryPushError(RegistryError):
    """The push failed."""

    code = "registry_push"


# 8, 9: deploy ---------------------------------------------------------------------------------------


class DeployError(MlpackError):
    """A deployment command failed; nothing changed, or everything was rolled back. `code` names the cause if it is known."""

    exit = 8
    code = "deploy_failed"

    def __init__(self, message: str, *, hint: str = "", detail: str = "", code: str = "") -> None:
        super().__init__(message, hint=hint, detail=detail)
        self.code = code or self.code


class DeployStateError(MlpackError):
    """The deployment failed and could not be rolled back completely."""

    exit = 9
    code = "deploy_state"


class InterruptedByUser(MlpackError):  # noqa: N818 - not an error: the user ended the command
    """Ctrl-C or SIGTERM, or the user did not confirm."""

    exit = 130
    code = "interrupted"
