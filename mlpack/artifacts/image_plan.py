"""ImagePlan, an image as data. The Dockerfile is rendered from it, and an engine can build from it without Docker."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Literal

VENV = "/opt/venv"  # the environment with the locked packages
APP = "/app"
MODEL_FOLDER = "model/"  # in the bundle, and below APP
USER = "65532:65532"  # no account name, no home folder, no permissions


@dataclass(frozen=True, kw_only=True)
class PlacedFile:
    """A file of the bundle in the image: its name in the bundle, its absolute path, its owner as UID:GID, its mode."""

    name: str
    path: str
    owner: str = "0:0"
    mode: int = 0o644


@dataclass(frozen=True, kw_only=True)
class Copy:
    """Copy files into one layer; `content` is their kind.

    The `sources` are files and folders (with a trailing slash) of the bundle, or absolute paths in another stage or image,
    `origin`. `files` lists each file of the bundle with its path in the image.
    """

    kind: ClassVar[str] = "copy"
    content: Literal[
        "sdists",
        "wheels",
        "installer",
        "libraries",
        "locales",
        "packages",
        "runtime",
        "code",
        "model",
        "card",
        "server",
    ]
    sources: tuple[str, ...]
    target: str
    origin: str = ""
    files: tuple[PlacedFile, ...] = ()


@dataclass(frozen=True, kw_only=True)
class InstallPackages:
    """Make the environment `venv` with exactly the packages in `requirements`, each verified by its hash.

    `installer` is the lock of the program that installs them; both are files in `folder` after the stage's first copy. Private
    files of the bundle (index settings, CA bundle, wheels) may be used, and must not remain in a layer. Test folders are
    removed from the top-level packages `without_tests`, and the files and folders `unused` (patterns of the shell, relative to
    the folder of the packages). The code for GPUs is removed from the shared objects `gpu_code` (relative to the same folder)
    by `gpu_script`, a file of the bundle. Then symbol tables and debug information are removed from the shared objects `strip`,
    files and folders (relative to the same folder), by `strip_script`. The wheels in the folder `built` are installed too; ""
    for none. The bytecode is `compiled`, or a later step does it.
    """

    kind: ClassVar[str] = "install-packages"
    folder: str
    installer: str
    requirements: str
    venv: str
    without_tests: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()
    gpu_code: tuple[str, ...] = ()
    gpu_script: str = ""
    strip: tuple[str, ...] = ()
    strip_script: str = ""
    compiled: bool = True
    built: str = ""


@dataclass(frozen=True, kw_only=True)
class BuildWheels:
    """Build the wheels of source packages into the folder `wheels`, as the user `user`, who owns it.

    The private files of the bundle below `build/sdists/` are mounted or copied to `files`: the `sources` and the wheels of
    their build tools. All are verified by `lock`, lines for `sha256sum --check`. The build gets no other file, no package
    index and no login. `compiles`: it needs a C and C++ compiler.
    """

    kind: ClassVar[str] = "build-wheels"
    files: str
    lock: str
    sources: tuple[str, ...]
    wheels: str
    user: str = USER
    compiles: bool = False


@dataclass(frozen=True, kw_only=True)
class FindLibraries:
    """Write the Debian packages with the shared libraries that `venv` needs and the base image lacks to the file `listed`.

    One name a line; `script` is a file of the bundle that does it, with the path of `listed` as its argument.
    """

    kind: ClassVar[str] = "find-libraries"
    script: str
    venv: str
    listed: str


@dataclass(frozen=True, kw_only=True)
class Locale:
    """A locale: its name, and localedef's language and character set for it, such as en_US.UTF-8, en_US, UTF-8."""

    name: str
    language: str
    charset: str


@dataclass(frozen=True, kw_only=True)
class MakeLocales:
    """Make locales in `folder` with Debian's localedef."""

    kind: ClassVar[str] = "make-locales"
    locales: tuple[Locale, ...]
    folder: str


@dataclass(frozen=True, kw_only=True)
class InstallDebianPackages:
    """Install Debian packages: `names`, and those in the file `listed`; without any, nothing is done."""

    kind: ClassVar[str] = "install-debian-packages"
    names: tuple[str, ...]
    listed: str


@dataclass(frozen=True, kw_only=True)
class CompileLibrary:
    """Compile the standard library of the base image to bytecode."""

    kind: ClassVar[str] = "compile-library"


@dataclass(frozen=True, kw_only=True)
class CompileFolder:
    """Compile a folder of Python files to bytecode."""

    kind: ClassVar[str] = "compile-folder"
    folder: str


@dataclass(frozen=True, kw_only=True)
class CompileImports:
    """Compile the modules of `package`, which is in the working folder, and everything that they and `modules` import.

    The bytecode of the standard library and of the installed packages is limited to what is imported.
    """

    kind: ClassVar[str] = "compile-imports"
    package: str
    modules: tuple[str, ...] = ()


Step = (
    BuildWheels
    | Copy
    | InstallPackages
    | FindLibraries
    | MakeLocales
    | InstallDebianPackages
    | CompileLibrary
    | CompileFolder
    | CompileImports
)


@dataclass(frozen=True, kw_only=True)
class Stage:
    """Steps on a base image. Only the last stage is the image; others only provide files that later stages copy."""

    name: str
    base: str  # with its digest if that is known
    steps: tuple[Step, ...]


@dataclass(frozen=True, kw_only=True)
class HealthCheck:
    """A command that exits with 0 in a healthy container; times in seconds."""

    command: tuple[str, ...]
    interval_s: int = 30
    timeout_s: int = 5
    start_period_s: int = 120
    retries: int = 3


@dataclass(frozen=True, kw_only=True)
class ImagePlan:
    """All contents and settings of an image, in a fixed order.

    The last of the `stages` is the image. In the values of `environment`, `$NAME` is the value in the base image. The
    bundle adds `labels`. `name`, `summary`, `mlpack_version` and the lines of `note` (about how the model is served) are for
    people. An engine refuses a step that it does not know.
    """

    name: str
    summary: str
    mlpack_version: str
    platform: str
    stages: tuple[Stage, ...]
    environment: tuple[tuple[str, str], ...]
    working_folder: str
    user: str
    port: int
    health_check: HealthCheck
    entrypoint: tuple[str, ...]
    labels: tuple[tuple[str, str], ...]
    note: tuple[str, ...] = ()

    @property
    def bases(self) -> tuple[str, ...]:
        """The base images, without duplicates."""
        return tuple(dict.fromkeys(stage.base for stage in self.stages))

    @property
    def files(self) -> tuple[PlacedFile, ...]:
        """The files of the bundle that are in the image, in the order of its layers."""
        copies = (step for step in self.stages[-1].steps if isinstance(step, Copy))
        return tuple(file for copy in copies for file in copy.files)

    def with_model_of(self, image: str) -> ImagePlan:
        """The same plan, with the model copied from the model folder of another image."""
        last = self.stages[-1]
        steps = tuple(
            replace(step, origin=image, sources=(f"/{MODEL_FOLDER}",), files=())
            if isinstance(step, Copy) and step.content == "model"
            else step
            for step in last.steps
        )
        return replace(self, stages=(*self.stages[:-1], replace(last, steps=steps)))
