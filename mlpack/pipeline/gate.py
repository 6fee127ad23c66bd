"""The gate before a build: dangerous files, unknown code without --trust, and models that cannot be served as they are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from shlex import quote

from mlpack.artifacts.model import ModelInfo
from mlpack.artifacts.needs import Answer, Unmet
from mlpack.artifacts.notice import NoticeCode, reason_of
from mlpack.errors import AmbiguousFormatError, ConfigError, ModelError, UnsafeModelError
from mlpack.readers.verdicts.verdict import remedy_for
from mlpack.usercode.nearby import find_module_class, sample_answer

_ON_THIS_MACHINE = "; --engine process would load it on this machine, outside a container"
_BY_VALUE = ("cloudpickle.", "dill.", "joblib.externals.cloudpickle.")


def refuse_dangerous(info: ModelInfo, *, local: bool = False) -> None:
    """Raise UnsafeModelError for a file that would run commands or code."""
    if info.safety.verdict == "dangerous":
        worst = [finding.callable for finding in info.safety.findings if finding.verdict == "dangerous"]
        hint = "Get the file from a source that you trust, or ask its author to save it again."
        if (remedy := remedy_for(info.safety)) is not None:
            hint = f"It contains {remedy.parts} as embedded files, which are opened without a check. {remedy.hint}"
        if any(finding.callable.startswith("dill.") for finding in info.safety.findings):
            hint += (
                " dill stores whole modules in the file: save the model with joblib or pickle instead, and add its code "
                "with --include."
            )
        message = f"{info.path.name} is dangerous: loading it would call {_listing(worst)}"
        raise UnsafeModelError(message + (_ON_THIS_MACHINE if local else ""), hint=hint)


def trust_needed(
    info: ModelInfo, unknown: tuple[str, ...], *, index: Callable[[], str], local: bool = False
) -> Unmet | None:
    """The need for --trust; `unknown` are the callables that only --trust allows, `index` is where packages come from.

    With `local` the file would be loaded on this machine. Then included code needs --trust too, because the file decides with
    which arguments it is called.
    """
    if local:
        unknown = tuple(one.callable for one in info.safety.findings)
    if not unknown:
        return None
    error = _unknown_here(info, unknown, index) if local else _unknown_in_image(info, unknown, index)
    return Unmet(error=error, answers=(Answer("--trust"),))


def _unknown_here(info: ModelInfo, unknown: tuple[str, ...], index: Callable[[], str]) -> UnsafeModelError:
    origin = _origin(_packages(info, unknown), index)
    return UnsafeModelError(
        f"{info.path.name} needs code that mlpack does not know: {_listing(unknown)}{origin}{_ON_THIS_MACHINE}",
        hint="If you trust the file's author, --trust loads it; without --engine process it is loaded in a container. "
        "`mlpack inspect` shows each reason.",
    )


def _unknown_in_image(info: ModelInfo, unknown: tuple[str, ...], index: Callable[[], str]) -> UnsafeModelError:
    """What the file needs that is not known as harmless, and what --trust would allow."""
    if any(name.startswith(_BY_VALUE) for name in unknown):
        return UnsafeModelError(
            f"{info.path.name} contains code (written by {_tool(unknown)}), which would run in the image",
            hint="If you trust its author, --trust builds the image; or save the model with joblib or pickle, and add its "
            "code with --include.",
        )
    message = f"{info.path.name} needs code that mlpack does not know: {_listing(unknown)}"
    packages = _packages(info, unknown)
    if not packages:
        hint = "If you trust the file's author, --trust builds the image. `mlpack inspect` shows each reason."
        return UnsafeModelError(message, hint=hint)
    several = len(packages) > 1
    return UnsafeModelError(
        message + _origin(packages, index),
        hint=f"If you trust the file's author and {'these packages' if several else 'this package'}, --trust builds the "
        f"image: it installs {'them' if several else 'it'}, and the file calls {'their' if several else 'its'} code in the "
        "container, with arguments of its own. `mlpack inspect` shows each reason.",
    )


def _origin(packages: list[str], index: Callable[[], str]) -> str:
    """Which packages would be installed, and where they come from; "" for none."""
    return (
        f"; the file names the package{'s' if len(packages) > 1 else ''} {_listing(packages)}, from {index()}"
        if packages
        else ""
    )


def _packages(info: ModelInfo, unknown: tuple[str, ...]) -> list[str]:
    """The packages that the file names and whose code is unknown, with the versions that it records."""
    named = {one.module: one for one in info.requirements}
    roots = dict.fromkeys(name.partition(".")[0] for name in unknown)
    return [
        f"{one.distribution} ({one.version or one.constraint or 'the newest version of its time, as the file records none'})"
        for root in roots
        if (one := named.get(root)) is not None
    ]


def unservable(info: ModelInfo, *, cwd: Path, sampled: bool = False, local: bool = False) -> Unmet | None:
    """The need for an entry, a sample or a predictor; None for a model with a signature.

    `sampled`: there are sample rows, but the inputs cannot be read from them. With `local`, code of the user needs --trust.
    """
    if info.signatures:
        return None
    if info.advice:
        why = reason_of(info.notices) or f"it is {info.root_class}"
        error = ModelError(f"{info.path.name} cannot be served as it is: {why}", hint=info.advice)
        rows = any(notice.by_sample for notice in info.notices)
        if rows and sampled:
            error.hint = f"The sample rows that were given do not show it. {info.advice}"
        sample = () if sampled else (sample_answer(info.path, cwd, "rows.json"),)
        found = find_module_class(info.submodules, info.path, cwd) if info.submodules else None
        if found is None:
            return Unmet(error=error, answers=sample if rows else ())
        name = found.entry.partition(":")[2]
        options = f"--entry {found.entry} --include {quote(found.include)}"
        options += "" if sampled else ", and --sample with a few rows"
        error.hint = f"{found.file} defines `{name}`, which sets the same attributes: {options}. Or: {error.hint}"
        code = (Answer("--entry", found.entry), Answer("--include", found.include), *sample)
        return Unmet(error=error, answers=(*code, Answer("--trust")) if local else code)
    if info.servable and info.entry is None:
        keys = [content.key for content in info.servable]
        ambiguous = AmbiguousFormatError(
            f"{info.path.name} contains several objects: {', '.join(keys)}",
            hint=f"To serve one alone, without the others: --entry {quote(keys[0])}. To use them together: `predictor: "
            f"predict.py`, which `mlpack init {quote(info.path.name)}` writes where it understands the parts (`mlpack inspect` "
            "shows them).",
        )
        return Unmet(error=ambiguous, answers=(Answer("--entry", keys[0], known=len(keys) == 1),))
    if info.methods:
        reason = reason_of(info.notices) or "the file does not record them"
        if sampled:
            error = ModelError(
                f"the inputs of {info.path.name} are not known: {reason}, and the sample rows are not of one kind",
                hint="Write them all as records with the same keys, as lists of one length, or as texts.",
            )
            return Unmet(error=error)
        unknown = f"the inputs of {info.path.name} are not known: {reason}"
        told = next((one for one in info.notices if one.code is NoticeCode.NO_SIGNATURE), None)
        if told is not None and told.advice and not told.by_sample:
            return Unmet(error=ModelError(unknown, hint=f"{told.advice[0].upper()}{told.advice[1:]}."))
        error = ModelError(
            unknown,
            hint="Give a few rows of the training data: --sample rows.csv (made in the training code by "
            "`X.head(20).to_csv('rows.csv', index=False)`; texts: a .json list); or write a predictor of your own: "
            "--predictor predict.py.",
        )
        return Unmet(error=error, answers=(sample_answer(info.path, cwd, "rows.csv"),))
    cause = reason_of(info.notices)
    error = ModelError(
        f"{info.path.name} contains no object that can predict{f': {cause}' if cause else ''}",
        hint="`mlpack inspect` shows its contents. To serve it with your own code: --predictor predict.py (in mlpack.yaml: "
        "`predictor: predict.py`).",
    )
    return Unmet(error=error, answers=(Answer("--predictor", "predict.py", known=False),))


def sample_at_hand(info: ModelInfo, cwd: Path) -> Unmet | None:
    """The sample file beside a model whose types of columns are assumed: a build passes without it, but may not answer."""
    answer = sample_answer(info.path, cwd, "")
    guessed = any(one.code is NoticeCode.ASSUMED and one.by_sample for one in info.notices)
    if not info.signatures or not answer.known or not guessed:
        return None
    error = ConfigError(
        f"the types of some columns of {info.path.name} are not recorded; without a sample, numbers are assumed",
        hint=f"Give the rows beside it, if they are rows of the training data: --sample {quote(answer.value)}.",
    )
    return Unmet(error=error, answers=(answer,))


def _listing(names: tuple[str, ...] | list[str], most: int = 6) -> str:
    unique = list(dict.fromkeys(names))
    return ", ".join(unique[:most]) + (f" and {len(unique) - most} more" if len(unique) > most else "")


def _tool(names: tuple[str, ...]) -> str:
    return "dill" if any(name.startswith("dill.") for name in names) else "cloudpickle"
