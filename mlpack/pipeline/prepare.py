"""From an inspected model to one that may be packed: own code covered, its Python known, its signatures settled."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from mlpack.artifacts.model import Finding, ModelInfo, Requirement, Safety
from mlpack.errors import (
    AmbiguousFormatError,
    ConfigError,
    ModelError,
    ResolveError,
    UnknownFormatError,
    UnreadableModelError,
    UsageError,
)
from mlpack.pipeline.gate import refuse_dangerous, refuse_mute, refuse_unsafe
from mlpack.readers.pickles.bytecode import KNOWN
from mlpack.readers.pickles.files import read_pickles
from mlpack.usercode.coverage import OwnCode, settle
from mlpack.usercode.predictors import Contract, read_contract, signatures_for
from mlpack.usercode.python_source import read_source

OWN_FORMAT = "own"  # of a file that only the user's predictor can read
_MOST_FILES = 200


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What the user says of a model beside its path: own code, requirements, the Python, the first signature, sample rows."""

    include: tuple[Path, ...] = ()
    predictor: Path | None = None
    requirements: tuple[str, ...] = ()
    python: str | None = None
    signature: str | None = None
    sample: list[Any] | None = None
    trust: bool = False
    cwd: Path = field(default_factory=Path.cwd)


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """A model that may be packed, and the code that goes along.

    `options` are for the loader; `python` is the one that the file's own code was compiled by, None when it does not matter.
    """

    info: ModelInfo
    code: OwnCode | None = None
    options: dict[str, Any] = field(default_factory=dict)
    python: str | None = None


def prepare(look: Callable[[], ModelInfo], path: Path, asked: Asked) -> Prepared:
    """The model as it will be packed; `look` inspects it. Nothing of the model or the user's code is run.

    Raises what `look` raises (not when a predictor reads what no format knows), UnsafeModelError, MissingCodeError,
    MissingPackageError, ConfigError, AmbiguousFormatError, ModelError, ResolveError (two Pythons at once), UsageError (no such
    signature).
    """
    contract = None if asked.predictor is None else _contract(asked.predictor)
    try:
        info = look()
    except (UnknownFormatError, UnreadableModelError, AmbiguousFormatError) as error:
        if contract is None:
            raise
        info = unrecognised(path, error)
    if contract is not None and info.safety == Safety(verdict="unknown"):  # recognised, and nobody read it to its end
        read = _judged(_files(path))
        info = info if read.verdict == "safe" else replace(info, safety=read)
    refuse_dangerous(info)  # before anybody looks for code that it asks for
    settled = settle(
        info, include=asked.include, predictor=asked.predictor, requirements=asked.requirements, cwd=asked.cwd
    )
    refuse_unsafe(settled.info, settled.open, trust=asked.trust)
    info, options = settled.info, {}
    if asked.trust and settled.open:
        info = replace(info, names={**info.names, "trusted": settled.open})
    if contract is not None:
        if contract.inputs is None and not contract.takes_arrays and not asked.sample:
            raise ConfigError(
                f"{contract.shown} takes rows as they come, and nothing shows what one looks like",
                hint="Give a few with --sample rows.json (or `sample:`): they warm it up and test it; or declare INPUTS in it.",
            )
        if info.framework is not None:
            options["model_signatures"] = [signature.to_json() for signature in info.signatures]
        info = replace(info, signatures=signatures_for(contract, info, asked.signature))
    refuse_mute(info)
    if contract is None and asked.signature is not None:
        _check_signature(info, asked.signature)
    return Prepared(info=info, code=settled.code, options=options, python=_python(info, asked.python))


def unrecognised(path: Path, error: ModelError) -> ModelInfo:
    """A ModelInfo of a file or folder that only the user's predictor can read; raises `error` again for what is broken.

    Every pickle in it is judged all the same: a dangerous one is not packed.
    """
    files = _files(path)
    if not files or (path.is_file() and not isinstance(error, UnknownFormatError)):
        raise error
    return ModelInfo(
        path=path,
        format=OWN_FORMAT,
        framework=None,
        framework_version=None,
        root_class=str(error.info.get("root_class") or ""),
        task=None,
        signatures=(),
        safety=_judged(files),
        size=sum(file.stat().st_size for file in files),
        requirements=(Requirement(module="numpy", distribution="numpy"),),  # the server's own arrays
        protocol=error.info.get("protocol"),
        compression=error.info.get("compression"),
    )


def _files(path: Path) -> list[Path]:
    return [path] if path.is_file() else sorted(one for one in path.rglob("*") if one.is_file())[:_MOST_FILES]


def _judged(files: list[Path]) -> Safety:
    """The verdict on every pickle in the files."""
    findings: dict[tuple[str, str], Finding] = {}
    for file in files:
        pickle = read_pickles(file)
        for finding in pickle.safety.findings if pickle is not None else ():
            findings[finding.callable, finding.verdict] = finding
    verdicts = {finding.verdict for finding in findings.values()}
    return Safety(
        verdict="dangerous" if "dangerous" in verdicts else "unknown" if verdicts else "safe",
        findings=tuple(findings.values()),
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
    """The Python that compiled the code in the file: bytecode of one minor version is nothing to another."""
    told = info.details.get("by_value")
    if told is None:
        return None
    pythons = list(told["pythons"])
    said = " or ".join(pythons) if pythons else f"none of {KNOWN[0]} to {KNOWN[-1]}"
    if chosen is not None:
        if chosen in pythons or not pythons:
            return chosen
        raise ResolveError(
            f"{info.path.name} holds code that Python {said} compiled, which Python {chosen} cannot run",
            hint=f"Leave `python:` out, or name {pythons[0]}.",
        )
    if len(pythons) == 1:
        return str(pythons[0])
    raise ResolveError(
        f"{info.path.name} holds compiled code, and does not tell of which Python: {said}",
        hint=f"Say which one made it: --python {pythons[-1] if pythons else '3.11'}.",
    )
