"""How the user's own class is called, read from its source: which methods it has, what `forward` takes."""

from __future__ import annotations

import ast
from dataclasses import dataclass, replace

from mlpack.artifacts.model import ModelInfo, Signature, TensorSpec
from mlpack.artifacts.notice import NoticeCode, no_signature
from mlpack.usercode.index import CodeIndex
from mlpack.usercode.python_source import bound, dotted

# Base classes that add no method which predicts. A class with any other base may inherit such methods.
_PLAIN_BASES = frozenset({
    "object", "ABC", "Generic", "Protocol", "Module", "BaseEstimator", "ClassifierMixin", "RegressorMixin", "ClusterMixin",
    "TransformerMixin", "OutlierMixin", "DensityMixin", "BiclusterMixin", "MetaEstimatorMixin", "MultiOutputMixin",
})  # fmt: skip
_DEEPEST = 10
_ANSWERS = ("predict", "decision_function", "transform", "score_samples")


@dataclass(frozen=True, kw_only=True)
class ClassSource:
    """The methods that a class and its included bases define, by name; `whole`: it can have no others."""

    methods: dict[str, ast.FunctionDef | None]
    whole: bool


def class_source(index: CodeIndex, module: str, name: str, depth: int = 0) -> ClassSource | None:
    """The class of this name in an included module, or in one from which it is imported; None if it is not found."""
    found = index.modules.get(module)
    if found is None or found.source.tree is None or depth > _DEEPEST:
        return None
    node = next(
        (one for one in ast.walk(found.source.tree) if isinstance(one, ast.ClassDef) and one.name == name), None
    )
    if node is None:
        places = [(one.module, there) for one in found.source.imports for there, here in one.names if here == name]
        return next((one for place in places if (one := class_source(index, *place, depth + 1)) is not None), None)
    methods: dict[str, ast.FunctionDef | None] = dict.fromkeys(one for one, _ in bound(node.body))
    methods |= {one.name: one for one in node.body if isinstance(one, ast.FunctionDef)}
    whole = "__getattr__" not in methods and not node.keywords and not _sets_methods(node)
    for base in node.bases:
        inner = dotted(base.value if isinstance(base, ast.Subscript) else base).rpartition(".")[2]
        below = class_source(index, module, inner, depth + 1)
        if below is not None:
            methods = {**below.methods, **methods}
        whole = whole and (below.whole if below is not None else inner in _PLAIN_BASES)
    return ClassSource(methods=methods, whole=whole)


def _sets_methods(node: ast.ClassDef) -> bool:
    """Whether its code assigns attributes by computed names, or a method as an attribute of the object."""
    for one in ast.walk(node):
        if isinstance(one, ast.Call) and dotted(one.func) in ("setattr", "self.__dict__.update"):
            return True
        if isinstance(one, ast.Attribute) and isinstance(one.ctx, ast.Store) and one.attr.startswith(_ANSWERS):
            return True
    return False


def called_by_source(info: ModelInfo, source: ClassSource) -> ModelInfo:
    """The model with the methods and arguments that the source of its class shows."""
    own = info.own_class
    if own is None:
        return info
    forward = source.methods.get("forward")
    if forward is not None:
        return _by_arguments(info, own.arguments, forward) if info.signatures else _asking(info, own.name, forward)
    if not source.whole or not own.signatures:
        return info
    kept = {one.method: one for one in info.signatures}
    signatures = tuple(kept.get(one.method, one) for one in own.signatures if one.method in source.methods)
    if signatures:
        return replace(info, signatures=signatures, methods=tuple(one.method for one in signatures))
    has = ", ".join(sorted(one for one in source.methods if not one.startswith("_"))[:8]) or "no method"
    reason = f"{own.name} has none of the methods {', '.join(one.method for one in own.signatures)} (it has {has})"
    notice = no_signature(reason, "write a predictor of your own and name it in mlpack.yaml: `predictor: predict.py`")
    others = tuple(one for one in info.notices if one.code is not NoticeCode.NO_SIGNATURE)
    return replace(info, signatures=(), methods=(), notices=(*others, notice))


def _asking(info: ModelInfo, name: str, forward: ast.FunctionDef) -> ModelInfo:
    """The model without inputs, with a notice that names the parameters for which the user gives sample rows."""
    reason = f"{name}.forward takes {', '.join(_parameters(forward)) or 'nothing'}, and the file records no shapes"
    others = tuple(one for one in info.notices if one.code is not NoticeCode.NO_SIGNATURE)
    return replace(info, notices=(*others, no_signature(reason, by_sample=True)))


def _by_arguments(info: ModelInfo, given: tuple[TensorSpec, ...], forward: ast.FunctionDef) -> ModelInfo:
    """One input for each parameter of `forward`, if the keys (or the number) of the sample's values are its parameters."""
    parameters = _parameters(forward)
    required = parameters[: len(parameters) - len(forward.args.defaults)]
    named = all(one.name for one in given)
    names = [one.name for one in given] if named else parameters[: len(given)]
    if len(required) < 2 or len(names) != len(given) or not set(required) <= set(names) <= set(parameters):
        return info
    by_name = {name: replace(one, name=name) for name, one in zip(names, given, strict=True)}
    inputs = tuple(by_name[name] for name in parameters if name in by_name)
    return replace(info, signatures=tuple(_with_inputs(one, inputs) for one in info.signatures))


def _parameters(function: ast.FunctionDef) -> list[str]:
    """The names of the positional parameters after `self`."""
    return [one.arg for one in (*function.args.posonlyargs, *function.args.args)][1:]


def _with_inputs(signature: Signature, inputs: tuple[TensorSpec, ...]) -> Signature:
    return replace(signature, inputs=inputs, layout="tensors", columns=())
