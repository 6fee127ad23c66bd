"""The verdict on a Keras configuration: code in Lambda layers, files and modules that it names, classes of the user's own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mlpack.artifacts.model import Finding, Safety, Verdict
from mlpack.formats.keras.architecture import nodes
from mlpack.formats.keras.layers import LAYERS, OTHERS
from mlpack.readers.allowlist import danger_of
from mlpack.readers.values import Global

# Where Keras 3 looks for what it may build by itself: not all of Keras, which can fetch files too.
_OWN_MODULES = frozenset({
    "keras", "keras.activations", "keras.constraints", "keras.dtype_policies", "keras.initializers", "keras.layers",
    "keras.losses", "keras.metrics", "keras.models", "keras.optimizers", "keras.optimizers.schedules", "keras.ops",
    "keras.quantizers", "keras.random", "keras.regularizers",
})  # fmt: skip
_OWN_ROOTS = ("keras.src.", "tf_keras.src.", "keras.engine.", "keras.layers.", "keras.mixed_precision")
_OWN_FOLDERS = (
    "activations", "backend", "constraints", "dtype_policies", "engine", "initializers", "layers", "losses", "metrics",
    "mixed_precision", "models", "ops", "optimizers", "quantizers", "random", "regularizers",
)  # fmt: skip
# What Keras writes for values that JSON has no words for.
_VALUES = frozenset({
    "__keras_tensor__", "__tensor__", "__numpy__", "__bytes__", "__ellipsis__", "__slice__", "__tuple__", "__typespec__",
    "__superclass_config__", "TensorShape", "TypeSpec", "CompositeTensor", "__complex__",
})  # fmt: skip
_CODE = "dangerous: the file holds compiled Python code, which runs when the model is loaded or asked"
_TRUST = "build with --trust if you know where the file comes from"
_TEXT_TABLES = ("StringLookup", "IntegerLookup", "TextVectorization", "IndexLookup", "Index")
# Calls into TensorFlow that a functional model writes by name (Keras 2's TFOpLambda).
_TF_CALLS = (
    "io.",
    "py_function",
    "numpy_function",
    "raw_ops",
    "function",
    "py_func",
    "compat.v1.py_func",
    "audio",
    "data.",
    "saved_model",
)


@dataclass(frozen=True, kw_only=True)
class Judged:
    """The verdict, and the classes and functions of the user's own: the name in the file -> where their code is looked for."""

    safety: Safety
    own: Mapping[str, str]


def judge(config: Any, escaping: tuple[str, ...] = (), outside: tuple[str, ...] = ()) -> Judged:
    """What building the configuration would run.

    `escaping` are members whose names lead out of the archive, `outside` weights that lie in other files of the machine.
    How the model was compiled is not loaded to predict: classes of the user's own that it names are not asked for.
    """
    compiled = config.get("compile_config") if isinstance(config, Mapping) else None
    if compiled is not None:
        config = {key: value for key, value in config.items() if key != "compile_config"}
    findings: dict[str, Finding] = {}
    own: dict[str, str] = {}
    for name in escaping:
        told = "dangerous: the archive names a file outside of the folder that one unpacks into"
        findings[name] = Finding(callable=name[:200], why=told, verdict="dangerous")
    for name in outside[:20]:
        told = "dangerous: loading it reads another file of the machine"
        findings[name] = Finding(callable=f"HDF5 {name}"[:200], why=told, verdict="dangerous")
    for finding in (finding for node in nodes(compiled) for finding in _found(node)):
        findings.setdefault(finding.callable, finding)
    for node in nodes(config):
        for finding in _found(node):
            findings.setdefault(finding.callable, finding)
        for name, path in _own(node):
            own[name] = path
            findings.setdefault(path, Finding(callable=path, why=_why_own(path), verdict="unknown"))
    told_first = sorted(findings.values(), key=lambda one: one.verdict != "dangerous")
    verdict: Verdict = told_first[0].verdict if told_first else "safe"
    return Judged(safety=Safety(verdict=verdict, findings=tuple(told_first)), own=own)


