"""torch.export's .pt2 archives: a program's inputs and outputs, and what its dimensions may be, from its JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from mlpack.artifacts.model import DTYPES, Batch, ModelInfo, Signature, TensorSpec
from mlpack.artifacts.notice import notices
from mlpack.errors import UnreadableModelError, UnsafeModelError
from mlpack.formats.base import Artifact
from mlpack.formats.pytorch.archive import TorchArchive
from mlpack.formats.pytorch.exported.programs import document_of, judge_program
from mlpack.formats.pytorch.needs import requirements_of, version_of
from mlpack.formats.pytorch.sampled_inputs import signature_of
from mlpack.formats.pytorch.tensors import Tensor, summary
from mlpack.readers.limits import CutOffError

# torch._export.serde.schema.ScalarType
_DTYPES = {
    1: "UINT8", 2: "INT8", 3: "INT16", 4: "INT32", 5: "INT64", 6: "FP16", 7: "FP32", 8: "FP64", 9: "complex32",
    10: "complex64", 11: "complex128", 12: "BOOL", 13: "BF16", 28: "UINT16",
}  # fmt: skip
_PARAMETERS = ("parameter", "buffer", "tensor_constant")


def inspect_exported(artifact: Artifact, archive: TorchArchive) -> ModelInfo:
    """What an exported program is. Raises UnreadableModelError when its JSON is not what torch writes."""
    try:
        return _Program(artifact, archive).info()
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError, IndexError, CutOffError) as error:
        pickle = artifact.pickle
        if pickle is not None and pickle.safety.verdict == "dangerous":
            called = ", ".join(one.callable for one in pickle.safety.findings if one.verdict == "dangerous")
            raise UnsafeModelError(
                f"{artifact.name} would call {called} when loaded, and its program cannot be read.",
                hint="Do not load this file anywhere; ask its author where it comes from.",
                info={"safety": pickle.safety.to_json()},
            ) from error
        raise UnreadableModelError(
            f"{artifact.name} is a torch.export archive, but its program cannot be read ({str(error)[:150]}).",
            hint="Export it again with a current release of torch.",
        ) from error


class _Program:
    """One program's JSON."""

    def __init__(self, artifact: Artifact, archive: TorchArchive) -> None:
        self.artifact, self.archive = artifact, archive
        self.document: dict[str, Any] = document_of(archive, archive.program)
        module = self.document["graph_module"]
        self.graph, self.declared = module["graph"], module["signature"]
        self.values: dict[str, Any] = self.graph["tensor_values"]
        self.ranges = {name: (one.get("min_val"), one.get("max_val")) for name, one in self._constraints()}

    def _constraints(self) -> Iterator[tuple[str, dict[str, Any]]]:
        held = self.document.get("range_constraints") or {}
        yield from ((str(name), one) for name, one in held.items() if isinstance(one, dict))

    def info(self) -> ModelInfo:
        """The answer."""
        recorded = self.document.get("torch_version") or self._recorded()
        version = version_of(self.artifact, recorded if isinstance(recorded, str) else None)
        requirements, _ = requirements_of(version)
        inputs, constants = self._inputs()
        outputs, others = self._outputs()
        warnings = [f"Fixed when it was exported: {', '.join(constants)}."] if constants else []
        if others:
            warnings.append(f"Left out of the answer, because they are no tensors: {', '.join(others[:5])}.")
        signature, rows = self._signature(inputs, outputs, warnings)
        pickle = self.artifact.pickle
        tensors = dict(self._weights())
        safety, names = judge_program(pickle, self.archive)
        return ModelInfo(
            path=self.artifact.path,
            format="pytorch",
            framework="torch",
            framework_version=version,
            root_class="torch.export.ExportedProgram",
            task=None,
            signatures=(signature,) if signature else (),
            safety=safety,
            size=self.artifact.size,
            requirements=requirements,
            methods=("forward",),
            protocol=pickle.protocol if pickle is not None else None,
            notices=notices(warnings),
            details={
                "kind": "exported",
                "schema": ".".join(str(one) for one in (self.document.get("schema_version") or {}).values()),
                "dimensions": {name: list(bounds) for name, bounds in sorted(self.ranges.items())},
                **summary(tensors),
            },
            options={"kind": "exported", **rows},
            advice=""
            if signature
            else "Requests cannot contain its inputs; write a predictor of your own: `predictor: predict.py`.",
            names=names,
        )

    def _recorded(self) -> str | None:
        return self.archive.text("torch_version", 64).strip() or None

    def _inputs(self) -> tuple[list[TensorSpec], list[str]]:
        """The tensors that the program takes, in order, and what was fixed when it was exported."""
        tensors: list[TensorSpec] = []
        fixed: list[str] = []
        for spec in self.declared["input_specs"]:
            if "user_input" in spec:
                name = spec["user_input"]["arg"].get("as_tensor", {}).get("name")
                if name is None:
                    fixed.append("an argument that is not a tensor")
                else:
                    tensors.append(self._tensor(name))
            elif "constant_input" in spec:
                one = spec["constant_input"]
                value = (
                    next(iter(one["value"].values()), None) if isinstance(one.get("value"), dict) else one.get("value")
                )
                fixed.append(f"{one['name']}={value!r}"[:60])
        return tensors, fixed

    def _outputs(self) -> tuple[list[TensorSpec], list[str]]:
        """The tensors of the answer by their places in it, and what in it is no tensor."""
        told = [spec["user_output"]["arg"] for spec in self.declared["output_specs"] if "user_output" in spec]
        names = self._places(len(told))
        tensors: list[TensorSpec] = []
        others: list[str] = []
        for name, arg in zip(names, told, strict=True):
            if tensor := arg.get("as_tensor", {}).get("name"):
                tensors.append(replace(self._tensor(tensor), name=name))
            elif "as_none" not in arg:
                others.append(f"{name}={next(iter(arg.values()), None)!r}"[:60])
        alone = len(tensors) == 1 and tensors[0].name.startswith("output_")
        return [replace(tensors[0], name="output")] if alone else tensors, others

    def _places(self, count: int) -> list[str]:
        """A name for each part of the answer: keys with dots between them, places with underscores."""
        calls = self.document["graph_module"].get("module_call_graph") or [{}]
        spec = (calls[0].get("signature") or {}).get("out_spec") or ""
        found = list(_leaves(json.loads(spec)[1], "")) if spec else []
        whole = len(found) == count == len(set(found))
        return [name or "output" for name in found] if whole else [f"output_{place}" for place in range(count)]

    def _tensor(self, name: str) -> TensorSpec:
        meta = self.values[name]
        dtype = _DTYPES.get(meta["dtype"], "FP32")
        return TensorSpec(name=name, dtype=dtype if dtype in DTYPES else "FP32", shape=tuple(map(_axis, meta["sizes"])))

    def _signature(
        self, inputs: list[TensorSpec], outputs: list[TensorSpec], warnings: list[str]
    ) -> tuple[Signature | None, dict[str, Any]]:
        """How the service asks it, and how many rows it takes at once (for the loader)."""
        if not inputs or not outputs:
            return None, {}
        firsts = {one.shape[0] if one.shape else None for one in inputs}
        only = next(iter(firsts))
        batch: Batch = "none"
        rows: dict[str, Any] = {}
        if len(firsts) == 1 and isinstance(only, str):
            batch = "any"
            low, high = self.ranges.get(only, (None, None))
            if isinstance(low, int) and low > 1:
                rows["min_rows"] = low
            if isinstance(high, int) and high < 1 << 31:
                rows["max_rows"] = high
        elif firsts == {1}:
            batch = "one"
        elif len(firsts) == 1 and isinstance(only, int):
            warnings.append(f"It was exported for exactly {only} rows: here one row is a whole such batch.")
        specs = [_rowed(one, batch) for one in inputs]
        opened = sorted({axis for one in specs for axis in one.shape[1:] if isinstance(axis, str)})
        if opened and not self.artifact.sample:
            warnings.append(
                f"{', '.join(opened)} are open: a few rows (--sample) show the warm-up and the test real lengths."
            )
        signature = signature_of(specs, [_rowed(one, batch) for one in outputs], rows=self.artifact.sample)
        if batch == "one":
            fit = all(one.shape and one.shape[0] == 1 for one in outputs)
            signature = signature if fit else replace(signature, outputs=tuple(_rowed(one, "none") for one in outputs))
        return replace(signature, batch=batch), rows

    def _weights(self) -> Iterator[tuple[str, Tensor]]:
        for spec in self.declared["input_specs"]:
            for key in _PARAMETERS:
                name = spec.get(key, {}).get("arg", {}).get("name")
                if name in self.values:
                    meta = self.values[name]
                    sizes = [_axis(one) for one in meta["sizes"]]
                    shape = tuple(one for one in sizes if isinstance(one, int))
                    full = spec[key].get(f"{key}_name") or name
                    yield str(full), Tensor(dtype=_DTYPES.get(meta["dtype"], "unknown"), shape=shape)


