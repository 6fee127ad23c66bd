"""The composition root: config, formats, package settings and engine, put together for one command."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlpack.cli.output.console import Console
from mlpack.errors import ImageNotFoundError, UsageError

if TYPE_CHECKING:
    from mlpack.artifacts.bundle import Bundle, BundleFile
    from mlpack.artifacts.image import Image
    from mlpack.artifacts.lock import Lock
    from mlpack.artifacts.model import ModelInfo
    from mlpack.config import Config
    from mlpack.engines.docker import DockerEngine
    from mlpack.formats.base import Format
    from mlpack.packages.settings import PackageSettings
    from mlpack.pipeline.prepare import Prepared


@dataclass(frozen=True, kw_only=True)
class Context:
    """What one command works with. `path` is the model; `folder` the working folder, where `.mlpack/` is."""

    console: Console
    config: Config
    path: Path | None
    folder: Path
    trust: bool = False
    include: tuple[Path, ...] = ()
    engine_name: str = "docker"

    @cached_property
    def formats(self) -> dict[str, Format]:
        """Every model format that is installed, by name."""
        from mlpack.formats.base import installed_formats

        return installed_formats()

    @cached_property
    def engine(self) -> DockerEngine:
        """The container engine, connected."""
        from mlpack.errors import EngineUnavailableError
        from mlpack.plugins import load

        try:
            return load("engines", self.engine_name).connect()  # type: ignore[no-any-return]  # a class found by its name
        except EngineUnavailableError as error:
            error.hint += " Without one, `mlpack test --engine process MODEL` tries the model as a local process."
            raise

    def inspect(self) -> ModelInfo:
        """The model, read as data."""
        from mlpack.pipeline.inspect import inspect

        if self.path is None:
            raise UsageError("no model named", hint="Give its path, or `model:` in mlpack.yaml.")
        with self.console.progress("reading the model") as on_progress:
            return inspect(
                self.path,
                entry=self.config.entry,
                framework=self.config.framework,
                formats=list(self.formats.values()),
                sample=self.sample() or (),
                on_progress=_bytes(on_progress, "read", f"read {self.path.name}"),
            )

    def prepare(self, *, trust: bool = False) -> Prepared:
        """The model as it may be packed: its own code found, the gate passed. What was left out is told."""
        from mlpack.pipeline.prepare import Asked, prepare

        asked = Asked(
            include=(*self.config.include, *self.include),
            predictor=self.config.predictor,
            requirements=self.config.requirements,
            python=self.config.python,
            signature=self.config.signature,
            sample=self.sample(),
            trust=trust,
            cwd=self.folder,
        )
        prepared = prepare(self.inspect, self.path or Path(), asked)
        for note in prepared.code.notes if prepared.code else ():
            self.console.note(f"- {note}")
        for warning in prepared.info.warnings:
            if warning.startswith("The file does not tell"):  # the service would refuse what the model takes
                self.console.warn(warning)
        return prepared

    def lock(self, prepared: Prepared, *, refresh: bool = False, here: tuple[str, ...] = ()) -> Lock:
        """The model with everything it needs pinned; for this machine, with one of the Pythons `here`, when they are given."""
        from mlpack.formats.base import distributions_for
        from mlpack.packages.interpreters import platform_here
        from mlpack.packages.settings import read_settings
        from mlpack.pipeline.resolve import ResolveOptions, resolve

        options = ResolveOptions(
            python=self.config.python or prepared.python,
            platform=platform_here() if here else self.platform,
            requirements=self.config.requirements,
            base=self.config.build.base,
            wheelhouse=self.config.build.wheelhouse,
            framework=self.config.framework,
            apt=self.config.apt,
            pythons=here,
            gpu=self.config.build.gpu,
            distributions=distributions_for(prepared.info.format, self.formats),
        )
        with self.console.progress("resolving packages") as on_progress:
            lock = resolve(
                prepared.info,
                options=options,
                settings=self._package_settings(read_settings),
                runtime_requirements=runtime_requirements(),
                base_digest=self.base_digest,
                cache_dir=cache_dir() / "locks",
                on_progress=on_progress,
                refresh=refresh,
            )
        if prepared.python is not None:
            told = f"Python {prepared.python}, which compiled the code that {prepared.info.path.name} holds."
            lock = replace(lock, reasons=(told, *lock.reasons[1:]))
        return lock

    def bundle(self, lock: Lock, prepared: Prepared, *, secrets: bool = True) -> Bundle:
        """The folder that the image is built from."""
        from mlpack.pipeline.render import Recipe, model_name, render, slug

        name = slug(self.config.name) if self.config.name else model_name(lock.info.path)
        recipe = Recipe(
            name=name or "model",
            version=self.config.version,
            loader=self.formats[lock.info.format].loader if lock.info.format in self.formats else None,
            loader_note=lock.info.format,
            dockerfile_note=self.formats[lock.info.format].dockerfile_note if lock.info.format in self.formats else "",
            code=prepared.code,
            options=prepared.options,
            signature=self.config.signature,
            serve=self.config.serve,
            sample=self.sample() or list(lock.info.sample) or None,
            templates=self.config.templates,
            private=self._private(lock, secrets=secrets),
        )
        with self.console.progress("rendering") as on_progress:
            return render(lock, recipe, on_bytes=_bytes(on_progress, "hash", "model digest"))

    def image(self, reference: str | None) -> Image:
        """The image that a reference names, else the one that was built last in the working folder."""
        from mlpack.workspace import last_built

        last = last_built(self.folder)
        name = reference or (last or {}).get("image")
        if name is None:
            raise UsageError(
                "no image named, and none was built in this folder", hint="`mlpack build model.pkl` first."
            )
        found = self.engine.find(name)
        if found is None:
            raise no_image(name)
        found = replace(found, card=self.engine.card(found.id))
        if reference is None and last is not None:
            found = replace(found, tags=tuple(last.get("tags") or found.tags))
        return found

    @property
    def platform(self) -> str:
        """What the image is for: as configured, else the engine's own, else this machine's."""
        if self.config.build.platform:
            return self.config.build.platform
        from mlpack.errors import EngineError

        try:
            return self.engine.facts().platform
        except EngineError:
            return "linux/arm64" if os.uname().machine in {"aarch64", "arm64"} else "linux/amd64"

    def base_digest(self, base: str, platform: str) -> str | None:
        """The digest of the base image as its registry tells it; None without an engine."""
        from mlpack.errors import EngineError

        try:
            return self.engine.base_digest(base, platform)
        except EngineError:
            return None

    def sample(self) -> list[Any] | None:
        """The user's sample rows, None when there are none."""
        if self.config.sample is None:
            return None
        from mlpack.readers.samples import read_sample

        return read_sample(self.config.sample)

    def package_settings(self) -> PackageSettings:
        """Where packages come from: the user's pip and uv settings, and mlpack.yaml's; of a wheelhouse, nowhere else."""
        from mlpack.packages.settings import read_settings

        settings: PackageSettings = self._package_settings(read_settings)
        return settings.only(self.config.build.wheelhouse) if self.config.build.wheelhouse else settings

    def _private(self, lock: Lock, *, secrets: bool) -> tuple[BundleFile, ...]:
        """What the build's install step needs. The classic builder keeps what it copies: it is given wheels, no login."""
        from mlpack.packages.handover import handover, holds_secrets
        from mlpack.packages.local import carried
        from mlpack.packages.settings import read_settings

        settings = self._package_settings(read_settings)
        if secrets and holds_secrets(settings) and not self.engine.facts().buildkit:
            with self.console.progress("fetching packages"):
                lock = carried(lock, settings, cache_dir() / "locks")
            secrets = False
        return handover(settings, lock, secrets=secrets)

    def _package_settings(self, read: Any) -> Any:
        settings = read(os.environ, self.folder)
        if self.config.build.ca_bundle is not None:
            settings = replace(settings, ca_bundle=self.config.build.ca_bundle)
        return settings


