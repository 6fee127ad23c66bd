"""ensemble.yaml: the members of an ensemble and its reducer, read and validated."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, ValidationError, field_validator, model_validator

from mlpack.config import Settings, Test, with_short_batch
from mlpack.errors import ConfigError
from mlpack.yaml_files import Lines, Section, config_error, line_of, read_yaml

FILE_NAME = "ensemble.yaml"
COORDINATOR = "coordinator"
REDUCERS = ("mean", "weighted_mean", "median", "hard_vote", "soft_vote", "stack", "cascade")
OF_CLASSES = ("hard_vote", "soft_vote", "cascade")
_NAME = re.compile(r"[a-z]([a-z0-9-]*[a-z0-9])?")
_LONGEST = 60  # characters of a name; a target may allow fewer


def _usable_name(name: str) -> str:
    """The name, if containers, images and services may have it. Raises ValueError."""
    if not _NAME.fullmatch(name) or len(name) > _LONGEST:
        raise ValueError(f"a name has 1 to {_LONGEST} lower-case letters, digits and -, and begins with a letter")
    return name


class MemberEntry(Section):
    """A member: exactly one of `model` (a file or folder), `image` and `url` says what it is."""

    name: str = Field(description="name of the member: lower-case letters, digits and -")
    model: Path | None = Field(default=None, description="model file or folder, built by mlpack")
    image: str | None = Field(default=None, description="image that serves the model, on the engine or in a registry")
    url: str | None = Field(
        default=None, description="URL of a running service, with the model's path if it has several"
    )
    audience: str | None = Field(
        default=None,
        description="of a private Cloud Run service at `url`: its own URL, for the coordinator's identity tokens",
    )
    config: Path | None = Field(
        default=None, description="mlpack.yaml of this member; default: the one beside its model"
    )
    weight: float = Field(
        default=1, ge=0, allow_inf_nan=False, description="weight in weighted_mean, soft_vote and hard_vote"
    )
    timeout_s: float | None = Field(
        default=None, gt=0, description="time limit for each call; default: none of its own"
    )
    required: bool = Field(default=True, description="false: answers may be given without this member")
    classes: tuple[str | int | float | bool, ...] = Field(
        default=(), description="class labels in the order of its probabilities, if the service does not tell them"
    )
    output: str | None = Field(default=None, description="output to use, if the service has several")
    match_columns: Literal["name", "place"] = Field(
        default="name", description="place: its columns are those of the ensemble in order, whatever their names"
    )
    deploy: dict[str, Any] = Field(
        default_factory=dict, description="settings of a deployment target for this member alone"
    )

    @field_validator("name")
    @classmethod
    def _usable(cls, name: str) -> str:
        if name == COORDINATOR:
            raise ValueError("this is the name of the ensemble's own service")
        return _usable_name(name)

    @field_validator("classes")
    @classmethod
    def _different(cls, classes: tuple[Any, ...]) -> tuple[Any, ...]:
        if len(set(classes)) != len(classes):
            raise ValueError("a class is there twice")
        return classes

    @field_validator("deploy")
    @classmethod
    def _sections(cls, deploy: dict[str, Any]) -> dict[str, Any]:
        if wrong := [name for name, section in deploy.items() if not isinstance(section, dict)]:
            raise ValueError(f"{wrong[0]} must contain keys and values")
        return deploy

    @field_validator("url")
    @classmethod
    def _plain_url(cls, url: str | None) -> str | None:
        if url is None:
            return None
        try:
            parts = urlsplit(url)
            parts.port  # noqa: B018 - raises ValueError
        except ValueError as error:
            raise ValueError(f"this is no URL: {error}") from None
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("a url begins with http:// or https:// and a host")
        if parts.username or parts.password or parts.query or parts.fragment:
            raise ValueError(
                "a url has no login, query or fragment, because it is stored in the image; give one that needs them to the "
                "container as a variable: MLPACK_MEMBER_<NAME>_URL"
            )
        return url

    @model_validator(mode="after")
    def _one_source(self) -> MemberEntry:
        given = [key for key in ("model", "image", "url") if getattr(self, key) is not None]
        if len(given) != 1:
            raise ValueError(f"a member has exactly one of model, image and url, not {' and '.join(given) or 'none'}")
        if self.audience is not None and self.url is None:
            raise ValueError("an audience belongs to a url; that of a member's own service is found at its deployment")
        if self.audience is not None and self.url is not None and not self.url.startswith("https://"):
            raise ValueError("a token is only sent to https://")
        return self


class EnsembleFile(Section):
    """An ensemble as the user describes it. Paths are absolute after loading."""

    name: str = Field(description="name of the ensemble: lower-case letters, digits and -")
    version: str | None = Field(default=None, description="version of the ensemble")
    reduce: str = Field(description=f"how answers are combined: {', '.join(REDUCERS)}, or a Python file")
    meta: str | None = Field(default=None, description="with `reduce: stack`: the member that gets the others' outputs")
    threshold: float | None = Field(
        default=None, gt=0, le=1, description="with `reduce: cascade`: the top probability that is enough"
    )
    members: tuple[MemberEntry, ...] = Field(description="the members, in order")
    sample: Path | None = Field(default=None, description="a few rows for the tests and examples of the ensemble")
    templates: Path | None = Field(default=None, description="folder with your own templates")
    test: Test = Field(default=Test(), description="requests of `mlpack ensemble test`")
    serve: Settings = Field(default=Settings(), description="how the coordinator behaves")
    repository: str | None = Field(default=None, description="where images are pushed to: host/path")
    deploy: dict[str, Any] = Field(default_factory=dict, description="deployment target and its settings")

    file: Path = Field(exclude=True, description="the file it came from")

    @field_validator("name")
    @classmethod
    def _usable(cls, name: str) -> str:
        return _usable_name(name)

    @field_validator("serve", mode="before")
    @classmethod
    def _short_batch(cls, serve: Any) -> Any:
        return with_short_batch(serve)

    @property
    def reduce_file(self) -> Path | None:
        """The user's own reduce.py, if there is one."""
        return self.file.parent / self.reduce if self.reduce.endswith(".py") else None

    @property
    def reducer(
        self,
    ) -> Literal["mean", "weighted_mean", "median", "hard_vote", "soft_vote", "stack", "cascade", "custom"]:
        """The word for the reducer."""
        return "custom" if self.reduce_file else self.reduce  # type: ignore[return-value]  # validated below

    def member(self, name: str) -> MemberEntry | None:
        """The member of this name."""
        return next((one for one in self.members if one.name == name), None)


