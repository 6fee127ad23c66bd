"""From ModelInfo to Prepared: find the user code, enforce the verdict, determine the Python and the signatures."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from shlex import quote
from typing import Any, TypeVar

from mlpack.artifacts.model import ModelInfo, Safety
from mlpack.artifacts.needs import Answer, Unmet, error_of
from mlpack.artifacts.notice import NoticeCode, assumed
from mlpack.artifacts.prepared import Prepared
from mlpack.config import Config
from mlpack.discovery.opaque import judge_files
from mlpack.errors import ConfigError, MissingVersionError, MlpackError, ResolveError, UsageError
from mlpack.packages.names import strip_login
from mlpack.packages.wanted import wanted
from mlpack.pipeline.gate import refuse_dangerous, sample_at_hand, trust_needed, unservable
from mlpack.pipeline.sample_rows import fit_rows, text_columns, with_sampled_names
from mlpack.pipeline.tools import Options, Tools
from mlpack.readers.pickles.bytecode import KNOWN
from mlpack.readers.samples import read_sample
from mlpack.usercode.coverage import Coverage, find_coverage
from mlpack.usercode.nearby import sample_answer
from mlpack.usercode.predictors import Contract, read_contract, signatures_for
from mlpack.usercode.python_source import read_source

_LIKE_TRAINING = (
    "Write rows as in training, before any step of the model: `X.head(20).to_csv('rows.csv', index=False)`."
)
Value = TypeVar("Value")
_MOST_ROUNDS = 10  # files to include that name further files


@dataclass(frozen=True, kw_only=True)
class PrepareOptions:
    """The user's choices: user code, requirements, Python, signature, sample rows; `folder` is the working folder.

    `index` returns the address of the package index, for messages. Without `packages` no packages will be installed, so the
    version of the framework need not be known.
    """

    include: tuple[Path, ...] = ()
    predictor: Path | None = None
    requirements: tuple[str, ...] = ()
    framework: str | None = None
    python: str | None = None
    signature: str | None = None
    sample: list[Any] | None = None
    sample_file: Path | None = None
    trust: bool = False
    local: bool = False  # the model will be loaded on this machine, outside of any container
    packages: bool = True
    folder: Path = field(default_factory=Path.cwd)
    index: Callable[[], str] = lambda: "the package index"


@dataclass(frozen=True, kw_only=True)
class Examined:
    """A model before a build: `info` with what the user's code covers, and all that is still needed.

    `prepared` is the model as it will be packed, None if something is needed.
    """

    info: ModelInfo
    needs: tuple[Unmet, ...] = ()
    prepared: Prepared | None = None

    def ready(self, command: str) -> Prepared:
        """The model as it will be packed; `command` is what the user typed.

        Raises the error of the first need, which lists all needs: UnsafeModelError, MissingCodeError, MissingPackageError,
        ConfigError, AmbiguousFormatError, ModelError, ResolveError (its compiled code needs another Python), UsageError (no
        such signature), MissingVersionError.
        """
        if self.prepared is None:
            raise error_of(self.needs, command)
        return self.prepared


def prepare_options(config: Config, tools: Tools, options: Options, sample: list[Any] | None) -> PrepareOptions:
    """The user's choices in mlpack.yaml and on the command line."""
    return PrepareOptions(
        include=(*config.include, *options.include),
        predictor=config.predictor,
        requirements=(*config.requirements, *options.require),
        framework=config.framework,
        python=config.python,
        signature=config.signature,
        sample=sample,
        sample_file=config.sample,
        trust=options.trust,
        local=tools.local is not None,
        packages=options.packages,
        folder=tools.workspace.folder,
        index=lambda: _index(config, tools),
    )


def _index(config: Config, tools: Tools) -> str:
    """Where packages come from, without logins."""
    if config.build.wheelhouse is not None:
        return str(config.build.wheelhouse)
    settings = tools.packages()
    return " and ".join(strip_login(one) for one in (*settings.indexes, *settings.find_links)) or "no package index"


def prepare(info: ModelInfo, options: PrepareOptions) -> Prepared:
    """Return the model as it will be packed, with the user code that it needs. Neither the model nor that code is run.

    Raises the errors of `Examined.ready`.
    """
    return examine_model(info, options).ready(f"mlpack build {quote(info.path.name)}")


