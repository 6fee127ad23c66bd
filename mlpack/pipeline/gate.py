"""The gate before a build: reject dangerous files, unknown code without --trust, and models that cannot be served."""

from __future__ import annotations

from mlpack.artifacts.model import ModelInfo
from mlpack.artifacts.notice import reason_of
from mlpack.errors import AmbiguousFormatError, ModelError, UnsafeModelError
from mlpack.readers.verdicts.verdict import remedy_for

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


def refuse_unsafe(info: ModelInfo, unknown: tuple[str, ...], *, trust: bool, local: bool = False) -> None:
    """Raise UnsafeModelError unless the file may be loaded; `unknown` are its callables that only --trust allows.

    With `local` it would be loaded on this machine. Then included code needs --trust too, because the file decides with
    which arguments it is called.
    """
    refuse_dangerous(info, local=local)
    if local:
        unknown = tuple(one.callable for one in info.safety.findings)
    if trust or not unknown:
        return
    if local:
        raise UnsafeModelError(
            f"{info.path.name} needs code that mlpack does not know: {_listing(unknown)}{_ON_THIS_MACHINE}",
            hint="If you trust the file's author, --trust loads it; without --engine process it is loaded in a container. "
            "`mlpack inspect` shows each reason.",
        )
    if any(name.startswith(_BY_VALUE) for name in unknown):
        raise UnsafeModelError(
            f"{info.path.name} contains code (written by {_tool(unknown)}), which would run in the image",
            hint="If you trust its author, --trust builds the image; or save the model with joblib or pickle, and add its "
            "code with --include.",
        )
    hint = "If you trust the file's author, --trust builds the image. `mlpack inspect` shows each reason."
    raise UnsafeModelError(f"{info.path.name} needs code that mlpack does not know: {_listing(unknown)}", hint=hint)


def refuse_unservable(info: ModelInfo) -> None:
    """Raise AmbiguousFormatError if an entry must be chosen, ModelError for a model without a signature."""
    if info.signatures:
        return
    if info.advice:
        why = reason_of(info.notices) or f"it is {info.root_class}"
        raise ModelError(f"{info.path.name} cannot be served as it is: {why}", hint=info.advice)
    if info.servable and info.entry is None:
        raise AmbiguousFormatError(
            f"{info.path.name} contains several objects: {', '.join(content.key for content in info.servable)}",
            hint=f"To serve one alone, without the others: --entry {info.servable[0].key}. To use them together: `predictor: "
            "predict.py`, which `mlpack init` writes where it understands the parts (`mlpack inspect` shows them).",
        )
    if info.methods:
        reason = reason_of(info.notices) or "the file does not record them"
        raise ModelError(
            f"the inputs of {info.path.name} are not known: {reason}",
            hint="Give a few rows of the training data: --sample rows.csv (made in the training code by "
            "`X.head(20).to_csv('rows.csv', index=False)`; texts: a .json list).",
        )
    reason = reason_of(info.notices)
    raise ModelError(
        f"{info.path.name} contains no object that can predict{f': {reason}' if reason else ''}",
        hint="`mlpack inspect` shows its contents. To serve it with your own code, set `predictor: predict.py` in mlpack.yaml.",
    )


def _listing(names: tuple[str, ...] | list[str], most: int = 6) -> str:
    unique = list(dict.fromkeys(names))
    return ", ".join(unique[:most]) + (f" and {len(unique) - most} more" if len(unique) > most else "")


def _tool(names: tuple[str, ...]) -> str:
    return "dill" if any(name.startswith("dill.") for name in names) else "cloudpickle"
