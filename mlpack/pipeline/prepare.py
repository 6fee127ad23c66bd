"""From ModelInfo to Prepared: find the user code, enforce the verdict, determine the Python and the signatures."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from mlpack.artifacts.model import ModelInfo, Safety
from mlpack.artifacts.prepared import Prepared
from mlpack.discovery.opaque import judge_files
from mlpack.errors import ConfigError, ResolveError, UsageError
from mlpack.pipeline.gate import refuse_dangerous, refuse_unsafe, refuse_unservable
from mlpack.readers.pickles.bytecode import KNOWN
from mlpack.usercode.coverage import find_coverage
from mlpack.usercode.predictors import Contract, read_contract, signatures_for
from mlpack.usercode.python_source import read_source


@dataclass(frozen=True, kw_only=True)
class PrepareOptions:
    """The user's choices: user code, requirements, Python, signature, sample rows; `folder` is the working folder."""

    include: tuple[Path, ...] = ()
    predictor: Path | None = None
    requirements: tuple[str, ...] = ()
    python: str | None = None
    signature: str | None = None
    sample: list[Any] | None = None
    trust: bool = False
    local: bool = False  # the model will be loaded on this machine, outside of any container
    folder: Path = field(default_factory=Path.cwd)


def prepare(info: ModelInfo, options: PrepareOptions) -> Prepared:
    """Return the model as it will be packed, with the user code that it needs. Neither the model nor that code is run.

    Raises UnsafeModelError, MissingCodeError, MissingPackageError, ConfigError, AmbiguousFormatError, ModelError,
    ResolveError (its compiled code needs another Python), UsageError (no such signature).
    """
    contract = None if options.predictor is None else _contract(options.predictor)
    if contract is not None and info.safety == Safety(verdict="unknown"):  # recognised, but not read to its end
        read = judge_files(info.path)
        info = info if read.verdict == "safe" else replace(info, safety=read)
    refuse_dangerous(info, local=options.local)  # before the search for the code that it needs
    if contract is None and info.advice and info.own_class is None:
        refuse_unservable(info)  # neither code nor --trust would help
    coverage = find_coverage(
        info,
        include=options.include,
        predictor=options.predictor,
        requirements=options.requirements,
        cwd=options.folder,
    )
    refuse_unsafe(coverage.info, coverage.open, trust=options.trust, local=options.local)
    info, loading = coverage.info, {}
    if options.trust and coverage.open:
        info = replace(info, names={**info.names, "trusted": coverage.open})
    if contract is not None:
        if contract.inputs is None and not contract.takes_arrays and not options.sample:
            raise ConfigError(
                f"{contract.shown} does not declare its inputs, and there are no sample rows",
                hint="Give a few rows with --sample rows.json (or `sample:`), for warm-up and tests; or declare INPUTS in it.",
            )
        if info.framework is not None:
            loading["model_signatures"] = [signature.to_json() for signature in info.signatures]
        info = replace(info, signatures=signatures_for(contract, info, options.signature))
    refuse_unservable(info)
    if contract is None and options.signature is not None:
        _check_signature(info, options.signature)
    return Prepared(
        info=info,
        code=coverage.code,
        options=loading,
        python=_python(info, options.python),
        sample=options.sample or list(info.sample) or None,
    )


def _check_signature(info: ModelInfo, wanted: str) -> None:
    names = [signature.name for signature in info.signatures]
    if wanted not in names:
        raise UsageError(f"{info.path.name} has no signature {wanted!r}", hint=f"It has {', '.join(names)}.")


def _contract(predictor: Path) -> Contract:
    if not predictor.is_file():
        raise ConfigError(f"there is no file {predictor}", hint="`predictor:` names a Python file of yours.")
    return read_contract(read_source(predictor, predictor.name))


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