def _leaves(tree: dict[str, Any], key: str) -> Iterator[str]:
    """The names of a tree's leaves, as the loader gives them."""
    below = tree["children_spec"]
    if tree.get("type") is None:
        yield key
        return
    keys: Any = json.loads(tree["context"]) if isinstance(tree.get("context"), str) else tree.get("context")
    named = tree["type"] == "builtins.dict" and isinstance(keys, list) and len(keys) == len(below)
    for place, one in enumerate(below):
        if named:
            yield from _leaves(one, f"{key}.{keys[place]}" if key else str(keys[place]))
        else:
            yield from _leaves(one, f"{key or 'output'}_{place}")


def _axis(size: dict[str, Any]) -> int | str:
    """A dimension: its length, or its symbol (`s0`; an expression of several is -1)."""
    if "as_int" in size:
        return int(size["as_int"])
    expression = str(size["as_expr"]["expr_str"])
    found = re.fullmatch(r"(?:Symbol\(')?(\w+)(?:'.*\))?", expression)
    return found.group(1) if found else -1


def _rowed(spec: TensorSpec, batch: Batch) -> TensorSpec:
    """A spec whose axis 0 is the service's rows: the program's own first axis, or one before it."""
    return replace(spec, shape=(-1, *spec.shape) if batch == "none" else (-1, *spec.shape[1:]))