def examine_model(info: ModelInfo, options: PrepareOptions) -> Examined:
    """Find everything that a build of the model needs from the user, and prepare the model if it needs nothing.

    A file that is missing and was found near the model may need further files and packages: it is examined as if it were
    included, until nothing new is found.
    """
    first = found = _examine_once(info, options)
    answered: list[Unmet] = []
    for _ in range(_MOST_ROUNDS):
        again = _answered(options, found.needs)
        if again == options:
            break
        answered += [one for one in found.needs if _can_answer(one)]
        options, found = again, _examine_once(info, again)
    needs = (*answered, *(one for one in found.needs if not one.repeats(answered)))
    suggested = None if options.sample or not needs else sample_at_hand(found.info, options.folder)
    return replace(first, needs=needs if suggested is None else (*needs, suggested))


def _can_answer(need: Unmet) -> bool:
    """Whether the search goes on as if the need were met: its files are known."""
    return bool(need.answers) and all(one.known and one.option in _FOLLOWED for one in need.answers)


_FOLLOWED = frozenset({"--include"})


def _answered(options: PrepareOptions, needs: Iterable[Unmet]) -> PrepareOptions:
    answers = [answer for need in needs if _can_answer(need) for answer in need.answers]
    paths = [options.folder / answer.value for answer in answers]
    return replace(options, include=tuple(dict.fromkeys((*options.include, *paths))))


class _Needs(list[Unmet]):
    """The needs in their order."""

    def attempt(self, step: Callable[[], Value], *answers: Answer) -> Value | None:
        """The result of a step; if it fails, None, and its error is added as a need with the options that answer it."""
        try:
            return step()
        except MlpackError as error:
            self.append(Unmet(error=error, answers=answers))
            return None

    def add(self, need: Unmet | None) -> None:
        """Add a need if there is one."""
        if need is not None:
            self.append(need)


def _examine_once(info: ModelInfo, options: PrepareOptions) -> Examined:
    needs = _Needs()
    contract = needs.attempt(lambda: None if options.predictor is None else _contract(options.predictor))
    if contract is not None and info.safety == Safety(verdict="unknown"):  # recognised, but not read to its end
        read = judge_files(info.path)
        info = info if read.verdict == "safe" else replace(info, safety=read)
    if contract is not None and "beside" in info.details:  # the predictor does the work of what is beside the model
        info = replace(info, notices=tuple(one for one in info.notices if one.code is not NoticeCode.LEFT_OUT))
    if contract is None and _is_hopeless(info):
        needs.attempt(lambda: refuse_dangerous(info, local=options.local))
        needs.add(unservable(info, cwd=options.folder, local=options.local) if not needs else None)
        return Examined(info=info, needs=tuple(needs))
    coverage = needs.attempt(lambda: _coverage(info, contract, options))
    if coverage is None:
        return Examined(info=info, needs=tuple(needs))
    info = coverage.info
    needs += coverage.needs
    needs.add(
        trust_needed(info, coverage.open, index=options.index, local=options.local) if not options.trust else None
    )
    if options.trust and coverage.open:
        info = replace(info, names={**info.names, "trusted": coverage.open})
    info, loading = _with_signatures(info, contract, options, needs)
    info, sample = _with_sample(info, options, needs)
    python = needs.attempt(lambda: _python(info, options.python), _python_answer(info, options.python))
    if options.packages:
        needs.add(_unwanted(info, options))
    if needs:
        return Examined(info=info, needs=tuple(needs))
    sample = sample or list(info.sample) or None
    prepared = Prepared(info=info, code=coverage.code, options=loading, python=python, sample=sample)
    return Examined(info=info, prepared=prepared)


def _is_hopeless(info: ModelInfo) -> bool:
    """Whether neither code of the user, nor --trust, nor sample rows would make it servable."""
    by_sample = any(notice.by_sample for notice in info.notices)
    return bool(info.advice) and not info.signatures and info.own_class is None and not by_sample


def _coverage(info: ModelInfo, contract: Contract | None, options: PrepareOptions) -> Coverage:
    refuse_dangerous(info, local=options.local)  # before the search for the code that it needs
    return find_coverage(
        info,
        include=options.include,
        predictor=None if contract is None else options.predictor,
        requirements=options.requirements,
        cwd=options.folder,
    )


