"""An ensemble on its way through the line: each member that is a model file, then the coordinator."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from mlpack.artifacts.bundle import Bundle
from mlpack.artifacts.image import Image
from mlpack.artifacts.model import ModelInfo, TensorSpec
from mlpack.artifacts.prepared import Prepared
from mlpack.ensembles.coordinator import coordinator_of
from mlpack.ensembles.facts import MemberFacts
from mlpack.ensembles.file import EnsembleFile, MemberEntry
from mlpack.ensembles.fitting import Fitted, fit
from mlpack.ensembles.members import of_card, of_model, of_silent_url, of_url
from mlpack.errors import (
    ConfigError,
    EngineError,
    ImageNotFoundError,
    MembersMisfitError,
    MemberUnreachableError,
    MlpackError,
    ModelError,
    UsageError,
)
from mlpack.pipeline.line import Line
from mlpack.registries.google_login import GoogleLogin
from mlpack.registries.images import pushed_image
from mlpack.usercode.predictors import declared_tensors, parameters_of
from mlpack.usercode.python_source import read_source
from mlpack.workspace import FOLDER
from mlpack.yaml_files import Lines, line_of


@dataclass(frozen=True, kw_only=True)
class Described:
    """An ensemble whose members were inspected and fit: `info` is the coordinator as a model of the line.

    `models` are the members that are model files, `images` those that are images, by the members' names.
    """

    ensemble: EnsembleFile
    facts: tuple[MemberFacts, ...]
    models: Mapping[str, Prepared]
    images: Mapping[str, Image]
    fitted: Fitted
    info: ModelInfo


@dataclass(frozen=True, kw_only=True)
class Built:
    """An ensemble with all its images: the coordinator's, and those of the members without a URL, in their order."""

    described: Described
    coordinator: Image
    members: Mapping[str, Image]

    @property
    def ensemble(self) -> EnsembleFile:
        """The ensemble as the user describes it."""
        return self.described.ensemble


