"""A user's predict.py, read and never run: which functions it has, what they take, and the signatures that follow."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from mlpack.artifacts.model import DTYPES, ModelInfo, Signature, TensorSpec
from mlpack.errors import ConfigError
from mlpack.usercode.python_source import Source

FUNCTIONS = ("load", "preprocess", "predict", "postprocess")
_ROWS = TensorSpec(name="instances", dtype="BYTES", shape=(-1,))
_ANSWERS = TensorSpec(name="predictions", dtype="BYTES", shape=(-1,))


@dataclass(frozen=True, kw_only=True)
class Contract:
    """What predict.py offers: its functions with their parameters' names, and the INPUTS and OUTPUTS that it declares."""

    shown: str
    functions: Mapping[str, tuple[str, ...]]
    inputs: tuple[TensorSpec, ...] | None = None
    outputs: tuple[TensorSpec, ...] | None = None

    @property
    def takes_arrays(self) -> bool:
        """Whether its first function asks for `inputs` (checked arrays by name), not for the rows as they came."""
        entry = next((name for name in ("preprocess", "predict") if name in self.functions), None)
        return entry is None or "inputs" in self.functions[entry]


def read_contract(source: Source) -> Contract:
    """What a predictor's source says of itself. Raises ConfigError when it can be no predictor."""
    if source.problem or source.tree is None:
        raise ConfigError(f"the predictor {source.shown} {source.problem}", hint="`predictor:` names a Python file.")
    functions = {name: _parameters(source.tree, name) for name in FUNCTIONS if name in source.names}
    if not functions:
        has = ", ".join(sorted(source.names)[:8]) or "nothing"
        raise ConfigError(
            f"the predictor {source.shown} defines none of {', '.join(FUNCTIONS)}; it has {has}",
            hint="Write at least `def predict(model, instances):`, which answers a list with one value a row.",
        )
    return Contract(
        shown=source.shown,
        functions=functions,
        inputs=_declared(source, "INPUTS"),
        outputs=_declared(source, "OUTPUTS"),
    )


def signatures_for(contract: Contract, info: ModelInfo, first: str | None) -> tuple[Signature, ...]:
    """How the service is asked when this predictor answers, in place of the model's own signatures.

    Rows are checked against INPUTS, or the model's inputs where the predictor asks for `inputs`; else they are handed on as
    they come. Raises ConfigError when the predictor leaves to us what nothing tells.
    """
    own = sorted(info.signatures, key=lambda signature: signature.name != first)
    base = own[0] if own else None
    _can_answer(contract, info, base)
    asks_for_signature = all("signature" in names for name, names in contract.functions.items() if name != "load")
    kept = own if asks_for_signature and own else own[:1]
    if not kept:
        return (_signature(contract, _nameless(contract)),)
    return tuple(_signature(contract, one) for one in kept)


def _can_answer(contract: Contract, info: ModelInfo, base: Signature | None) -> None:
    if "predict" not in contract.functions and base is None:
        why = "no format here knows the file" if info.framework is None else "the file does not tell what it takes"
        raise ConfigError(
            f"{contract.shown} defines no predict, and {why}",
            hint="Write `def predict(model, instances):` in it." if info.framework is None else
            "Write `def predict(model, instances):` in it, or give a few rows with --sample.",
        )  # fmt: skip
    if contract.takes_arrays and contract.inputs is None and base is None:
        raise ConfigError(
            f"{contract.shown} asks for `inputs`, and nothing tells what they are",
            hint='Declare them in it: INPUTS = {"area": "FP64", "city": "BYTES"}; or take the rows as they come: `instances`.',
        )
    if "load" not in contract.functions and info.framework is None:
        raise ConfigError(
            f"{contract.shown} defines no load, and no format here knows {info.path.name}",
            hint="Write `def load(path):` in it, which gives the model.",
        )


def _nameless(contract: Contract) -> Signature:
    """A signature for a model that has none of its own."""
    names = contract.outputs or (_ANSWERS,)
    return Signature(
        name="predict", method="predict", inputs=(_ROWS,), outputs=names, layout="tensors", raw=("instances",)
    )


def _signature(contract: Contract, base: Signature) -> Signature:
    """The base signature as the predictor changes it: what comes in, what goes out."""
    raw: list[str] = []
    changed = replace(base, batchable=False)
    if contract.inputs is not None:
        flat = all(len(spec.shape) == 1 for spec in contract.inputs)
        changed = replace(
            changed,
            inputs=contract.inputs,
            layout="columns" if flat else "tensors",
            columns=tuple(spec.name for spec in contract.inputs) if flat else (),
            categories={},
            assumed=(),
        )
    elif not contract.takes_arrays:
        changed = replace(changed, inputs=(_ROWS,), layout="tensors", columns=(), categories={}, assumed=())
        raw.append(_ROWS.name)
    if contract.outputs is not None:
        changed = replace(changed, outputs=contract.outputs, classes=None)
    elif {"predict", "postprocess"} & set(contract.functions):
        changed = replace(changed, outputs=(_ANSWERS,), classes=None)
        raw.append(_ANSWERS.name)
    return replace(changed, raw=tuple(raw))


def _parameters(tree: ast.Module, name: str) -> tuple[str, ...]:
    """The parameters' names of the last function of that name; () where it is no plain function of this file."""
    found: tuple[str, ...] = ()
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == name:
            given = node.args
            found = tuple(one.arg for one in (*given.posonlyargs, *given.args, *given.kwonlyargs))
    return found


def _declared(source: Source, name: str) -> tuple[TensorSpec, ...] | None:
    """INPUTS or OUTPUTS: a literal dict from a name to a V2 data type, or to (data type, shape)."""
    value = _literal(source, name)
    if value is None:
        return None
    hint = f'Write {name} = {{"area": "FP64", "city": "BYTES"}}; data types: {", ".join(DTYPES)}.'
    if not isinstance(value, dict) or not value:
        raise ConfigError(f"{source.shown}: {name} is no dict of names and data types", hint=hint)
    specs = []
    for key, told in value.items():
        dtype, shape = (told, (-1,)) if isinstance(told, str) else _pair(told)
        if not isinstance(key, str) or dtype not in DTYPES or not shape:
            raise ConfigError(f"{source.shown}: {name}[{key!r}] is {told!r}, which is no data type", hint=hint)
        specs.append(TensorSpec(name=key, dtype=dtype, shape=shape))
    return tuple(specs)


def _pair(told: Any) -> tuple[Any, tuple[int, ...]]:
    if not isinstance(told, list | tuple) or len(told) != 2 or not isinstance(told[1], list | tuple):
        return None, ()
    return told[0], tuple(told[1]) if all(isinstance(size, int) for size in told[1]) else ()


def _literal(source: Source, name: str) -> Any:
    for node in source.tree.body if source.tree is not None else ():
        targets = (
            node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        )
        if any(isinstance(one, ast.Name) and one.id == name for one in targets) and node.value is not None:  # type: ignore[attr-defined]  # an assignment
            try:
                return ast.literal_eval(node.value)  # type: ignore[attr-defined]  # an assignment
            except ValueError:
                raise ConfigError(
                    f"{source.shown}:{node.lineno}: {name} is computed, and the file is read without running it",
                    hint=f'Write it out: {name} = {{"area": "FP64", "city": "BYTES"}}.',
                ) from None
    return None
