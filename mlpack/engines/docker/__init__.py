"""The Docker engine: builds, runs and pushes through the engine's API, without the docker command."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from mlpack.artifacts import labels
from mlpack.artifacts.bundle import Bundle
from mlpack.artifacts.image import Image
from mlpack.artifacts.progress import OnProgress
from mlpack.artifacts.references import parse_reference
from mlpack.engines.base import EngineFacts, JobResult, Limits
from mlpack.engines.docker.address import Address, find_address
from mlpack.engines.docker.client import Client, engine_errors, engine_facts, open_client
from mlpack.engines.docker.containers import DockerRunning, run_container, service_network
from mlpack.engines.docker.image_contents import layer_sizes, package_sizes
from mlpack.engines.docker.images import find_image, list_images, read_card
from mlpack.engines.docker.owners import remove_abandoned
from mlpack.errors import EngineError, ImageNotFoundError
from mlpack.registries.credentials import Login, registry_header

if TYPE_CHECKING:
    from typing_extensions import Self

# Seconds for a registry's answer about a base image; without a network the engine's name server may take minutes.
_REGISTRY_PATIENCE = 15


class DockerEngine:
    """The Docker engine. It connects at its first use; close it, or use it as a context manager.

    `classic` (or MLPACK_CLASSIC=1) uses the classic builder even if BuildKit is available.
    """

    is_local: ClassVar[Literal[False]] = False
    builds_dockerfiles: ClassVar[bool] = True

    def __init__(self, environ: Mapping[str, str] = os.environ, *, classic: bool = False) -> None:
        self._environ = environ
        self._classic = classic or environ.get("MLPACK_CLASSIC", "") not in {"", "0"}
        self._lock = threading.RLock()
        self._opened: tuple[Address, Client] | None = None
        self._facts: EngineFacts | None = None
        self._swept = False

    @classmethod
    def connect(cls, environ: Mapping[str, str] = os.environ, *, classic: bool = False) -> Self:
        """The engine that the docker CLI would use, connected.

        Raises EngineUnavailableError: not installed, not running, or no permission.
        """
        engine = cls(environ, classic=classic)
        engine._open()
        return engine

    def close(self) -> None:
        """Close the connections; the next call opens them again."""
        with self._lock:
            if self._opened is not None:
                self._opened[1].close()
            self._opened = None
            self._facts = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def facts(self) -> EngineFacts:
        """The properties that the engine reports; read once."""
        with self._lock, engine_errors(self.address, "reading its properties"):
            if self._facts is None:
                self._facts = engine_facts(self._client, self.address, classic=self._classic)
            return self._facts

    def base_digest(self, reference: str, platform: str) -> str | None:
        """The digest that a registry gives for a base image, else the one that the engine has it under, else None.

        It is the digest of the index where there is one; one that has no image for the platform (`linux/amd64`) gives
        None too, and its building then says so.
        """
        name = parse_reference(reference)
        if name.digest:
            return name.digest
        return self._registry_digest(reference, platform) or self._local_digest(reference, platform)

    def build(
        self,
        bundle: Bundle,
        *,
        tags: tuple[str, ...],
        on_progress: OnProgress,
        use_cache: bool = True,
    ) -> Image:
        """The image, built and tagged.

        Raises BuildError (its `detail` holds the failing step's last lines), BaseImageError, DiskFullError,
        EngineUnavailableError; UnreadableModelError when a file changed while it was sent. On Ctrl-C the build ends.
        """
        # what only a build needs: most builds find their image
        from mlpack.engines.docker.buildkit import Builder, build_image

        started = time.monotonic()
        facts = self.facts()
        with engine_errors(self.address, "building the image"):
            image_id, warnings = build_image(
                self._client,
                bundle,
                builder=Builder(buildkit=facts.details["buildkit"], platform=facts.platform, root=self._root(facts)),
                tags=tags,
                on_progress=on_progress,
                use_cache=use_cache,
            )
        image = self._existing(image_id)
        # The engine lists the tags in an order of its own, and earlier ones of the same image with them.
        seconds = time.monotonic() - started
        return replace(image, tags=tags or image.tags, card=bundle.card, seconds=seconds, warnings=warnings)

    def find(self, reference: str) -> Image | None:
        """The image that a reference or an id names, None when the engine has none.

        `card` is the summary in the label dev.mlpack.card; see `card` for the whole. An image without the label
        dev.mlpack.bundle was not built by mlpack.
        """
        with engine_errors(self.address, "looking up the image"):
            return find_image(self._client, reference)

    def find_by_label(self, bundle_digest: str, platform: str) -> Image | None:
        """The newest image that was built from the bundle of this digest for the platform, None when there is none."""
        found = self.images(label=f"{labels.BUNDLE}={bundle_digest}")
        return next((image for image in found if image.platform == platform), None)

    def images(self, *, label: str = labels.BUNDLE) -> tuple[Image, ...]:
        """The images that bear a label (`name` or `name=value`), newest first; by default all that mlpack built."""
        with engine_errors(self.address, "listing images"):
            return list_images(self._client, label)

    def card(self, image_id: str) -> dict[str, Any]:
        """The ModelCard out of an image, which is not run. Raises ImageNotFoundError when it holds none."""
        with engine_errors(self.address, "reading the card of the image"):
            self._existing(image_id)
            return read_card(self._client, image_id)

    def tag(self, image: Image, tags: Iterable[str]) -> Image:
        """Add tags to an image; a tag of another image moves to this one."""
        with engine_errors(self.address, "tagging the image"):
            for tag in tags:
                name = parse_reference(tag)
                self._client.tag(image.id, name.name, name.tag or "latest", force=True)
        return replace(image, tags=tuple(dict.fromkeys((*image.tags, *tags))))

    def remove_tag(self, reference: str) -> None:
        """Remove a tag; an image without another tag is removed too. A tag that does not exist is no error."""
        from docker.errors import NotFound

        with engine_errors(self.address, "removing the tag"), contextlib.suppress(NotFound):
            self._client.remove_image(reference)

    def layers(self, image_id: str) -> list[tuple[str, int]]:
        """What made each layer, and its bytes; newest first."""
        with engine_errors(self.address, "reading the layers of the image"):
            return layer_sizes(self._client, image_id)

    def packages(self, image_id: str) -> list[tuple[str, int]]:
        """The distributions in the image and their bytes, largest first."""
        with engine_errors(self.address, "reading the packages of the image"):
            return package_sizes(self._client, image_id)

    @contextmanager
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
        host_network: bool = False,
    ) -> Iterator[DockerRunning]:
        """A running container with no capabilities and no way to new ones; leaving the `with` removes it.

        The variable PORT is `port`, which is reached through `host_port` (0: any free one) on 127.0.0.1. With `host_network`
        the service uses the network of the engine's machine. With a remote engine, the port is open on all addresses of that
        machine. Raises EngineError (port in use, no start), ImageNotFoundError.
        """
        self._sweep()
        with run_container(
            self._client,
            self.address,
            image,
            limits=limits,
            env=env,
            port=port,
            host_port=host_port,
            arguments=arguments,
            host_network=host_network,
            network=network,
        ) as running:
            yield running

    def network(self) -> AbstractContextManager[str]:
        """A bridge network, in which containers reach each other by name."""
        self._sweep()
        return service_network(self._client, self.address)

    def job(
        self, image: Image, *, limits: Limits, command: tuple[str, ...], outputs: str, timeout_s: float = 600
    ) -> JobResult:
        """Run a container to its end, without a network, and return the files below its folder `outputs`: see Runner.job."""
        from mlpack.engines.docker.jobs import run_job

        self._sweep()
        return run_job(
            self._client,
            self.address,
            image,
            limits=limits,
            command=command,
            outputs=outputs,
            timeout_s=timeout_s,
        )

    def pull(self, reference: str, *, on_progress: OnProgress) -> Image:
        """Pull an image unless the engine has it, with the login of Docker's config and its helpers: see Publisher.pull."""
        from mlpack.engines.docker.base_images import fetch

        with engine_errors(self.address, "pulling the image"):
            fetch(self._client, reference, on_progress, what="image")
        if (found := self.find(reference)) is None:
            raise EngineError(f"the engine has no image {reference} after pulling it", hint="Pull it: `docker pull`.")
        return found

    def push(self, image: Image, reference: str, *, on_progress: OnProgress, login: Login | None = None) -> str:
        """Tag the image as `host/repository:tag` and push it; gives the manifest's digest. The tag stays.

        The login is that of Docker's config and its helpers, or `login`. Raises RegistryAuthError, RegistryNotFoundError
        (no such repository, or no right to it), RegistryUnreachableError (network), else RegistryPushError.
        """
        from mlpack.engines.docker.push import push_image

        self.tag(image, (reference,))
        with engine_errors(self.address, "pushing the image"):
            return push_image(self._client, parse_reference(reference), on_progress, login=login)

    @property
    def address(self) -> Address:
        """Where the engine is."""
        return self._open()[0]

    @property
    def _client(self) -> Client:
        return self._open()[1]

    def _open(self) -> tuple[Address, Client]:
        with self._lock:
            if self._opened is None:
                address = find_address(self._environ)
                self._opened = (address, open_client(address))
            return self._opened

    def _sweep(self) -> None:
        """Remove what killed commands left running, once."""
        if not self._swept:
            self._swept = True
            remove_abandoned(self._client)

    def _root(self, facts: EngineFacts) -> Path | None:
        """Where the engine keeps its images, None when it is elsewhere."""
        root = str(facts.details.get("root_dir") or "")
        return Path(root) if root and self.address.url.startswith("unix://") else None

    def _existing(self, image_id: str) -> Image:
        image = self.find(image_id)
        if image is None:
            raise ImageNotFoundError(f"the engine has no image {image_id}", hint="Build it with `mlpack build`.")
        return image

    def _registry_digest(self, reference: str, platform: str) -> str | None:
        """What the engine hears from the registry, by its own network and mirrors; None when it hears nothing."""
        import requests
        from docker.errors import DockerException

        header = {"X-Registry-Auth": registry_header(parse_reference(reference).registry, needed=False)}
        url = self._client._url("/distribution/{0}/json", reference)  # noqa: SLF001  # its own sends no helper's login
        try:
            answer = self._client._get(url, headers=header, timeout=_REGISTRY_PATIENCE)  # noqa: SLF001
            self._client._raise_for_status(answer)  # noqa: SLF001
            found = answer.json()
        except (DockerException, requests.RequestException, ValueError):
            return None
        known = {f"{entry.get('os')}/{entry.get('architecture')}" for entry in found.get("Platforms") or ()}
        return str(found["Descriptor"]["digest"]) if not known or platform in known else None

    def _local_digest(self, reference: str, platform: str) -> str | None:
        from docker.errors import NotFound

        with engine_errors(self.address, "looking up the base image"):
            try:
                inspected = self._client.inspect_image(reference)
            except NotFound:
                return None
        here = f"{inspected['Os']}/{inspected['Architecture']}"
        name = parse_reference(reference)
        digests = [parse_reference(text) for text in inspected.get("RepoDigests") or ()]
        same = (d.digest for d in digests if (d.registry, d.repository) == (name.registry, name.repository))
        return next(same, None) if here == platform else None
