"""The verdict on a Keras configuration: code in Lambda layers, files and modules that it names, classes of the user's own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mlpack.artifacts.model import Finding, Safety, Verdict
from mlpack.formats.keras.lambdas import Lambdas
from mlpack.formats.keras.names import Named, listed, names_in
from mlpack.formats.keras.permitted import (
    CLASSES,
    FUNCTIONS,
    MEMBERS,
    NODE_OPERATIONS,
    danger_of_node,
    danger_of_symbol,
    has_class,
    has_function,
    has_symbol,
    has_typespec,
)
from mlpack.readers.pickles.values import Global
from mlpack.readers.verdicts.allowlist import danger_of

# What Keras writes for values that JSON has no words for.
_VALUES = frozenset({
    "__keras_tensor__", "__tensor__", "__numpy__", "__bytes__", "__ellipsis__", "__slice__", "__tuple__", "__typespec__",
    "__superclass_config__", "TensorShape", "TypeSpec", "CompositeTensor", "__complex__",
})  # fmt: skip
_TRUST = "build with --trust if you know where the file comes from"
_ELSEWHERE = f"it runs a program that is not checked: {_TRUST}"
_SPECIAL: Mapping[str, tuple[Verdict, str]] = {
    "TorchModuleWrapper": ("dangerous", "dangerous: it unpickles"),
    "TFSMLayer": ("dangerous", "dangerous: it loads a SavedModel from any folder of the machine"),
    "JaxLayer": ("unknown", _ELSEWHERE),
    "FlaxLayer": ("unknown", _ELSEWHERE),
}
_MOST_SHOWN = 100
_PLACES = {"symbol": "tensorflow.", "member": "tensorflow.Tensor.", "operation": "tensorflow.raw_ops."}


@dataclass(frozen=True, kw_only=True)
class Judged:
    """The verdict, and the classes and functions of the user's own: the name in the file -> where their code is looked for.

    `names` are all names of the file by kind, for the card's guard; `pythons` may have compiled its code (None: it has none).
    """

    safety: Safety
    own: Mapping[str, str]
    names: Mapping[str, tuple[str, ...]]
    pythons: frozenset[str] | None = None


def judge(
    config: Any, escaping: tuple[str, ...] = (), outside: tuple[str, ...] = (), others: tuple[str, ...] = ()
) -> Judged:
    """What building the configuration would run.

    `escaping` are members whose names point outside the archive, `outside` weights in other files of the machine,
    `others` weights in an unsupported form. The compile configuration is not loaded for predictions: classes of the
    user that it names are not required.
    """
    compiled = config.get("compile_config") if isinstance(config, Mapping) else None
    if compiled is not None:
        config = {key: value for key, value in config.items() if key != "compile_config"}
    findings: dict[str, Finding] = {}
    own: dict[str, str] = {}
    for name in escaping:
        why = "dangerous: an archive member's name points outside the extraction folder"
        findings[name] = Finding(callable=name[:200], why=why, verdict="dangerous")
    for name in outside[:20]:
        why = "dangerous: loading it reads another file of the machine"
        findings[name] = Finding(callable=f"HDF5 {name}"[:200], why=why, verdict="dangerous")
    for name in others:
        why = f"its weights are not checked: {_TRUST}"
        findings[name] = Finding(callable=f"keras.{name}", why=why, verdict="unknown")
    lambdas = Lambdas()
    used, unused = list(names_in(config)), list(names_in(compiled))
    for one in (*unused, *used):
        for finding in _found(one, lambdas):
            findings.setdefault(finding.callable, finding)
    for one in used:
        for name, path in _own(one):
            own[name] = path
            findings.setdefault(path, Finding(callable=path, why=_why_own(path), verdict="unknown"))
    told_first = sorted(findings.values(), key=lambda one: one.verdict != "dangerous")
    verdict: Verdict = told_first[0].verdict if told_first else "safe"
    return Judged(
        safety=Safety(verdict=verdict, findings=tuple(told_first[:_MOST_SHOWN])),
        own=own,
        names=listed([*used, *unused], files=others),
        pythons=lambdas.pythons,
    )


def _why_own(path: str) -> str:
    if path.startswith("__main__."):
        return "a class or function of its author: build with --include FILE, which defines it"
    root = path.partition(".")[0]
    return (
        f"code of `{root}`, which Keras does not have: if it is your own, build with --include and its file or folder; "
        f"if it is a package, name it under `requirements:` and {_TRUST}"
    )


def _found(one: Named, lambdas: Lambdas) -> Iterator[Finding]:
    """What is known of a name itself, whoever defines it."""
    if one.kind == "code":
        yield from lambdas.judge(one.name, one.value)
    elif one.kind == "file":
        if one.owner in CLASSES:
            reason = f"dangerous: it reads the file {one.name[:80]!r} of the machine that loads it"
            yield Finding(callable=f"keras.layers.{one.owner}", why=reason, verdict="dangerous")
    elif one.kind in ("symbol", "member", "operation"):
        yield from _found_operator(one)
    elif one.kind == "class" and one.name in _SPECIAL:
        verdict, reason = _SPECIAL[one.name]
        yield Finding(callable=f"keras.layers.{one.name}", why=reason, verdict=verdict)
    elif one.module is not None and (why := _danger(one)):
        yield Finding(
            callable=f"{one.module}.{one.name}".rstrip(".")[:200], why=f"dangerous: {why}", verdict="dangerous"
        )


def _found_operator(one: Named) -> Iterator[Finding]:
    name = one.name.partition(".")[2] if one.kind != "operation" else one.name
    if one.kind == "symbol":
        known, dangerous = has_symbol(name), danger_of_symbol(name)
    elif one.kind == "member":
        known, dangerous = name in MEMBERS, "__" in name or danger_of_symbol(name)
    else:
        known, dangerous = name in NODE_OPERATIONS, danger_of_node(name)
    if known:
        return
    shown = _PLACES[one.kind] + name[:180]
    if dangerous:
        why = "dangerous: it can access TensorFlow's files and Python functions"
        yield Finding(callable=shown, why=why, verdict="dangerous")
    else:
        why = f"it is not known as a function without side effects: {_TRUST}"
        yield Finding(callable=shown, why=why, verdict="unknown")


def _own(one: Named) -> Iterator[tuple[str, str]]:
    """Classes and functions that are not Keras's: (the name that Keras asks for, the dotted path of its code)."""
    if one.kind == "class":
        yield from _own_class(one)
    elif one.kind == "function":
        if not has_function(one.module, one.name) and not _danger(one):
            yield one.name, _path(one.module, one.name)
    elif one.kind == "typespec":
        if not has_typespec(one.module, one.name) and not _danger(one):
            yield one.name, _path(one.module, one.name)
    elif one.kind == "text":
        standard = one.name in FUNCTIONS or one.name in CLASSES
        if one.owner == "Lambda" or (one.owner in CLASSES and not standard):
            yield one.name, _path(None, one.name)


def _own_class(one: Named) -> Iterator[tuple[str, str]]:
    node = one.value
    if "config" not in node or one.name in _VALUES:
        return
    registered = node.get("registered_name")
    registered = registered if isinstance(registered, str) and registered else None
    known = has_class(one.module, one.name)
    # A registered name comes first; without a module Keras looks for nothing else.
    if known and (registered is None or (one.module is not None and registered == one.name)):
        return
    if one.module is None or not _danger(one):
        yield registered or one.name, _path(None if known else one.module, one.name)


def _path(module: str | None, name: str) -> str:
    usable = module not in (None, "builtins", "__main__") and str(module).isprintable()
    return f"{module if usable else '__main__'}.{name.rpartition('>')[2]}"


def _danger(one: Named) -> str | None:
    return danger_of(Global(str(one.module), one.name or "*"))
