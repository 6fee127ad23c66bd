"""TorchScript archives (traced, scripted, frozen): forward's arguments and answers from their source text."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any

from mlpack.artifacts.model import ModelInfo, Signature, TensorSpec
from mlpack.formats.base import SCALED_TOGETHER, Artifact
from mlpack.formats.pytorch.archive import TorchArchive
from mlpack.formats.pytorch.asked import (
    OPEN,
    columns_of_rows,
    inputs_of_rows,
    lengths_open,
    settled,
    signature_of,
)
from mlpack.formats.pytorch.flow import told_by_code
from mlpack.formats.pytorch.interpreter import judge_script
from mlpack.formats.pytorch.needs import requirements_of, version_of
from mlpack.formats.pytorch.script import Argument, Script
from mlpack.formats.pytorch.tensors import Tensor, summary, tensor_of
from mlpack.formats.pytorch.traced import traced_inputs
from mlpack.readers.values import Instance

_SCALARS = {"int": "INT64", "float": "FP64", "bool": "BOOL", "str": "BYTES", "number": "FP64"}
_LISTS = {f"List[{name}]": dtype for name, dtype in _SCALARS.items()}
_OWN = "write a predictor of your own and name it in mlpack.yaml: `predictor: predict.py`"


def inspect_script(artifact: Artifact, archive: TorchArchive) -> ModelInfo:
    """What a TorchScript archive is."""
    script = Script(archive)
    root = archive.pickles.get("data.pkl")
    qualified = root.class_name if isinstance(root, Instance) else ""
    asked = _Asked(artifact, archive, script, qualified)
    assert artifact.pickle is not None  # noqa: S101 - the archive was recognised by it
    version = version_of(artifact)
    requirements, _ = requirements_of(version)
    tensors = dict(_tensors(root))
    tensors = tensors or {f"CONSTANTS.c{n}": one for n, one in enumerate(map(tensor_of, _constants(archive))) if one}
    signature = asked.signature()
    return ModelInfo(
        path=artifact.path,
        format="pytorch",
        framework="torch",
        framework_version=version,
        root_class=f"torch.jit {_plain(qualified)}" if qualified else "torch.jit",
        task=None,
        signatures=(signature,) if signature else (),
        safety=judge_script(artifact.pickle, script),
        size=artifact.size,
        requirements=requirements,
        methods=("forward",) if asked.method else (),
        protocol=artifact.pickle.protocol,
        warnings=tuple(asked.warnings),
        details={
            "kind": "torchscript",
            "torchscript_version": archive.text("version", 16).strip(),
            "traced": "traced_inputs.pkl" in archive.tree,
            "forward": asked.described,
            **summary(tensors),
        },
        options={"kind": "torchscript", "arguments": asked.arguments, "dtype": floating(tensors)},
        advice="" if signature else asked.advice,
    )


@dataclass
class _Asked:
    """How `forward` is asked: what of it can be a signature, and what is said of the rest."""

    artifact: Artifact
    archive: TorchArchive
    script: Script
    qualified: str

    def __post_init__(self) -> None:
        self.method = self.script.method(self.qualified) if self.qualified else None
        self.warnings: list[str] = []
        self.advice = ""
        self.arguments: list[dict[str, Any]] = []
        self.described = ""

    def signature(self) -> Signature | None:
        """The signature; None when something of it is not known (then `advice` says what to do)."""
        if self.method is None:
            self._mute("its `forward` cannot be read", f"Load it yourself: {_OWN}.")
            return None
        given = self.method.arguments
        self.described = f"forward({', '.join(f'{one.name}: {one.type}' for one in given)}) -> {self.method.returns}"
        used = [one for one in given if not one.optional] or list(given[:1])
        if left := [one.name for one in given if one not in used]:
            self.warnings.append(f"Left at their defaults: {', '.join(left)}.")
        odd = next((one for one in used if _kind(one) == ""), None)
        if odd is not None:
            why = f"forward's argument {odd.name} is {odd.type}, which no request can hold"
            self._mute(why, f"Put it together yourself: {_OWN}.")
            return None
        self.arguments = [{"name": one.name, "kind": _kind(one)} for one in used]
        self._tell_state()
        inputs = self._inputs(used)
        if inputs is None:
            return None
        code = told_by_code(self.script, self.archive, self.qualified, inputs)
        columns = columns_of_rows(self.artifact.sample, inputs)
        signature = signature_of(inputs, _outputs(self.method.returns, code), columns=columns)
        if re.search(r"\bops\.quantized\.\w+_dynamic\b", self.script.all_code()):
            self.warnings.append(SCALED_TOGETHER)
            signature = replace(signature, batch="one")
        if any(_kind(one) == "list" for one in used):
            return replace(signature, batch="none")
        return signature

    def _inputs(self, used: list[Argument]) -> tuple[TensorSpec, ...] | None:
        """A spec for each argument that is used, from the traced inputs, the code, or the sample's rows."""
        names = [one.name for one in used]
        told = {one.name: one for one in inputs_of_rows(self.artifact.sample, names)}
        traced = traced_inputs(self.archive, [one.name for one in self.method.arguments] if self.method else [])
        demanded = told_by_code(self.script, self.archive, self.qualified, ()).inputs
        found: list[TensorSpec] = []
        for one in used:
            spec = self._fixed(one) or traced.get(one.name) or told.get(one.name) or demanded.get(one.name)
            if spec is None or (spec is demanded.get(one.name) and lengths_open(spec)):
                but = "" if spec is None else f", only {spec.dtype} {list(spec.shape)}"
                self._mute(
                    f"the file does not tell the shape of {one.name}{but}",
                    f"Give a few rows: --sample rows.json, {_row(names)}; whole numbers are INT64, others FP32.",
                )
                return None
            if traced.get(one.name) is spec:
                spec = settled([spec], self.artifact.sample)[0] if len(names) == 1 else spec
                if any(isinstance(axis, int) and axis > 1 for axis in spec.shape[2:]):
                    self.warnings.append(
                        f"{one.name}: the shape it was traced with; a sample of other lengths opens them."
                    )
            elif one.name not in told and demanded.get(one.name) is spec:
                self.warnings.append(f"{one.name}: FP32 or INT64 and its shape are as the first layer wants them.")
            found.append(spec)
        return tuple(found)

    def _fixed(self, one: Argument) -> TensorSpec | None:
        if one.type in _SCALARS:
            return TensorSpec(name=one.name, dtype=_SCALARS[one.type], shape=(-1,))
        if one.type in _LISTS:
            return TensorSpec(name=one.name, dtype=_LISTS[one.type], shape=(-1, -1))
        return None

    def _mute(self, why: str, advice: str) -> None:
        self.warnings.append(f"No signature: {why}.")
        self.advice = advice

    def _tell_state(self) -> None:
        text = self.script.all_code()
        # What loading calls, and what quantizing called, changes nothing when the model is asked.
        asked = re.sub(
            r"^  def (?:__setstate__|set_weight_bias)\(.*?(?=^  \S|^\S|\Z)", "", text, flags=re.MULTILINE | re.DOTALL
        )
        kept = sorted(set(re.findall(r"^ +self\.(\w+) = ", asked, re.MULTILINE)) - {"training", "prev"})
        if kept:
            self.warnings.append(
                f"The model changes itself as it answers ({', '.join(kept[:5])}): an answer may depend on those before it."
            )
        if re.search(r'torch\.device\("cuda', text):
            self.warnings.append("It was traced on a GPU, and its code names cuda: on a CPU it may fail when asked.")