def _why_own(path: str) -> str:
    if path.startswith("__main__."):
        return "a class or function of the author's own: build with --include FILE, which defines it"
    root = path.partition(".")[0]
    return (
        f"code of `{root}`, which Keras does not have: if it is your own, build with --include and its file or folder; "
        f"if it is a package, name it under `requirements:` and {_TRUST}"
    )


def _found(node: Mapping[str, Any]) -> Iterator[Finding]:
    kind = node.get("class_name")
    held = node.get("config")
    config = held if isinstance(held, Mapping) else {}
    if kind == "__lambda__" or _carries_code(node):
        yield Finding(callable="keras.layers.Lambda", why=_CODE, verdict="dangerous")
    if kind == "TorchModuleWrapper":
        yield Finding(callable="keras.layers.TorchModuleWrapper", why="dangerous: it unpickles", verdict="dangerous")
    if kind in ("TFSMLayer", "JaxLayer", "FlaxLayer"):
        told = f"it runs a program that lies elsewhere or that is not read here: {_TRUST}"
        yield Finding(callable=f"keras.layers.{kind}", why=told, verdict="unknown")
    if kind in _TEXT_TABLES and isinstance(config.get("vocabulary"), str) and config["vocabulary"]:
        told = f"dangerous: it reads the file {config['vocabulary'][:80]!r} of the machine that loads it"
        yield Finding(callable=f"keras.layers.{kind}", why=told, verdict="dangerous")
    if kind == "TFOpLambda" and str(config.get("function", "")).startswith(_TF_CALLS):
        told = "dangerous: TensorFlow's files and Python functions are within its reach"
        yield Finding(callable=f"tensorflow.{config['function']}"[:200], why=told, verdict="dangerous")
    module = node.get("module")
    if isinstance(kind, str) and isinstance(module, str):
        named = Global(module, str(held) if kind == "function" else kind)
        if why := danger_of(named):
            yield Finding(callable=str(named)[:200], why=f"dangerous: {why}", verdict="dangerous")


def _carries_code(node: Mapping[str, Any]) -> bool:
    """Whether Keras 2 wrote a function by value: [code, defaults, closure], beside its type."""
    if any(node.get(f"{what}_type") == "lambda" for what in ("function", "mask", "output_shape")):
        return True
    function = node.get("function")
    return isinstance(function, list) and len(function) == 3 and isinstance(function[0], str)


def _own(node: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Classes and functions that are not Keras's: (the name that Keras asks for, the dotted path of its code)."""
    kind, module = node.get("class_name"), node.get("module")
    if not isinstance(kind, str) or "config" not in node or kind in _VALUES or kind == "__lambda__":
        if node.get("function_type") == "function" and isinstance(node.get("function"), str):
            yield node["function"], f"__main__.{node['function']}"
        return
    if kind == "function":
        name = str(node["config"])
        if not (isinstance(module, str) and _of_keras(module)):
            yield name, _path(module, name)
        return
    if isinstance(module, str):
        if not _of_keras(module) and not _dangerous(module, kind):
            yield str(node.get("registered_name") or kind), _path(module, kind)
        return
    bare = kind.rpartition(">")[2]
    if ">" in kind or node.get("registered_name") not in (None, "") or (bare not in LAYERS and bare not in OTHERS):
        yield str(node.get("registered_name") or kind), f"__main__.{bare}"


def _path(module: Any, name: str) -> str:
    usable = isinstance(module, str) and module not in ("builtins", "__main__", "") and module.isprintable()
    return f"{module}.{name}" if usable else f"__main__.{name}"


def _dangerous(module: str, name: str) -> bool:
    return danger_of(Global(module, name)) is not None


def _of_keras(module: str) -> bool:
    if module in _OWN_MODULES:
        return True
    if not module.startswith(_OWN_ROOTS):
        return False
    return module.split(".")[2 if ".src." in module else 1] in _OWN_FOLDERS
