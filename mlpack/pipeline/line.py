"""The line: the steps from a model file to a deployed service.

    reference -fetch-> path -inspect-> ModelInfo -prepare-> Prepared -resolve-> Lock -render-> Bundle -build-> Image
      -verify-> Verified -plan-> Planned -confirm and push-> Released -deploy-> Deployment

Each step takes one immutable value and returns the next one, which carries what later steps need. The commands `inspect`,
`render`, `build`, `test`, `run`, `push` and `deploy` each run a part of the line. There are three variants:

- `push` has no plan: Verified -push-> Released.
- An image that is already in a registry starts as Released, gets its plan, and is not pushed.
- With `--engine process` there is no image: Bundle -check locally-> Report.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from mlpack.artifacts.bundle import Bundle
from mlpack.artifacts.image import Image
from mlpack.artifacts.lock import Lock
from mlpack.artifacts.model import ModelInfo
from mlpack.artifacts.model_reference import ModelReference
from mlpack.artifacts.prepared import Prepared
from mlpack.artifacts.progress import in_bytes
from mlpack.artifacts.release import Planned, Release, Released, Unverified, Verified, release_of
from mlpack.artifacts.report import Report
from mlpack.artifacts.service import Deployment
from mlpack.checks.golden import golden_request_of
from mlpack.checks.smoke import examine
from mlpack.config import Config
from mlpack.engines.base import Running
from mlpack.errors import UsageError
from mlpack.formats.base import distributions_for
from mlpack.packages.handover import private_files
from mlpack.packages.interpreters import platform_here
from mlpack.pipeline.build import build, check_sample, refuse_large, refuse_own_dockerfile
from mlpack.pipeline.built_before import note_build, note_if_built
from mlpack.pipeline.deploy import deploy, refuse_platform
from mlpack.pipeline.fetch import fetch, find_image, find_released
from mlpack.pipeline.inspect import inspect
from mlpack.pipeline.prepare import Examined, examine_model, prepare_options
from mlpack.pipeline.push import leave_on_engine, push
from mlpack.pipeline.render import has_own_dockerfile, render
from mlpack.pipeline.resolve import ResolveOptions, first_lock, resolve
from mlpack.pipeline.tools import Options, Tools
from mlpack.pipeline.verify import failed_checks, verify
from mlpack.readers.samples import read_sample
from mlpack.registries.destinations import Destination
from mlpack.targets.base import Target
from mlpack.workspace import Deployed

Value = TypeVar("Value")


@dataclass(frozen=True, kw_only=True)
class Line:
    """The steps for one model or one image."""

    config: Config
    tools: Tools
    options: Options = field(default_factory=Options)

    def run(self, start: Any, until: type[Value]) -> Value:
        """Run steps from `start` (a reference, a path or a value of the line) until a step returns an `until`.

        Raises the errors of the steps. Ctrl-C stops the current step, which removes its temporary files.
        """
        value = start
        while not isinstance(value, until):
            value = self._step(value, until)(value)
            self.tools.reporter.reached(value)
            if isinstance(value, Prepared) and until not in (Prepared, Lock, Bundle) and self.tools.local is None:
                # Fail before the slow steps if the engine cannot build the image at all.
                refuse_own_dockerfile(self.tools.engine, own=has_own_dockerfile(self.config))
        return value

    def _step(self, value: Any, until: type) -> Callable[[Any], Any]:
        """The step that takes this value, on the way to `until`."""
        if isinstance(value, Path):
            return self._inspect
        if isinstance(value, Released):
            return self._plan if value.plan is None else self._deploy
        # `deploy` plans first, so that the user confirms before anything is pushed.
        after_test = self._plan if until in (Planned, Deployment) else self._push
        steps: dict[type, Callable[[Any], Any]] = {
            str: self._fetch, ModelInfo: self._prepare, Prepared: self._resolve, Lock: self._render,
            Bundle: self._build if self.tools.local is None else self._check_locally,
            Image: self._verify, Verified: after_test, Unverified: after_test, Planned: self._confirm_and_push,
        }  # fmt: skip
        return steps[type(value)]

    @property
    def model(self) -> ModelReference:
        """The model, from the command line or mlpack.yaml. Raises UsageError when neither names one."""
        if self.config.model is None:
            raise UsageError("no model is named", hint="Give its path, or `model:` in mlpack.yaml.")
        return self.config.model

    def image(self, reference: str | None, *, foreign: bool = False) -> Image:
        """The engine's image of this name, without one the last built; `foreign`: also one that mlpack did not build."""
        return find_image(reference, engine=lambda: self.tools.engine, workspace=self.tools.workspace, foreign=foreign)

    def released(self, reference: str) -> Released:
        """An image in a registry, by a reference with a digest, with its receipt."""
        return find_released(
            reference, platform=self._platform(), workspace=self.tools.workspace,
            verified=self.options.verification != "skip", receipt=self.options.receipt,
        )  # fmt: skip

    def serve_locally(self, bundle: Bundle, *, host_port: int = 0) -> AbstractContextManager[Running]:
        """A running server of the bundle in a process of this machine."""
        assert self.tools.local is not None  # noqa: S101 - checked by the callers
        if bundle.lock.apt:
            self.tools.reporter.note(
                f"the image would install {', '.join(bundle.lock.apt)}; a local process uses the libraries of this machine"
            )
        settings, wheelhouse = self.tools.packages(), self.config.build.wheelhouse
        return self.tools.local.serve(
            bundle,
            settings=settings.only(wheelhouse) if wheelhouse else settings,
            limits=self.options.limits,
            host_port=host_port,
            progress=self.tools.reporter.progress,
        )

    def _fetch(self, reference: str) -> Path:
        with self.tools.reporter.progress("fetching the model") as on_progress:
            return fetch(reference, sources=self.tools.sources, folder=self.tools.cache, on_progress=on_progress)

    def _inspect(self, path: Path) -> ModelInfo:
        with self.tools.reporter.progress("reading the model") as on_progress:
            return inspect(
                path,
                entry=self.config.entry,
                framework=self.config.framework,
                formats=list(self.tools.formats.values()),
                sample=self._sample or (),
                opaque=self.config.predictor is not None,
                on_progress=in_bytes(on_progress, "read", f"read {path.name}"),
            )

    def examine(self, info: ModelInfo) -> Examined:
        """Everything that a build of the model needs from the user."""
        return examine_model(info, prepare_options(self.config, self.tools, self.options, self._sample))

    def _prepare(self, info: ModelInfo) -> Prepared:
        examined = self.examine(info)
        if examined.needs:
            note_if_built(info, self.tools, self.options.command)
        prepared = examined.ready(self.options.command)
        if self.tools.local is not None and prepared.info.safety.verdict != "safe":
            self.tools.reporter.warn(
                f"--trust: code that mlpack does not know runs on this machine, as user {self.tools.local.user}"
            )
        return prepared

    def _resolve(self, prepared: Prepared) -> Lock:
        if self.tools.local is None:
            return self._lock(prepared, platform=self._platform())
        choices = self.tools.local.pythons(self.config.python or prepared.python)
        return first_lock(choices, lambda pythons: self._lock(prepared, platform=platform_here(), pythons=pythons))

    def _lock(self, prepared: Prepared, *, platform: str, pythons: tuple[str, ...] = ()) -> Lock:
        options = ResolveOptions(
            python=self.config.python,
            platform=platform,
            requirements=(*self.config.requirements, *self.options.require),
            base=self.config.build.base,
            wheelhouse=self.config.build.wheelhouse,
            framework=self.config.framework,
            apt=self.config.apt,
            pythons=pythons,
            gpu=self.config.build.gpu,
            slim=self.config.build.slim,
            distributions=distributions_for(prepared.info.format, self.tools.formats),
        )
        with self.tools.reporter.progress("resolving packages") as on_progress:
            return resolve(
                prepared,
                options=options,
                settings=self.tools.packages(),
                runtime_requirements=self.tools.runtime_requirements,
                base_digest=self.tools.base_digest,
                cache_dir=self.tools.cache / "locks",
                on_progress=on_progress,
                refresh=self.options.refresh,
            )

    def _render(self, lock: Lock) -> Bundle:
        known = self.tools.formats.get(lock.info.format)
        with self.tools.reporter.progress("rendering") as on_progress:
            private = private_files(
                lock,
                self.tools.packages(),
                secrets=self.options.secrets and self.tools.local is None,
                # If the engine keeps secrets in its build cache, the wheels are downloaded here, and it gets no login.
                caches_secrets=lambda: self.tools.engine.facts().caches_secrets,
                cache=self.tools.cache / "locks",
            )
            return render(
                lock, config=self.config, loader=known.loader if known else None,
                note=known.dockerfile_note if known else "", private=private,
                on_bytes=in_bytes(on_progress, "hash", "model digest"),
            )  # fmt: skip

    def _build(self, bundle: Bundle) -> Image:
        with self.tools.reporter.progress("building") as on_progress:
            image = build(
                bundle, builder=self.tools.engine, extra_tags=self.options.tags, force=self.options.force,
                use_cache=self.options.use_cache, on_progress=on_progress,
            )  # fmt: skip
        self.tools.workspace.note_built(image, config=self.config.file, model=bundle.lock.info.path.resolve())
        refuse_large(image, self.config.build.max_bytes)
        if not (image.cached and self.tools.workspace.has_receipt(image.id)):
            check_sample(image, bundle, engine=self.tools.engine, progress=self.tools.reporter.progress)
        note_build(bundle, self.tools, self.options.command)
        return image

    def _verify(self, image: Image) -> Verified | Unverified:
        workspace, kind = self.tools.workspace, self.options.verification
        if kind == "skip":
            self.tools.reporter.warn("--no-verify: the image is released without a passed test")
            return Unverified(image=image)
        kept = image.cached and self.options.receipt is None and workspace.has_receipt(image.id)
        if kind == "require" or (kind == "reuse" and kept):
            return workspace.receipt(image, file=self.options.receipt if kind == "require" else None)
        self.tools.reporter.testing(image.tags[0] if image.tags else image.id)
        verified, log = verify(
            image,
            runner=self.tools.engine,
            expectation=self.options.expectation,
            limits=self.options.limits,
            on_check=self.tools.reporter.check,
        )
        place = workspace.keep_receipt(verified, copy=self.options.receipt)
        self._refuse_failed(verified.report, log, receipt=place)
        return verified

    def _check_locally(self, bundle: Bundle) -> Report:
        self.tools.reporter.testing(f"{bundle.name} in a local process, not in its image")
        report, log = examine(
            lambda: self.serve_locally(bundle),
            bundle.card,
            expectation=self.options.expectation,
            on_check=self.tools.reporter.check,
        )
        self._refuse_failed(report, log, receipt=None)
        return report

    def _plan(self, source: Verified | Unverified | Released) -> Planned:
        target = self._target(source)
        refuse_platform(source.image, target.platforms)
        with self.tools.reporter.progress("planning"):
            plan = target.plan(source.release if isinstance(source, Released) else self._planned_release(source))
        return Planned(plan=plan if self.options.traffic else plan.without_traffic(), source=source)

    def _confirm_and_push(self, planned: Planned) -> Released:
        plan, source = planned.plan, planned.source
        if not plan.changes_nothing:
            self.tools.reporter.approve(plan)
        if isinstance(source, Released):
            return replace(source, plan=plan)
        return replace(leave_on_engine(source) if plan.changes_nothing else self._push(source), plan=plan)

    def _push(self, source: Verified | Unverified) -> Released:
        destination = self._destination(source)
        if destination is None:
            return leave_on_engine(source)
        with self.tools.reporter.progress("pushing") as on_progress:
            return push(source, engine=self.tools.engine, destination=destination, on_progress=on_progress)

    def _deploy(self, released: Released) -> Deployment:
        assert released.plan is not None  # noqa: S101 - `_step` chooses this step only for one with a plan
        target = self._target(released)
        deployment = deploy(
            released.plan,
            released,
            target=target,
            golden=golden_request_of(released.image.card, released.report, self.options.expectation),
            on_step=lambda step: self.tools.reporter.note(f"- {step}"),
            traffic=self.options.traffic,
            request_file=self.tools.workspace.request_file,
        )
        deployed = Deployed(target=released.plan.target, service=released.plan.service, where=target.where)
        self.tools.workspace.note_deployed(deployed)
        return deployment

    def _platform(self) -> str:
        return self.config.build.platform or self.tools.platform(self.options.platforms)

    def _refuse_failed(self, report: Report, log: str, *, receipt: Path | None) -> None:
        self.tools.reporter.checked(report)
        if not report.ok:
            raise failed_checks(report, log, engine=self.tools.engine_name, receipt=receipt)

    def _target(self, source: Verified | Unverified | Released) -> Target:
        target = self.tools.target(str(source.image.card.get("name") or "") or None)
        if target is None:
            raise UsageError("no target is named", hint="--target NAME, or `deploy: {target: ...}` in mlpack.yaml.")
        return target

    def _planned_release(self, source: Verified | Unverified) -> Release:
        destination = self._destination(source)
        return release_of(source, source.image.id if destination is None else destination.reference())

    def _destination(self, source: Verified | Unverified) -> Destination | None:
        name = str(source.image.card.get("name") or "")
        target = self.tools.target(name or None)
        return self.tools.destination(target, name or (target.service if target else "model"))

    @cached_property
    def _sample(self) -> list[Any] | None:
        return None if self.config.sample is None else read_sample(self.config.sample)