def read_ensemble(path: Path, *, models: bool = True) -> tuple[EnsembleFile, Lines]:
    """Read an ensemble.yaml (or the one in a folder), and the lines of its keys. Raises ConfigError with file and line.

    Without `models`, their files need not be there: a deployed ensemble is managed on machines that have none.
    """
    file = (path / FILE_NAME if path.is_dir() else path).absolute()
    if not file.is_file():
        raise ConfigError(f"no file {file}", hint="Name an ensemble.yaml; docs/ensembles.md shows one.")
    data, lines = read_yaml(file)
    _resolve_paths(data, file.parent)
    try:
        found = EnsembleFile.model_validate({**data, "file": file})
    except ValidationError as error:
        raise config_error(error, EnsembleFile, file, lines, {}) from None
    _check(found, lines, models=models)
    return found, lines


def _resolve_paths(data: dict[str, Any], folder: Path) -> None:
    members = data.get("members")
    for holder, keys in [
        (data, ("sample", "templates")),
        (data.get("test"), ("request", "expected")),
        *((one, ("model", "config")) for one in (members if isinstance(members, list) else ())),
    ]:
        for key in keys:
            if isinstance(holder, dict) and isinstance(holder.get(key), str):
                holder[key] = folder / holder[key]


def _check(found: EnsembleFile, lines: Lines, *, models: bool) -> None:
    """What concerns several keys. Raises ConfigError."""

    def wrong(problem: str, hint: str, *keys: str | int) -> ConfigError:
        return ConfigError(f"{found.file}:{line_of(lines, *keys)}: {problem}", hint=hint)

    _check_members(found, lines, wrong, models=models)
    if found.reduce_file is None and found.reduce not in REDUCERS:
        raise wrong(
            f"unknown reducer `{found.reduce}`", f"Use one of {', '.join(REDUCERS)}, or a file reduce.py.", "reduce"
        )
    if models and found.reduce_file is not None and not found.reduce_file.is_file():
        raise wrong(f"no file {found.reduce_file}", "It must have a function `reduce(outputs, weights)`.", "reduce")
    if found.serve.workers != 1:
        raise wrong(
            "a coordinator has one worker: it waits for its members and computes little",
            "Remove `workers`; start more coordinators, or give the members more workers.", "serve", "workers",
        )  # fmt: skip
    _check_weights(found, wrong)
    _check_stack(found, wrong)
    if found.reducer == "cascade" and found.threshold is None:
        raise wrong("a cascade needs a threshold", "Add `threshold: 0.9`, or another top probability.", "reduce")
    if found.reducer != "cascade" and found.threshold is not None:
        raise wrong("only a cascade has a threshold", "Remove it, or use `reduce: cascade`.", "threshold")


