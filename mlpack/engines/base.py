"""The interfaces of an engine, which builds, runs and pushes images, and of a LocalRunner, which has no images.

A class of another package becomes an engine through the entry point `mlpack.engines`; docs/new-engine.md shows a complete one.
`Engine` unites four protocols, one for each kind of caller: `Builder` (build), `Housekeeper` (clean, image), `Runner` (test,
run) and `Publisher` (push). A protocol need not be inherited: a class with the same methods and attributes implements it.

Every method may raise EngineError (exit code 5) with a message and a remedy if the engine fails, and EngineUnavailableError if
it no longer answers. Each docstring names further errors. Other exceptions are reported as internal errors of mlpack.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol

from mlpack.artifacts.bundle import Bundle
from mlpack.artifacts.containers import EngineFacts, Exit, JobResult, Limits, Stats
from mlpack.artifacts.image import Image
from mlpack.artifacts.progress import OnProgress
from mlpack.packages.settings import PackageSettings
from mlpack.registries.credentials import Login

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = [
    "LARGEST_OUTPUT",
    "Builder",
    "Engine",
    "EngineFacts",
    "Exit",
    "Housekeeper",
    "JobResult",
    "Limits",
    "LocalRunner",
    "Publisher",
    "Runner",
    "Running",
    "Stats",
]

LARGEST_OUTPUT = 16 * 1024**2  # bytes; the limit for all files together that a job returns


class Running(Protocol):
    """A service that was started. It may still be starting, and it may have ended already.

    `url` is its address for requests from this machine, such as `http://127.0.0.1:8080`. `address` is the one for other
    services in its network: see `Runner.network`. It is not used for a service that was started without one.
    """

    url: str
    address: str

    def stats(self) -> Stats:
        """Return the resources that the service has used so far. `mlpack test` calls it after the requests."""

    def logs(self) -> str:
        """Return what the service has written to stdout and stderr, also after it has ended.

        `mlpack test` checks it, and shows its end if a check fails.
        """

    def alive(self) -> bool:
        """Return whether the service still runs. mlpack calls it repeatedly while it waits, so that it notices a crash."""

    def stop(self, *, grace_s: float) -> Exit:
        """Send SIGTERM, and SIGKILL if the service has not ended after `grace_s` seconds; return how it ended.

        For a service that has ended already, return how it ended. An exit code other than 0 fails the check `sigterm`.
        """


class Builder(Protocol):
    """Builds images from bundles, finds them again, and tags them, for `mlpack build` and every command that needs an image.

    `builds_dockerfiles` is True if `build` runs the Dockerfile of the bundle, which may be the user's own. It is False if
    `build` follows only `Bundle.plan`; mlpack then raises UsageError for a bundle with a Dockerfile of the user.
    """

    builds_dockerfiles: ClassVar[bool]

    def facts(self) -> EngineFacts:
        """Return the properties of the engine.

        An EngineError is a failed check in `mlpack doctor`; elsewhere mlpack then builds for the platform of this machine.
        """

    def base_digest(self, reference: str, platform: str) -> str | None:
        """Return the digest (`sha256:...`) of a base image in its registry, or else in the engine; None if neither has it.

        It is called while packages are resolved, and the digest becomes part of the lock. After None or an EngineError the
        base image is named by its tag only.
        """

    def build(self, bundle: Bundle, *, tags: tuple[str, ...], on_progress: OnProgress, use_cache: bool = True) -> Image:
        """Build an image, give it the labels of the plan and of the bundle, and tag it.

        It is called if `find_by_label` finds no image, and with `--no-cache`. `on_progress` receives the steps for the display.
        Files in `Bundle.private` may be used while packages are installed, and must not remain in a layer. Ctrl-C
        (KeyboardInterrupt) must end the build.

        Raises BuildError for a step that failed or is unknown, with the end of its output in `detail`; BaseImageError if the
        base image cannot be fetched; DiskFullError. Each of them ends the command with exit code 5.
        """

    def find(self, reference: str) -> Image | None:
        """Return the image with this tag or id; None if the engine has none.

        A reference without a tag means `:latest`. `Image.card` may be the summary in the label `dev.mlpack.card`, or {} for an
        image that mlpack did not build. None leads to ImageNotFoundError in every command that names an image.
        """

    def find_by_label(self, bundle_digest: str, platform: str) -> Image | None:
        """Return the newest image of this platform whose label `dev.mlpack.bundle` has this value; None if there is none.

        `mlpack build` calls it first: an image that it finds is tagged and reused, and nothing is built.
        """

    def card(self, image_id: str) -> dict[str, Any]:
        """Return the complete card of an image, which is the file /app/model.json in it, without running the image.

        Raises ImageNotFoundError if there is no such image, or no card in it. It is called for every image that a command uses.
        """

    def tag(self, image: Image, tags: Iterable[str]) -> Image:
        """Add tags to an image, and return it with all its tags. A tag of another image moves to this one."""


class Housekeeper(Protocol):
    """Lists the images that mlpack built, shows their contents, and removes them."""

    def images(self, *, label: str = ...) -> tuple[Image, ...]:
        """Return the images that have a label, given as `name` or `name=value`, newest first.

        The default is the label of all images that mlpack built, `dev.mlpack.bundle`. `mlpack clean` calls it.
        """

    def layers(self, image_id: str) -> list[tuple[str, int]]:
        """Return each layer's command or content and its size in bytes, newest first. `mlpack image` shows them."""

    def packages(self, image_id: str) -> list[tuple[str, int]]:
        """Return the Python distributions in the image and their sizes in bytes, largest first. `mlpack image` shows them."""

    def remove_tag(self, reference: str) -> None:
        """Remove a tag, and the image too if that was its last tag. A tag that does not exist is not an error.

        Raises EngineError if the image is in use: `mlpack clean` then warns, and adds the tags again that it has removed.
        """


