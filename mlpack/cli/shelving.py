"""How an image gets where a target takes it from: into a registry, or nowhere when it is the same engine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mlpack.artifacts.release import Released
from mlpack.cli.sources import Ready
from mlpack.cli.wiring import Context
from mlpack.errors import UsageError
from mlpack.pipeline.push import push
from mlpack.registries.artifact_registry import ArtifactRegistry, GooglePublisher, Shelf, shelf_of
from mlpack.registries.google_login import GoogleLogin, is_google
from mlpack.registries.referrers import attach
from mlpack.targets.base import Home


@dataclass(frozen=True, kw_only=True)
class Shelving:
    """Where an image goes: `named` by the user, else the project's own repository; None and None: it stays.

    `name` is the image's in that repository; `keep` its clean-up policy.
    """

    context: Context
    named: str | None
    home: Home | None
    name: str
    keep: int | None = None

    def reference(self, ready: Ready) -> str:
        """What the image will be called there, as far as it is known now; asks, and changes nothing."""
        if ready.released is not None:
            return ready.released.reference
        if self.named is not None:
            return self.named
        if self.home is None:
            return ready.image.id
        shelf = Shelf(project=self.home.project, location=self.home.region)
        return f"{ArtifactRegistry().find(shelf) or shelf.usual_uri}/{self.name}"

    def put(self, ready: Ready) -> Released:
        """The image where the target takes it from; pushed only when it must be."""
        image = ready.image
        if ready.released is not None:
            return ready.released
        if self.named is None and self.home is None:
            # On the same engine its own id is a name that never moves.
            return Released(reference=image.id, digest=image.id, tags=image.tags, image=image, report=ready.report)
        publisher, reference = self._publisher()
        login = publisher.login if isinstance(publisher, GooglePublisher) else None
        with self.context.console.progress("pushing") as on_progress:
            return push(
                image,
                ready.receipt,
                publisher=publisher,
                attach=lambda name, kind, payload: attach(name, kind, payload, login=login),
                reference=reference,
                on_progress=on_progress,
            )

    def _publisher(self) -> tuple[Any, str]:
        """Who pushes, and where to; a repository of Artifact Registry is made when it is missing."""
        engine, registry = self.context.engine, ArtifactRegistry()
        if self.named is None and self.home is not None:
            uri = registry.keep(Shelf(project=self.home.project, location=self.home.region), newest=self.keep)
            return GooglePublisher(engine, GoogleLogin(always=True), registry), f"{uri}/{self.name}"
        named = self.named or ""
        shelf = shelf_of(named)
        if self.keep is not None and shelf is None:
            raise UsageError(
                f"--keep is a policy of Artifact Registry, and {named} is not there", hint="Leave --keep out."
            )
        if self.keep is not None and shelf is not None:
            registry.keep(shelf, newest=self.keep)
        if not is_google(named.partition("/")[0]):
            return engine, named
        return GooglePublisher(engine, GoogleLogin(), registry), named