def make_context(
    path: Path | None,
    *,
    console: Console,
    config: Path | None = None,
    overrides: Mapping[str, Any] | None = None,
    include: Sequence[Path] | None = None,
    trust: bool = False,
    engine: str = "docker",
) -> Context:
    """A command's context from its words. Raises ConfigError."""
    from mlpack.config import find_config, load_config

    folder = Path.cwd()
    file = config or find_config(path, folder)
    if config is not None and not config.is_file():
        raise UsageError(f"no file {config}", hint="--config names a mlpack.yaml.")
    loaded = load_config(None if file is None else file.resolve(), overrides=overrides)
    return Context(
        console=console,
        config=loaded,
        path=path or loaded.model,
        folder=folder,
        trust=trust,
        include=tuple(include or ()),
        engine_name=engine,
    )


def remembered_config() -> Path | None:
    """The mlpack.yaml of the image that was built last in the working folder, None when there is none."""
    from mlpack.workspace import last_built

    file = (last_built(Path.cwd()) or {}).get("config")
    return Path(file) if isinstance(file, str) and Path(file).is_file() else None


def no_image(name: str) -> ImageNotFoundError:
    """That the engine has no image of this name; who named a file is told what to do with one."""
    suffix = Path(name).suffix[1:]
    if os.path.exists(name):  # noqa: PTH110 - Path's would raise on a name that is too long for a file
        hint = f"It lies here as a file or folder: `mlpack build {name}` makes an image of it."
    elif name.startswith((".", "/", "~")) or (suffix.isidentifier() and ":" not in name):
        hint = "There is no file of that name either."
    else:
        hint = "Build it again, pull it, or name another one."
    return ImageNotFoundError(f"the engine has no image {name}", hint=hint)


def runtime_requirements() -> str:
    """The cellar's own few libraries."""
    return (Path(__file__).resolve().parent.parent / "runtime" / "requirements.txt").read_text(encoding="utf-8")


def cache_dir() -> Path:
    """Where what can be made again is kept between runs: MLPACK_CACHE, else the user's cache folder."""
    named = os.environ.get("MLPACK_CACHE")
    home = os.environ.get("XDG_CACHE_HOME")
    return Path(named) if named else (Path(home) if home else Path.home() / ".cache") / "mlpack"


def _bytes(on_progress: Any, step: str, title: str) -> Any:
    from mlpack.artifacts.progress import Progress

    def told(current: int, total: int) -> None:
        on_progress(Progress(step=step, title=title, current=current, total=total))

    return told