@dataclass(frozen=True, kw_only=True)
class Assembly:
    """The steps for one ensemble. `lines` are the lines of its file.

    `member_line` makes the line of a member that is a model file; `coordinator` is the coordinator's. With `offline`, a
    member whose URL does not answer is a warning.
    """

    ensemble: EnsembleFile
    lines: Lines
    coordinator: Line
    member_line: Callable[[MemberEntry], Line]
    offline: bool = False
    _made: dict[str, Line] = field(default_factory=dict, repr=False)

    def inspect(self) -> Described:
        """Find out what each member takes and gives, and whether they fit each other and the reducer.

        Model files are read, never run. Raises the errors of the line, with the file, the line and the member's name;
        UsageError for members that do not fit.
        """
        models: dict[str, Prepared] = {}
        images: dict[str, Image] = {}
        known: dict[str, MemberFacts] = {}
        silent: list[MemberEntry] = []
        for entry in self.ensemble.members:
            with self._about(entry):
                if entry.model is not None:
                    models[entry.name] = self._prepared(entry)
                    known[entry.name] = of_model(entry, models[entry.name].info, self.service(entry))
                elif entry.image is not None:
                    images[entry.name] = self._image(entry.image)
                    known[entry.name] = of_card(entry, images[entry.name].card)
                elif (told := self._told(entry)) is not None:
                    known[entry.name] = told
                else:
                    silent.append(entry)
        for entry in silent:
            known[entry.name] = self._assumed(entry, known)
        facts = tuple(known[entry.name] for entry in self.ensemble.members)
        try:
            fitted = fit(self.ensemble, facts, self._own_outputs())
        except MembersMisfitError as error:
            number = [one.name for one in self.ensemble.members].index(error.member)
            error.message = f"{self._place('members', number)}: {error.message}"
            raise
        folder = self.coordinator.tools.workspace.folder / FOLDER / "ensembles" / self.ensemble.name
        info = coordinator_of(self.ensemble, fitted, folder, sample=_sample(fitted, facts, models, images))
        return Described(
            ensemble=self.ensemble, facts=facts, models=models, images=images, fitted=fitted, info=info
        )  # fmt: skip

    def render(self) -> tuple[Described, Bundle, dict[str, Bundle]]:
        """The bundle of the coordinator, and those of the members that are model files."""
        described = self.inspect()
        bundles = {}
        for entry in self.ensemble.members:
            if entry.name in described.models:
                with self._about(entry):
                    bundles[entry.name] = self.line(entry).run(described.models[entry.name], Bundle)
        return described, self.coordinator.run(described.info, Bundle), bundles

    def build(self) -> Built:
        """Build the images of the members and of the coordinator, and pull those that are in a registry."""
        described = self.inspect()
        images: dict[str, Image] = {}
        for entry in self.ensemble.members:
            with self._about(entry):
                if entry.name in described.models:
                    self.coordinator.tools.reporter.note(f"- member {entry.name}")
                    images[entry.name] = self.line(entry).run(described.models[entry.name], Image)
                elif entry.image is not None:
                    images[entry.name] = self._pulled(entry.image, described.images[entry.name])
        self.coordinator.tools.reporter.note("- coordinator")
        coordinator = self.coordinator.run(described.info, Image)
        return Built(described=described, coordinator=coordinator, members=images)

    def line(self, entry: MemberEntry) -> Line:
        """The line of a member that is a model file."""
        if entry.name not in self._made:
            self._made[entry.name] = self.member_line(entry)
        return self._made[entry.name]

    def service(self, entry: MemberEntry) -> str:
        """The name of a member's image and service."""
        return service_of(self.ensemble, entry)

    def _own_outputs(self) -> tuple[TensorSpec, ...]:
        """The outputs that the user's reduce.py declares; it is not run. Raises ConfigError for one without `reduce`."""
        file = self.ensemble.reduce_file
        if file is None:
            return ()
        source = read_source(file, file.name)
        if source.problem or source.tree is None or len(parameters_of(source.tree, "reduce")) != 2:
            problem = source.problem or "has no function `reduce` with two parameters"
            raise ConfigError(
                f"{self._place('reduce')}: {file.name} {problem}",
                hint="Write `def reduce(outputs, weights):`, which returns a dict of arrays with one value for each row.",
            )
        return declared_tensors(source, "OUTPUTS") or ()

    def _prepared(self, entry: MemberEntry) -> Prepared:
        line = self.line(entry)
        return line.run(line.model, Prepared)

    def _image(self, reference: str) -> Image:
        """The image with its card: the engine's, else that of the registry, pulled if its label has no signatures."""
        tools = self.coordinator.tools
        try:
            return self.coordinator.image(reference)
        except ImageNotFoundError:
            if "@sha256:" in reference:
                platform = tools.platform(self.coordinator.options.platforms)
                found = pushed_image(reference, platform=platform, login=GoogleLogin())
                if found.card.get("signatures"):
                    return found
        except EngineError:
            if "@sha256:" not in reference:
                raise
            platform = tools.platform(self.coordinator.options.platforms)
            return pushed_image(reference, platform=platform, login=GoogleLogin())
        self._pull(reference)
        return self.coordinator.image(reference)

    def _pulled(self, reference: str, known: Image) -> Image:
        """The image in the engine."""
        if self.coordinator.tools.engine.find(reference) is None:
            self._pull(reference)
            return self.coordinator.image(reference)
        return known

    def _pull(self, reference: str) -> None:
        with self.coordinator.tools.reporter.progress(f"pulling {reference}") as on_progress:
            self.coordinator.tools.engine.pull(reference, on_progress=on_progress)

    def _told(self, entry: MemberEntry) -> MemberFacts | None:
        """What the service at the member's URL tells; None, with a warning, if it does not answer and need not."""
        try:
            found = of_url(entry)
        except MemberUnreachableError as error:
            if not self.offline:
                raise
            self.coordinator.tools.reporter.warn(f"--offline: {error.message}; it was not checked")
            return None
        if found.model == self.ensemble.name and found.ensemble:
            raise UsageError(
                f"{entry.url} is this ensemble itself, which would call itself without end",
                hint="Name another service, or give the ensemble another name.",
            )
        return found

    def _assumed(self, entry: MemberEntry, known: Mapping[str, MemberFacts]) -> MemberFacts:
        """A service that does not answer now, taken for one with the signatures of the first member that is known."""
        other = next(iter(known.values()), None)
        if other is None:
            raise self._wrong(
                f"no member can be inspected: {entry.url} does not answer",
                "Start the service, or add a member that is a model file.", "members",
            )  # fmt: skip
        return of_silent_url(entry, other.signatures)

    @contextmanager
    def _about(self, entry: MemberEntry) -> Iterator[None]:
        """Name the member, and its place in the file, in errors."""
        try:
            yield
        except MlpackError as error:
            number = self.ensemble.members.index(entry)
            named = "" if f"member {entry.name}" in error.message else f"the member {entry.name}: "
            error.message = f"{self._place('members', number)}: {named}{error.message}"
            if entry.model is not None and isinstance(error, (ModelError, UsageError)) and error.hint:
                error.hint += (
                    f" Options of a member belong into an mlpack.yaml beside its model ({entry.model.parent})."
                )
                error.command = ""  # it would build this member alone
            raise

    def _place(self, *keys: str | int) -> str:
        return f"{self.ensemble.file}:{line_of(self.lines, *keys)}"

    def _wrong(self, problem: str, hint: str, *keys: str | int) -> UsageError:
        return UsageError(f"{self._place(*keys)}: {problem}", hint=hint)


def service_of(ensemble: EnsembleFile, entry: MemberEntry) -> str:
    """The name of a member's image, container and service."""
    return f"{ensemble.name}-{entry.name}"


def _sample(
    fitted: Fitted, facts: tuple[MemberFacts, ...], models: Mapping[str, Prepared], images: Mapping[str, Image]
) -> tuple[Any, ...]:
    """The sample rows of the first member that has some, and takes rows in the ensemble's layout."""
    layout = fitted.signatures[0].layout
    for one in facts:
        name = one.entry.name
        rows = models[name].sample if name in models else images[name].card.get("sample") if name in images else None
        if rows and one.signatures[0].layout == layout:
            return tuple(rows)
    return ()
