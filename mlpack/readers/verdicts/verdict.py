"""The verdict on a record: safe, unknown or dangerous, each finding with its reason and remedy."""

from __future__ import annotations

import sys
from dataclasses import dataclass

from mlpack.artifacts.model import Finding, Safety
from mlpack.readers.distributions import DISTRIBUTIONS
from mlpack.readers.pickles.record import KERAS_UNPICKLE, Record
from mlpack.readers.pickles.values import Global
from mlpack.readers.verdicts.allowlist import danger_of, use_of
from mlpack.readers.verdicts.carried import is_carried

# Well-known libraries, which are installed from the package index and not included as user code.
_BY_VALUE = ("cloudpickle", "dill", "joblib.externals.cloudpickle")


@dataclass(frozen=True, kw_only=True)
class Remedy:
    """How to save objects that pickle writes in a dangerous way; `parts` names them ("torch's tensors").

    `itself`: the whole object is one call of the dangerous callable, not an object with such parts.
    """

    parts: str
    hint: str
    itself: bool = False


# Dangerous callables that also occur in files of ordinary users, because of how they saved them.
_REMEDIES = {
    # pickle and joblib write a tensor as a complete torch file, which is loaded without a check
    "torch.storage._load_from_bytes": Remedy(
        parts="torch's tensors",
        hint="Save it with torch: TorchScript, `torch.save(model, 'model.pt')` or "
        "`torch.save(model.state_dict(), 'weights.pt')`.",
    ),
    # pickle writes a Keras model as a complete file of Keras, which is loaded without a check
    **dict.fromkeys(
        (
            KERAS_UNPICKLE,
            "keras.saving.pickle_utils.deserialize_model_from_bytecode",
            "keras.src.saving.pickle_utils.deserialize_model_from_bytecode",
            "tf_keras.src.saving.pickle_utils.deserialize_model_from_bytecode",
        ),
        Remedy(
            parts="a Keras model",
            hint="Save it with Keras, where it was made: `model.save('model.keras')`.",
            itself=True,
        ),
    ),
}


def remedy_for(safety: Safety) -> Remedy | None:
    """The remedy when the way of saving is the only danger, else None."""
    worst = {finding.callable for finding in safety.findings if finding.verdict == "dangerous"}
    return _REMEDIES.get(worst.pop()) if len(worst) == 1 else None


def judge(record: Record, problem: str = "") -> Safety:
    """`safe` only if every name is allowed for its use, nothing is suspicious, and all was read (`problem` is empty)."""
    findings: dict[tuple[str, str], Finding] = {}
    for callable_, why in record.dangers:
        findings[callable_, why] = Finding(callable=callable_, why=f"dangerous: {why}", verdict="dangerous")
    for name in record.names:
        finding = _name(name, record)
        if finding:
            findings.setdefault((finding.callable, ""), finding)
    for callable_, why in record.suspects:
        if not any(finding.callable == callable_ for finding in findings.values()):
            findings[callable_, why] = Finding(callable=callable_, why=f"{why}: {_TRUST}", verdict="unknown")
    ordered = sorted(findings.values(), key=lambda finding: finding.verdict != "dangerous")
    if any(finding.verdict == "dangerous" for finding in ordered):
        return Safety(verdict="dangerous", findings=tuple(ordered))
    return Safety(verdict="unknown" if ordered or problem or record.outside else "safe", findings=tuple(ordered))


_TRUST = "build with --trust if you know where the file comes from"


def _name(name: Global, record: Record) -> Finding | None:
    use = use_of(name)
    if use == "call" or (use == "name" and name not in record.called):
        return None
    danger = danger_of(name)
    if danger and not _only_harmless(name, record) and not is_carried(name, record):
        return Finding(callable=str(name), why=f"dangerous: {danger}", verdict="dangerous")
    if danger:
        return None  # reported as a suspect
    return Finding(callable=str(name), why=_unknown(name, called=use == "name"), verdict="unknown")


def _only_harmless(name: Global, record: Record) -> bool:
    # Python pickles a bound method with getattr, dill a class with setattr; the walk has checked each call.
    if name.name not in ("getattr", "setattr") or name.module not in ("builtins", "__builtin__"):
        return False
    if name.name == "getattr" and record.text_methods:
        return True
    return any(callable_ == f"builtins.{name.name}" for callable_, _ in record.suspects)


def _unknown(name: Global, *, called: bool) -> str:
    root = name.module.partition(".")[0]
    if called:
        return f"the file calls it, and it is known as harmless only without a call: {_TRUST}"
    if name.module.startswith(_BY_VALUE):
        tool = "dill" if root == "dill" else "cloudpickle"
        return f"contains code by value: needs {tool} in the image, and {_TRUST}"
    if root == "__torch__":
        return f"a TorchScript class, whose code is in the archive and runs in torch's interpreter: {_TRUST}"
    if root in ("builtins", "__builtin__"):
        return f"a built-in that is not known as harmless: {_TRUST}"
    if root in ("__main__", "__mp_main__"):
        return "defined in the script or notebook that wrote the file: build with --include FILE, which defines it"
    if root in sys.stdlib_module_names:
        return f"a part of Python that is not on the allowlist: {_TRUST}"
    if root in DISTRIBUTIONS:
        return f"code of the package {DISTRIBUTIONS[root]} that is not on the allowlist: {_TRUST}"
    return (
        f"code of `{root}` that is not on the allowlist: if it is your own, build with --include and its file or folder; "
        f"if it is a package, name it under `requirements:` and {_TRUST}"
    )