class Runner(Protocol):
    """Runs images: as a service, or as a job, which ends by itself."""

    def run(
        self,
        image: Image,
        *,
        limits: Limits,
        env: Mapping[str, str],
        port: int,
        host_port: int = 0,
        arguments: tuple[str, ...] = (),
        network: str = "",
    ) -> AbstractContextManager[Running]:
        """Start a container as a service; the context manager removes it on every exit, including Ctrl-C.

        The container gets the variables `env`, and PORT with the value `port`. `Running.url` leads to that port through
        `host_port` of this machine; 0 means any free one. An engine without a network of its own per container may choose
        another value for PORT. `arguments` follow the image's entrypoint and replace its default arguments. `network` is the
        name of a network that `network` returned; then `Running.address` is set.

        It must not wait until the service is ready: mlpack sends requests until it is. A container that ends at once is not an
        error either; `Running.alive` then returns False. `mlpack test`, `mlpack run` and the tests before `mlpack deploy` call
        it.

        Raises EngineError if the port is in use or the container cannot be created; ImageNotFoundError. Both end the command
        with exit code 5.
        """

    def job(
        self, image: Image, *, limits: Limits, command: tuple[str, ...], outputs: str, timeout_s: float = 600
    ) -> JobResult:
        """Run a container to its end, without a network; remove it on every exit, including Ctrl-C.

        `command` replaces the image's entrypoint and arguments. The container must be able to write to /tmp, whatever
        `limits.read_only` says. The result contains the files below the folder `outputs`, an absolute path in the container.
        An exit code other than 0 is not an error: it is in the result.

        `mlpack build` checks sample rows with it. Raises EngineError if the job does not end within `timeout_s`, writes more
        than LARGEST_OUTPUT bytes below `outputs`, or cannot start; ImageNotFoundError.
        """

    def network(self) -> AbstractContextManager[str]:
        """Create a network in which services reach each other by `Running.address`; the context manager removes it.

        `mlpack ensemble test` runs the members and the coordinator in it. An engine whose services reach each other anyway may
        return any text that is not empty.
        """


class Publisher(Protocol):
    """Pushes images to registries, and pulls them.

    `mlpack push` uses it, and `mlpack deploy` for a target that needs a registry; `mlpack ensemble` pulls a member's image.
    """

    def pull(self, reference: str, *, on_progress: OnProgress) -> Image:
        """Pull an image unless the engine has it, and return it like `find`.

        Raises BaseImageError if the registry does not have it, cannot be reached, or rejects the login; DiskFullError.
        """

    def push(self, image: Image, reference: str, *, on_progress: OnProgress, login: Login | None = None) -> str:
        """Push the image as `reference`, which is `host/repository:tag`; return the digest of its manifest (`sha256:...`).

        mlpack then names the image by that digest, and attaches the receipt of its test in the registry. `login` is a
        function that returns the credentials for a registry's host; None means the login that the engine itself has.

        Raises RegistryAuthError if the registry rejects the login, RegistryNotFoundError if it has no such repository,
        RegistryUnreachableError if it does not answer, RegistryPushError for other failures. Each of them ends the command with
        exit code 7. For Google's registries, mlpack calls it once more: after RegistryAuthError with a new token, after
        RegistryNotFoundError when it has created the repository.
        """


class Engine(Builder, Housekeeper, Runner, Publisher, Protocol):
    """An engine with images: it implements all four protocols."""

    is_local: ClassVar[Literal[False]]

    @classmethod
    def connect(cls, environ: Mapping[str, str] = ...) -> Self:
        """Connect to the engine, and return an object that uses it. The default for `environ` is `os.environ`.

        A command calls it at most a few times, when it first needs the engine. Raises EngineUnavailableError with the reason
        and a remedy: the command ends with exit code 5, unless it can do without an engine.
        """


class LocalRunner(Protocol):
    """Serves a bundle in a process of this machine. It has no images, so it cannot build, push or verify one.

    It is an engine for `mlpack test`, `mlpack run` and `mlpack doctor` only. Like an engine, it has the entry point
    `mlpack.engines`; mlpack distinguishes the two by `is_local`.
    """

    is_local: ClassVar[Literal[True]]

    def __init__(self, cache: Path) -> None:
        """Keep `cache`, the user's cache folder. Do nothing slow here: a command creates the object before it is used."""

    @property
    def user(self) -> int:
        """The number of the operating system's user who will run the model. mlpack shows it in a warning with `--trust`."""

    def pythons(self, wanted: str | None) -> Iterator[tuple[str, ...]]:
        """Yield sets of Python versions that this machine can run, such as `("3.11",)`.

        mlpack resolves packages for each set in turn, and takes the first one that succeeds. `wanted` is the version that the
        user or the model file names, and None if there is none.
        """

    def serve(
        self,
        bundle: Bundle,
        *,
        settings: PackageSettings,
        limits: Limits,
        host_port: int = 0,
        progress: Callable[[str], AbstractContextManager[OnProgress]],
    ) -> AbstractContextManager[Running]:
        """Install the bundle's locked packages and start its server; the context manager ends it on every exit.

        `settings` are the user's package indexes and logins. `host_port` is the port of the server on this machine; 0 means
        any free one. `progress` is called with the title of a long step; its context manager returns the function that
        receives the progress. The model is loaded on this machine: mlpack has checked that it is safe or trusted.

        Raises ResolveError and IndexUnreachableError (exit code 4) if a package cannot be installed; DiskFullError; EngineError
        if the port is in use or the server cannot start; EngineUnavailableError if this machine cannot run it (exit code 5).
        """