def _check_members(found: EnsembleFile, lines: Lines, wrong: Any, *, models: bool) -> None:
    if not found.members:
        raise wrong("the ensemble has no members", "List at least one under `members:`.", "members")
    for number, member in enumerate(found.members):
        first = next(place for place, one in enumerate(found.members) if one.name == member.name)
        if first != number:
            line = line_of(lines, "members", first)
            raise wrong(f"the member `{member.name}` is there twice, see line {line}", "Rename one.", "members", number)
        others = [f"{found.name}-{one.name}" for one in found.members]
        if member.name == found.name or member.name in others:
            what = "the ensemble" if member.name == found.name else "the container of another member"
            raise wrong(f"`{member.name}` is also the name of {what}", "Rename the member.", "members", number)
        if models and member.model is not None and not member.model.exists():
            raise wrong(
                f"no file {member.model}", "Paths are relative to the ensemble.yaml.", "members", number, "model"
            )
        if member.model is not None and member.model.name == FILE_NAME:
            raise wrong(
                f"the member `{member.name}` is an ensemble itself",
                "Deploy that one first, and name its URL here.", "members", number, "model",
            )  # fmt: skip


def _check_weights(found: EnsembleFile, wrong: Any) -> None:
    if found.reducer in ("weighted_mean", "soft_vote", "hard_vote"):
        required = [one.weight for one in found.members if one.required]
        if not sum(one.weight for one in found.members) > 0 or (required and not sum(required) > 0):
            raise wrong(
                "the weights of the (required) members do not sum to more than 0", "Raise one of them.", "members"
            )
        return
    for number, member in enumerate(found.members):
        if "weight" in member.model_fields_set and found.reducer != "custom":
            raise wrong(
                f"`reduce: {found.reduce}` has no weights",
                "Remove them, or use weighted_mean, soft_vote or hard_vote.", "members", number, "weight",
            )  # fmt: skip


def _check_stack(found: EnsembleFile, wrong: Any) -> None:
    if found.reducer != "stack":
        if found.meta is not None:
            raise wrong("only a stack has a meta-model", "Remove `meta:`, or use `reduce: stack`.", "meta")
        return
    names = ", ".join(one.name for one in found.members)
    if found.meta is None or found.member(found.meta) is None:
        problem = "a stack needs a meta-model" if found.meta is None else f"there is no member `{found.meta}`"
        raise wrong(problem, f"`meta:` names one of the members: {names}.", "meta" if found.meta else "reduce")
    if len(found.members) < 2:
        raise wrong("a stack has a member beside its meta-model", "Add one.", "members")
    for number, member in enumerate(found.members):
        if not member.required:
            raise wrong(
                f"the member `{member.name}` of a stack cannot be optional: the meta-model needs the outputs of all members",
                "Remove `required: false`.", "members", number, "required",
            )  # fmt: skip