def _kind(argument: Argument) -> str:
    """How the loader fills an argument: `tensor`, `scalar`, `list` (of scalars or tensors); "" when it cannot."""
    kind = (
        argument.type.removeprefix("Optional[").removesuffix("]")
        if argument.type.startswith("Optional[")
        else argument.type
    )
    if kind == "Tensor":
        return "tensor"
    if kind in _SCALARS:
        return "scalar"
    return "list" if argument.type in _LISTS else ""


def _outputs(returns: str, code: Any) -> tuple[TensorSpec, ...]:
    """The outputs of a return type: named by the code's keys where it is a dict, else by number."""
    if code.outputs:
        return tuple(code.outputs)
    if returns.startswith("Tuple["):
        count = _parts(returns)
        return tuple(TensorSpec(name=f"output_{n}", dtype="FP32", shape=(-1, OPEN)) for n in range(count))
    return (TensorSpec(name="output", dtype="FP32", shape=(-1, OPEN)),)


def _parts(returns: str) -> int:
    depth = commas = 0
    for letter in returns.removeprefix("Tuple[")[:-1]:
        depth += (letter in "[(") - (letter in "])")
        commas += letter == "," and depth == 0
    return commas + 1


def _row(names: list[str]) -> str:
    if len(names) == 1:
        return "a list with a row each ([[5.1, 3.5], ...])"
    return "a list of records (" + "{" + ", ".join(f'"{name}": ...' for name in names) + "})"


def _tensors(root: Any, prefix: str = "", depth: int = 0) -> list[tuple[str, Tensor]]:
    if not isinstance(root, Instance) or depth > 50:
        return []
    found: list[tuple[str, Tensor]] = []
    for name, value in root.attributes().items():
        if (tensor := tensor_of(value)) is not None:
            found.append((f"{prefix}{name}", tensor))
        elif isinstance(value, Instance):
            found += _tensors(value, f"{prefix}{name}.", depth + 1)
    return found


def _constants(archive: TorchArchive) -> tuple[Any, ...]:
    held = archive.pickles.get("constants.pkl")
    return tuple(held) if isinstance(held, tuple | list) else ()


def floating(tensors: dict[str, Tensor]) -> str:
    """The floating dtype of the first weight, where it is one that requests do not have of themselves."""
    first = next((one.dtype for one in tensors.values() if one.dtype in ("FP32", "FP64", "FP16", "BF16")), "FP32")
    return {"FP64": "float64", "FP16": "float16", "BF16": "bfloat16"}.get(first, "float32")


def _plain(qualified: str) -> str:
    """A class's name without TorchScript's own prefix and counters."""
    return ".".join(
        part for part in qualified.split(".") if part != "__torch__" and not part.startswith("___torch_mangle")
    )
