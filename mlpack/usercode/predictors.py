"""Read a user's predict.py without running it: its functions, their parameters, and the resulting signatures."""

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
    """What predict.py defines: its functions with their parameters, and the INPUTS and OUTPUTS that it declares."""

    shown: str
    functions: Mapping[str, tuple[str, ...]]
    inputs: tuple[TensorSpec, ...] | None = None
    outputs: tuple[TensorSpec, ...] | None = None
    trained: tuple[str, ...] = ()  # all columns in INPUTS, if some of them are only accepted: their data type is None

    @property
    def takes_arrays(self) -> bool:
        """Whether its first function takes `inputs` (validated arrays by name), not the rows as they were sent."""
        entry = next((name for name in ("preprocess", "predict") if name in self.functions), None)
        return entry is None or "inputs" in self.functions[entry]


def read_contract(source: Source) -> Contract:
    """The contract of a predictor's source. Raises ConfigError for a file that is no predictor."""
    if source.problem or source.tree is None:
        raise ConfigError(f"the predictor {source.shown} {source.problem}", hint="Set `predictor:` to a Python file.")
    functions = {name: parameters_of(source.tree, name) for name in FUNCTIONS if name in source.names}
    if not functions:
        has = ", ".join(sorted(source.names)[:8]) or "nothing"
        raise ConfigError(
            f"the predictor {source.shown} defines none of {', '.join(FUNCTIONS)}; it has {has}",
            hint="Write at least `def predict(model, instances):`, which returns a list with one value for each row.",
        )
    declared = _literal(source, "INPUTS")
    unused = isinstance(declared, dict) and None in declared.values()
    return Contract(
        shown=source.shown,
        functions=functions,
        inputs=declared_tensors(source, "INPUTS"),
        trained=tuple(declared) if unused else (),
        outputs=declared_tensors(source, "OUTPUTS"),
    )


def signatures_for(contract: Contract, info: ModelInfo, first: str | None) -> tuple[Signature, ...]:
    """The signatures of a service with this predictor, in place of the model's own signatures.

    Rows are validated against INPUTS, or against the model's inputs where the predictor takes `inputs`; otherwise they are
    passed on unchanged. Raises ConfigError when neither the predictor nor the file defines a needed function or input.
    """
    own = sorted(info.signatures, key=lambda signature: signature.name != first)
    base = own[0] if own else None
    _can_answer(contract, info, base)
    takes_signature = all("signature" in names for name, names in contract.functions.items() if name != "load")
    kept = own if takes_signature and own else own[:1]
    if not kept:
        return (_signature(contract, _nameless(contract)),)
    return tuple(_signature(contract, one) for one in kept)


def _can_answer(contract: Contract, info: ModelInfo, base: Signature | None) -> None:
    if "predict" not in contract.functions and base is None:
        why = "no format recognises the file" if info.framework is None else "the file does not record its inputs"
        raise ConfigError(
            f"{contract.shown} defines no predict, and {why}",
            hint="Write `def predict(model, instances):` in it." if info.framework is None else
            "Write `def predict(model, instances):` in it, or give a few rows with --sample.",
        )  # fmt: skip
    if contract.takes_arrays and contract.inputs is None and base is None:
        raise ConfigError(
            f"{contract.shown} takes `inputs`, but neither it nor the file declares them",
            hint='Declare them in it: INPUTS = {"area": "FP64", "city": "BYTES"}; or take the rows unchanged: `instances`.',
        )
    if "load" not in contract.functions and info.framework is None:
        raise ConfigError(
            f"{contract.shown} defines no load, and no format recognises {info.path.name}",
            hint="Write `def load(path):` in it, which returns the model.",
        )


def _nameless(contract: Contract) -> Signature:
    """The signature for a model without signatures."""
    names = contract.outputs or (_ANSWERS,)
    return Signature(
        name="predict", method="predict", inputs=(_ROWS,), outputs=names, layout="tensors", raw=("instances",)
    )


def _signature(contract: Contract, base: Signature) -> Signature:
    """The base signature with the inputs and outputs of the predictor."""
    raw: list[str] = []
    changed = replace(base, batchable=False)
    if contract.inputs is not None:
        flat = all(len(spec.shape) == 1 for spec in contract.inputs)
        changed = replace(
            _without_columns(changed),
            inputs=contract.inputs,
            layout="columns" if flat else "tensors",
            columns=tuple(spec.name for spec in contract.inputs) if flat else (),
            trained_columns=contract.trained if flat else (),
        )
    elif not contract.takes_arrays:
        changed = replace(_without_columns(changed), inputs=(_ROWS,), layout="tensors")
        raw.append(_ROWS.name)
    if contract.outputs is not None:
        changed = replace(changed, outputs=contract.outputs, classes=None)
    elif {"predict", "postprocess"} & set(contract.functions):
        changed = replace(changed, outputs=(_ANSWERS,), classes=None)
        raw.append(_ANSWERS.name)
    return replace(changed, raw=tuple(raw))


def _without_columns(signature: Signature) -> Signature:
    """The signature without what it says of the model's own columns."""
    return replace(
        signature,
        columns=(),
        categories={},
        unknown_categories="",
        assumed=(),
        trained_columns=(),
        not_null=(),
        whole_as_text=(),
    )


def parameters_of(tree: ast.Module, name: str) -> tuple[str, ...]:
    """The parameter names of the last function of that name; () when the file defines no such function."""
    found: tuple[str, ...] = ()
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == name:
            given = node.args
            found = tuple(one.arg for one in (*given.posonlyargs, *given.args, *given.kwonlyargs))
    return found


def declared_tensors(source: Source, name: str) -> tuple[TensorSpec, ...] | None:
    """INPUTS or OUTPUTS: a literal dict from a name to a V2 data type, or to (data type, shape).

    A column of INPUTS whose data type is None is accepted and not handed on.
    """
    value = _literal(source, name)
    if value is None:
        return None
    hint = f'Write {name} = {{"area": "FP64", "city": "BYTES"}}; data types: {", ".join(DTYPES)}.'
    if not isinstance(value, dict) or not value:
        raise ConfigError(f"{source.shown}: {name} is not a dict of names and data types", hint=hint)
    specs = []
    for key, declared in value.items():
        if declared is None and name == "INPUTS" and isinstance(key, str) and any(value.values()):
            continue
        dtype, shape = (declared, (-1,)) if isinstance(declared, str) else _pair(declared)
        if not isinstance(key, str) or dtype not in DTYPES or not shape:
            raise ConfigError(f"{source.shown}: {name}[{key!r}] is {declared!r}, which is not a data type", hint=hint)
        specs.append(TensorSpec(name=key, dtype=dtype, shape=shape))
    return tuple(specs)


def _pair(value: Any) -> tuple[Any, tuple[int, ...]]:
    if not isinstance(value, list | tuple) or len(value) != 2 or not isinstance(value[1], list | tuple):
        return None, ()
    return value[0], tuple(value[1]) if all(isinstance(size, int) for size in value[1]) else ()


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
