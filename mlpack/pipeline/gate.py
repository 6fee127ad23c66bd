"""The gate before a build: nothing dangerous, unknown code only with the user's word, nothing that cannot answer."""

from __future__ import annotations

from mlpack.artifacts.model import ModelInfo
from mlpack.discovery.unrecognised import AS_TORCH, by_pickle_alone
from mlpack.errors import AmbiguousFormatError, ModelError, UnsafeModelError

_ON_THIS_MACHINE = "; --engine process would load it on this machine, outside of any container"
_BY_VALUE = ("cloudpickle.", "dill.", "joblib.externals.cloudpickle.")


def refuse_dangerous(info: ModelInfo, *, local: bool = False) -> None:
    """Raises UnsafeModelError for a file that would run commands or code."""
    if info.safety.verdict == "dangerous":
        worst = [finding.callable for finding in info.safety.findings if finding.verdict == "dangerous"]
        hint = "Get the file anew from someone you trust, or have it saved again by its author."
        if by_pickle_alone(info.safety):
            hint = f"Its tensors lie in it as files of torch's own, which are opened unchecked. {AS_TORCH}"
        if any(finding.callable.startswith("dill.") for finding in info.safety.findings):
            hint += (
                " dill packs whole modules into a file: save it with joblib or pickle, and bring the code by --include."
            )
        message = f"{info.path.name} is dangerous: loading it would call {_some(worst)}"
        raise UnsafeModelError(message + (_ON_THIS_MACHINE if local else ""), hint=hint)


def refuse_unsafe(info: ModelInfo, unknown: tuple[str, ...], *, trust: bool, local: bool = False) -> None:
    """Raise UnsafeModelError unless the file may be loaded; `unknown` are its callables that only --trust allows.

    `local`: it would be loaded on this machine, where also what --include defines needs --trust, because the file decides
    how it is called.
    """
    refuse_dangerous(info, local=local)
    if local:
        unknown = tuple(one.callable for one in info.safety.findings)
    if trust or not unknown:
        return
    if local:
        raise UnsafeModelError(
            f"{info.path.name} needs code that mlpack does not know: {_some(unknown)}{_ON_THIS_MACHINE}",
            hint="If you know the file's author, --trust loads it; without --engine process it is loaded in a container. "
            "`mlpack inspect` gives each reason.",
        )
    if any(name.startswith(_BY_VALUE) for name in unknown):
        raise UnsafeModelError(
            f"{info.path.name} holds code of its own (written by {_tool(unknown)}), which would run in the image",
            hint="If you know its author, --trust builds it all the same; or save the model with joblib or pickle, and bring "
            "the code by --include.",
        )
    hint = "If you know the file's author, --trust builds it all the same. `mlpack inspect` tells each reason."
    raise UnsafeModelError(f"{info.path.name} needs code that mlpack does not know: {_some(unknown)}", hint=hint)


def refuse_mute(info: ModelInfo) -> None:
    """Raises AmbiguousFormatError for a bundle without an entry, ModelError for a model that nothing can be asked of."""
    if info.signatures:
        return
    if info.advice:
        raise ModelError(f"{info.path.name} cannot be served as it is: {_what(info)}", hint=info.advice)
    keys = [content.key for content in info.contents if content.servable]
    if keys and info.entry is None:
        raise AmbiguousFormatError(
            f"{info.path.name} is a bundle; it holds {', '.join(keys)}", hint=f"Say which to serve: --entry {keys[0]}"
        )
    if info.methods:
        why = next((told for told in info.warnings if told.startswith("No signature: ")), "")
        reason = why.removeprefix("No signature: ").partition(";")[0] or "the file does not tell what it takes"
        raise ModelError(
            f"{info.path.name} can be loaded, but not asked: {reason}",
            hint="Give a few rows as it was trained on: --sample rows.csv (where it was trained: "
            "`X.head(20).to_csv('rows.csv', index=False)`; texts: a .json list).",
        )
    raise ModelError(
        f"{info.path.name}: nothing in it can answer requests",
        hint="`mlpack inspect` shows what is in it. Code that asks it can be yours: `predictor: predict.py` in mlpack.yaml.",
    )


def _what(info: ModelInfo) -> str:
    """Why there is nothing to ask, as the format told it."""
    told = next((one for one in info.warnings if one.startswith("No signature: ")), "")
    return told.removeprefix("No signature: ").partition(";")[0].rstrip(".") or f"it is {info.root_class}"


def _some(names: tuple[str, ...] | list[str], most: int = 6) -> str:
    unique = list(dict.fromkeys(names))
    return ", ".join(unique[:most]) + (f" and {len(unique) - most} more" if len(unique) > most else "")


def _tool(names: tuple[str, ...]) -> str:
    return "dill" if any(name.startswith("dill.") for name in names) else "cloudpickle"