def _with_signatures(
    info: ModelInfo, contract: Contract | None, options: PrepareOptions, needs: _Needs
) -> tuple[ModelInfo, dict[str, Any]]:
    """The model with the signatures of its service, and the loader's options for a predictor."""
    loading: dict[str, Any] = {}
    if contract is not None:
        if contract.inputs is None and not contract.takes_arrays and not options.sample:
            error = ConfigError(
                f"{contract.shown} does not declare its inputs, and there are no sample rows",
                hint="Give a few rows with --sample rows.json (or `sample:`), for warm-up and tests; or declare INPUTS in it.",
            )
            needs.append(Unmet(error=error, answers=(sample_answer(info.path, options.folder, "rows.json"),)))
        if info.framework is not None:
            loading["model_signatures"] = [signature.to_json() for signature in info.signatures]
        signatures = needs.attempt(lambda: signatures_for(contract, info, options.signature))
        info = replace(info, signatures=signatures or ())
    elif options.predictor is None:
        needs.add(unservable(info, cwd=options.folder, sampled=bool(options.sample)))
        if options.signature is not None and info.signatures:
            needs.add(_no_such_signature(info, options.signature))
    return info, loading


def _with_sample(info: ModelInfo, options: PrepareOptions, needs: _Needs) -> tuple[ModelInfo, list[Any] | None]:
    """The sample rows as the service takes them, and the model with the names that they add."""
    if not options.sample or not info.signatures:
        return info, options.sample
    info, rows = with_sampled_names(info, options.sample), options.sample
    file, texts = options.sample_file, text_columns(info)
    if file is not None and file.suffix.lower() == ".csv" and texts:
        rows = read_sample(file, texts)
    fitted = fit_rows(info.signatures[0], rows)
    name = "the sample" if file is None else f"the sample {file.name}"
    if fitted.problem:
        error = ConfigError(f"{name} does not fit the model: {fitted.problem}", hint=_LIKE_TRAINING)
        needs.append(Unmet(error=error))
    elif fitted.left_out:
        left_out = assumed(
            f"{name} has columns that the model does not take; they are left out: {', '.join(fitted.left_out)}."
        )
        info = replace(info, notices=(*info.notices, left_out))
    return info, fitted.rows


def _unwanted(info: ModelInfo, options: PrepareOptions) -> Unmet | None:
    """The need for the framework's version, or for another requirement."""
    try:
        wanted(info, extras=options.requirements, framework=options.framework)
    except MissingVersionError as error:
        return Unmet(error=error, answers=(Answer("--framework", f"{info.framework}==VERSION", known=False),))
    except MlpackError as error:
        return Unmet(error=error)
    return None


def _no_such_signature(info: ModelInfo, chosen: str) -> Unmet | None:
    names = [signature.name for signature in info.signatures]
    if chosen in names:
        return None
    error = UsageError(f"{info.path.name} has no signature {chosen!r}", hint=f"It has {', '.join(names)}.")
    return Unmet(error=error, answers=(Answer("--signature", names[0]),))


def _contract(predictor: Path) -> Contract:
    if not predictor.is_file():
        raise ConfigError(f"there is no file {predictor}", hint="`predictor:` names a Python file of yours.")
    return read_contract(read_source(predictor, predictor.name))


def _python_answer(info: ModelInfo, chosen: str | None) -> Answer:
    pythons = list((info.details.get("by_value") or {}).get("pythons") or ())
    return Answer("--python", str(pythons[0 if chosen else -1]) if pythons else "3.11", known=bool(pythons))


def _python(info: ModelInfo, chosen: str | None) -> str | None:
    """The Python that compiled the code in the file, because bytecode runs on one minor version only; None without code."""
    by_value = info.details.get("by_value")
    if by_value is None:
        return None
    pythons = list(by_value["pythons"])
    possible = " or ".join(pythons) if pythons else f"none of {KNOWN[0]} to {KNOWN[-1]}"
    if chosen is not None:
        if chosen in pythons or not pythons:
            return chosen
        raise ResolveError(
            f"{info.path.name} contains code that was compiled by Python {possible}; Python {chosen} cannot run it",
            hint=f"Leave `python:` out, or set it to {pythons[0]}.",
        )
    if len(pythons) == 1:
        return str(pythons[0])
    raise ResolveError(
        f"{info.path.name} contains compiled code, and its Python version is not certain: {possible}",
        hint=f"Name the version that saved the file: --python {pythons[-1] if pythons else '3.11'}.",
    )
