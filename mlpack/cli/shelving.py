"""Where a deploy's image goes before the target takes it: a registry, or nowhere when it is the same engine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mlpack.artifacts.image import Image, Released
from mlpack.cli.console import Console
from mlpack.cli.context import Context
from mlpack.cli.sources import Ready
from mlpack.engines.artifact_registry import ArtifactRegistry, GooglePublisher, Shelf, shelf_of
from mlpack.engines.google_login import GoogleLogin, is_google
from mlpack.engines.registry import attach
from mlpack.errors import UsageError
from mlpack.pipeline.push import push
from mlpack.targets.base import Home


@dataclass(frozen=True, kw_only=True)
class Shelving:
    """How an image gets where the target finds it; `reference` is its name there, as far as it is known before."""

    reference: str
    context: Context
    home: Home | None
    name: str
    keep: int | None

    def put(self, ready: Ready, console: Console) -> Released:
        """The image where the target takes it from; pushed only when it must be."""
        if ready.released is not None:
            return ready.released
        if self.home is None:
            return stay(ready.image, ready)
        publisher, reference = self._publisher()
        login = publisher.login if isinstance(publisher, GooglePublisher) else None
        with console.progress("pushing") as on_progress:
            return push(
                ready.image,
                ready.receipt,
                publisher=publisher,
                attach=lambda name, kind, payload: attach(name, kind, payload, login=login),
                reference=reference,
                on_progress=on_progress,
            )

    def _publisher(self) -> tuple[Any, str]:
        """Who pushes, and where to; a repository of Artifact Registry is made when it is missing."""
        engine, named = self.context.engine, self.context.config.image.repository
        registry = ArtifactRegistry()
        if named is None and self.home is not None:
            uri = registry.keep(Shelf(project=self.home.project, location=self.home.region), newest=self.keep)
            return GooglePublisher(engine, GoogleLogin(always=True), registry), f"{uri}/{self.name}"
        return publisher_for(named or "", engine, keep=self.keep), named or ""


def shelving(context: Context, ready: Ready, home: Home | None, name: str, *, keep: int | None) -> Shelving:
    """Where this image would go; asks, and changes nothing."""
    reference = ready.image.id
    if ready.released is not None:
        reference = ready.released.reference
    elif home is not None:
        shelf = Shelf(project=home.project, location=home.region)
        reference = context.config.image.repository or f"{ArtifactRegistry().find(shelf) or shelf.usual_uri}/{name}"
    return Shelving(reference=reference, context=context, home=home, name=name, keep=keep)


def stay(image: Image, ready: Ready) -> Released:
    """On the same engine nothing is pushed: the engine's own id is a name that never moves."""
    return Released(reference=image.id, digest=image.id, tags=image.tags, image=image, report=ready.report)


def publisher_for(reference: str, engine: Any, *, keep: int | None) -> Any:
    """The engine itself, or for Google's hosts the one that brings a token and makes the repository.

    `keep` sets the repository's clean-up policy.
    """
    shelf, registry = shelf_of(reference), ArtifactRegistry()
    if keep is not None and shelf is None:
        raise UsageError(
            f"--keep is a policy of Artifact Registry, and {reference} is not there", hint="Leave --keep out."
        )
    if keep is not None and shelf is not None:
        registry.keep(shelf, newest=keep)
    if not is_google(reference.partition("/")[0]):
        return engine
    return GooglePublisher(engine, GoogleLogin(), registry)
