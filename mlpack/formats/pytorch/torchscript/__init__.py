"""TorchScript archives (traced, scripted, frozen): forward's arguments and answers from their source text."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from mlpack.artifacts.model import ModelInfo, Signature, TensorSpec
from mlpack.artifacts.notice import Notice, no_signature, notices
from mlpack.formats.base import SCALED_TOGETHER, Artifact
from mlpack.formats.pytorch.archive import TorchArchive
from mlpack.formats.pytorch.needs import requirements_of, version_of
from mlpack.formats.pytorch.sampled_inputs import (
    OPEN,
    columns_of_rows,
    inputs_of_rows,
    lengths_open,
    settled,
    signature_of,
)
from mlpack.formats.pytorch.tensors import Tensor, summary, tensor_of
from mlpack.formats.pytorch.torchscript.answers import NoRowsError, UntoldError, outputs_of
from mlpack.formats.pytorch.torchscript.flow import ByCode, told_by_code
from mlpack.formats.pytorch.torchscript.grouped import Group, group_of
from mlpack.formats.pytorch.torchscript.interpreter import judge_script
from mlpack.formats.pytorch.torchscript.script import Argument, Script
from mlpack.formats.pytorch.torchscript.shapes import UNKNOWN, Flowing
from mlpack.formats.pytorch.torchscript.traced import traced_inputs
from mlpack.readers.pickles.values import Instance

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
    judged = judge_script(artifact.pickle, archive, script, artifact.head)
    return ModelInfo(
        path=artifact.path,
        format="pytorch",
        framework="torch",
        framework_version=version,
        root_class=f"torch.jit {_plain(qualified)}" if qualified else "torch.jit",
        task=None,
        signatures=(signature,) if signature else (),
        safety=judged.safety,
        size=artifact.size,
        requirements=requirements,
        methods=("forward",) if asked.method else (),
        protocol=artifact.pickle.protocol,
        notices=notices(asked.warnings),
        details={
            "kind": "torchscript",
            "torchscript_version": archive.text("version", 16).strip(),
            "traced": "traced_inputs.pkl" in archive.tree,
            "forward": asked.described,
            **summary(tensors),
        },
        options={"kind": "torchscript", "arguments": asked.arguments, "dtype": floating(tensors)},
        advice="" if signature else asked.advice,
        names=judged.names,
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
        self.warnings: list[Notice | str] = []
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
        used = self._used(given)
        groups = {
            one.name: group
            for one in used
            if (group := group_of(self.script, one, [other.name for other in given])) is not None
        }
        odd = next((one for one in used if _kind(one) == "" and one.name not in groups), None)
        if odd is not None:
            why = f"forward's argument {odd.name} is {odd.type}, which no request can hold"
            self._mute(why, f"Put it together yourself: {_OWN}.")
            return None
        self._tell_state()
        inputs = self._inputs(used, groups)
        outputs = None if inputs is None else self._outputs(self.method.returns, inputs, used, groups)
        if inputs is None or outputs is None:
            return None
        self.arguments = [
            groups[one.name].to_json() if one.name in groups else {"name": one.name, "kind": _kind(one)} for one in used
        ]
        signature = signature_of(inputs, outputs, columns=columns_of_rows(self.artifact.sample, inputs))
        if re.search(r"\bops\.quantized\.\w+_dynamic\b", self.script.all_code()):
            self.warnings.append(SCALED_TOGETHER)
            signature = replace(signature, batch="one")
        if any(_kind(one) == "list" for one in used):
            return replace(signature, batch="none")
        return signature

    def _used(self, given: Sequence[Argument]) -> list[Argument]:
        """The arguments that a request gives: those that must be, and those that the user's rows name."""
        rows = self.artifact.sample
        named = {one.name for one in given if rows and all(isinstance(row, dict) and one.name in row for row in rows)}
        needed = [one.name for one in given if not one.optional] or [one.name for one in given[:1]]
        used = [one for one in given if one.name in needed or one.name in named]
        if left := [one.name for one in given if one not in used]:
            self.warnings.append(f"Left at their defaults: {', '.join(left)}.")
        return used

    def _outputs(
        self, returns: str, inputs: Sequence[TensorSpec], used: Sequence[Argument], groups: Mapping[str, Group]
    ) -> tuple[TensorSpec, ...] | None:
        """A spec for each tensor of the answer, whose type is known; None when something in it is no tensor."""
        known = {spec.name: _flowing(spec) for spec in inputs}
        given = {one.name: groups[one.name].of(known) if one.name in groups else known[one.name] for one in used}
        code = told_by_code(self.script, self.archive, self.qualified, given)
        try:
            return outputs_of(self.script, returns, code.answer)
        except NoRowsError as odd:
            self._mute(
                f"forward's answer is {returns}, and {odd} is no tensor with a row for each row",
                f"Take it apart yourself: {_OWN}.",
            )
            return None
        except UntoldError:
            self.warnings.append(
                f"forward's answer is {returns}: which tensors are in it is not told, they come as they are."
            )
            return (TensorSpec(name="output", dtype="FP32", shape=(-1, OPEN)),)

    def _inputs(self, used: list[Argument], groups: Mapping[str, Group]) -> tuple[TensorSpec, ...] | None:
        """A spec for each tensor that is asked for, from the traced inputs, the code, or the sample's rows."""
        traced = traced_inputs(self.archive, [one.name for one in self.method.arguments] if self.method else [], groups)
        given = {
            one.name: groups.get(one.name) or (Flowing(origin=one.name) if "Tensor" in one.type else UNKNOWN)
            for one in used
        }
        demanded = told_by_code(self.script, self.archive, self.qualified, given)
        if not self._parted(groups, demanded):
            return None
        wanted = [part for one in used for part in _parts(one, groups.get(one.name))]
        names = [name for name, _ in wanted]
        told = {one.name: one for one in inputs_of_rows(self.artifact.sample, names)}
        found: list[TensorSpec] = []
        for name, argument in wanted:
            by_code = demanded.inputs.get(name)
            spec = (argument and self._fixed(argument)) or traced.get(name) or told.get(name) or by_code
            if spec is None or (spec is by_code and lengths_open(spec)):
                but = "" if spec is None else f", only {spec.dtype} {list(spec.shape)}"
                self._mute(
                    f"the file does not tell the shape of {name}{but}",
                    f"Give a few rows: --sample rows.json, {_row(names)}; whole numbers are INT64, others FP32.",
                )
                return None
            if traced.get(name) is spec:
                spec = settled([spec], self.artifact.sample)[0] if len(names) == 1 else spec
                if any(isinstance(axis, int) and axis > 1 for axis in spec.shape[2:]):
                    self.warnings.append(f"{name}: the shape it was traced with; a sample of other lengths opens them.")
            elif name not in told and by_code is spec:
                self.warnings.append(f"{name}: FP32 or INT64 and its shape are as the first layer wants them.")
            found.append(spec)
        return tuple(found)

    def _parted(self, groups: Mapping[str, Group], code: ByCode) -> bool:
        """Whether the parts of every argument that holds several tensors are told."""
        alone = sum(one.kind == "dict" for one in groups.values()) == 1
        for group in groups.values():
            if group.kind != "tuple" and not group.traced and not code.whole:
                group.open = True
            group.by_rows(self.artifact.sample, alone=alone)
            if group.open or not group.parts:
                keys = "keys" if group.kind == "dict" else "length"
                self._mute(
                    f"forward's argument {group.argument} is a {group.kind} of tensors, and the code does not tell its {keys}",
                    f"Give a few rows: --sample rows.json, a list of records ({group.example}); or {_OWN}.",
                )
                return False
        return True

    def _fixed(self, one: Argument) -> TensorSpec | None:
        if one.type in _SCALARS:
            return TensorSpec(name=one.name, dtype=_SCALARS[one.type], shape=(-1,))
        if one.type in _LISTS:
            return TensorSpec(name=one.name, dtype=_LISTS[one.type], shape=(-1, -1))
        return None

    def _mute(self, why: str, advice: str) -> None:
        self.warnings.append(no_signature(why))
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


def _flowing(spec: TensorSpec) -> Flowing:
    """An input that is known, as the code is followed with it."""
    axes = tuple(axis if isinstance(axis, int) else -1 for axis in spec.shape)
    return Flowing(axes=axes, dtype=spec.dtype, origin=spec.name)


def _parts(argument: Argument, group: Group | None) -> list[tuple[str, Argument | None]]:
    """The inputs that an argument is made of."""
    return [(argument.name, argument)] if group is None else [(name, None) for name in group.parts.values()]


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
