"""TorchScript archives (traced, scripted, frozen): forward's arguments and answers from their source text."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from mlpack.artifacts.model import ModelInfo, Signature, TensorSpec
from mlpack.artifacts.notice import Notice, no_signature, notices
from mlpack.artifacts.row_sizes import image_size, with_sizes
from mlpack.formats.base import SCALED_TOGETHER, Artifact
from mlpack.formats.pytorch.archive import TorchArchive
from mlpack.formats.pytorch.needs import requirements_of, version_of
from mlpack.formats.pytorch.sampled_inputs import (
    OPEN,
    SIZES_GUESSED,
    inputs_of_rows,
    lengths_open,
    signature_of,
    with_open_axes,
)
from mlpack.formats.pytorch.tensors import summary, tensor_of
from mlpack.formats.pytorch.torchscript.answers import NoRowsError, UnknownOutputsError, outputs_of
from mlpack.formats.pytorch.torchscript.flow import ByCode, shapes_by_code
from mlpack.formats.pytorch.torchscript.grouped import Group, group_of
from mlpack.formats.pytorch.torchscript.interpreter import judge_script
from mlpack.formats.pytorch.torchscript.script import Argument, Script
from mlpack.formats.pytorch.torchscript.shapes import UNKNOWN, Flowing
from mlpack.formats.pytorch.torchscript.traced import traced_inputs
from mlpack.formats.pytorch.torchscript.weights import constants_of, floating, tensors_in
from mlpack.readers.pickles.values import Instance

_SCALARS = {"int": "INT64", "float": "FP64", "bool": "BOOL", "str": "BYTES", "number": "FP64"}
_LISTS = {f"List[{name}]": dtype for name, dtype in _SCALARS.items()}
_TEXTS = "List[str]"
_LONGEST_METADATA = 64 * 1024
_OWN = "write a predictor of your own and name it in mlpack.yaml: `predictor: predict.py`"


def inspect_script(artifact: Artifact, archive: TorchArchive) -> ModelInfo:
    """What a TorchScript archive is."""
    script = Script(archive)
    root = archive.pickles.get("data.pkl")
    qualified = root.class_name if isinstance(root, Instance) else ""
    forward = _Forward(artifact, archive, script, qualified)
    assert artifact.pickle is not None  # noqa: S101 - the archive was recognised by it
    version = version_of(artifact)
    requirements, _ = requirements_of(version)
    tensors = dict(tensors_in(root))
    tensors = tensors or {f"CONSTANTS.c{n}": one for n, one in enumerate(map(tensor_of, constants_of(archive))) if one}
    signature = forward.signature()
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
        methods=("forward",) if forward.method else (),
        protocol=artifact.pickle.protocol,
        notices=notices(forward.warnings),
        details={
            "kind": "torchscript",
            "torchscript_version": archive.text("version", 16).strip(),
            "traced": "traced_inputs.pkl" in archive.tree,
            "forward": forward.described,
            **summary(tensors),
        },
        options={"kind": "torchscript", "arguments": forward.arguments, "dtype": floating(tensors), **forward.form},
        advice="" if signature else forward.advice,
        names=judged.names,
    )


@dataclass
class _Forward:
    """The signature of `forward`, as far as it is known, with warnings and advice."""

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
        self.form: dict[str, bool] = {}  # of the answer: a list with one entry a row instead of a tensor

    def signature(self) -> Signature | None:
        """The signature; None when a part of it is unknown (then `advice` says what to do)."""
        if self.method is None:
            self._refuse("its `forward` cannot be read", f"Load it in your own code: {_OWN}.")
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
            why = f"forward's argument {odd.name} is {odd.type}, which requests cannot contain"
            self._refuse(why, f"Build it in your own code: {_OWN}.")
            return None
        self._check_state()
        inputs = self._inputs(used, groups)
        outputs = None if inputs is None else self._outputs(self.method.returns, inputs, used, groups)
        if inputs is None or outputs is None:
            return None
        self.arguments = [
            groups[one.name].to_json() if one.name in groups else {"name": one.name, "kind": _kind(one)} for one in used
        ]
        signature = signature_of(inputs, outputs, rows=self.artifact.sample)
        signature = with_sizes(signature, image_size(self._metadata()))
        if re.search(r"\bops\.quantized\.\w+_dynamic\b", self.script.all_code()):
            self.warnings.append(SCALED_TOGETHER)
            signature = replace(signature, batch="one")
        if self.form:
            signature = replace(signature, raw=tuple(spec.name for spec in outputs))
        if any(_kind(one) == "list" and not self._is_batch(one) for one in used):
            return replace(signature, batch="none")
        return signature

    def _is_batch(self, one: Argument) -> bool:
        """Whether a list of plain values has one value for each row: of texts it has, unless the sample's rows are lists."""
        rows = [row.get(one.name) if isinstance(row, dict) else row for row in self.artifact.sample]
        return (
            one.type in _LISTS and not any(isinstance(row, list) for row in rows) and (bool(rows) or one.type == _TEXTS)
        )

    def _metadata(self) -> Mapping[str, Any]:
        """What the exporter wrote beside the code (Ultralytics: `imgsz`, `stride`); {} if it is not JSON."""
        try:
            found = json.loads(self.archive.text("extra/config.txt", _LONGEST_METADATA))
        except (ValueError, RecursionError):
            return {}
        return found if isinstance(found, dict) else {}

    def _used(self, given: Sequence[Argument]) -> list[Argument]:
        """The arguments in a request: the required ones, and those in the user's sample rows."""
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
        """A spec for each tensor of the result, or for its list of rows; None when a part of it is neither."""
        if (
            returns.startswith("List[")
            and "Tensor" not in returns
            and not any(one in returns for one in ("Any", "Future"))
        ):
            self.form = {"listed": True} if all(_kind(one) != "list" or self._is_batch(one) for one in used) else {}
        if self.form:
            return (TensorSpec(name="output", dtype="BYTES", shape=(-1,)),)
        known = {spec.name: _flowing(spec) for spec in inputs}
        given = {one.name: groups[one.name].of(known) if one.name in groups else known[one.name] for one in used}
        code = shapes_by_code(self.script, self.archive, self.qualified, given)
        try:
            return outputs_of(self.script, returns, code.answer)
        except NoRowsError as odd:
            self._refuse(
                f"forward returns {returns}, and {odd} is not a tensor with one row for each input row",
                f"Convert it in your own code: {_OWN}.",
            )
            return None
        except UnknownOutputsError:
            self.warnings.append(
                f"forward returns {returns}: the file does not record its tensors, so they are returned unchanged."
            )
            return (TensorSpec(name="output", dtype="FP32", shape=(-1, OPEN)),)

    def _inputs(self, used: list[Argument], groups: Mapping[str, Group]) -> tuple[TensorSpec, ...] | None:
        """A spec for each input tensor, from the traced inputs, the code, or the sample rows."""
        traced = traced_inputs(self.archive, [one.name for one in self.method.arguments] if self.method else [], groups)
        given = {
            one.name: groups.get(one.name) or (Flowing(origin=one.name) if "Tensor" in one.type else UNKNOWN)
            for one in used
        }
        demanded = shapes_by_code(self.script, self.archive, self.qualified, given)
        if not self._parted(groups, demanded):
            return None
        wanted = [part for one in used for part in _parts(one, groups.get(one.name))]
        names = [name for name, _ in wanted]
        sampled = {one.name: one for one in inputs_of_rows(self.artifact.sample, names)}
        found: list[TensorSpec] = []
        for name, argument in wanted:
            by_code = demanded.inputs.get(name)
            spec = (argument and self._fixed(argument)) or traced.get(name) or sampled.get(name) or by_code
            if spec is None or (spec is by_code and lengths_open(spec)):
                but = "" if spec is None else f", only {spec.dtype} {list(spec.shape)}"
                self._refuse(
                    f"the file does not record the shape of {name}{but}",
                    f"Give a few rows: --sample rows.json, {_row(names)}; whole numbers are INT64, others FP32.",
                    by_sample=True,
                )
                return None
            if traced.get(name) is spec:
                spec = with_open_axes([spec], self.artifact.sample)[0] if len(names) == 1 else spec
                if any(isinstance(axis, int) and axis > 1 for axis in spec.shape[2:]):
                    self.warnings.append(
                        f"{name}: its shape is the traced one; a sample with other lengths makes them dynamic."
                    )
            elif name not in sampled and by_code is spec:
                self.warnings.append(f"{name}: its shape and its type (FP32 or INT64) are those of the first layer.")
                if any(axis == -1 for axis in spec.shape[2:]):
                    self.warnings.append(SIZES_GUESSED)
            found.append(spec)
        return tuple(found)

    def _parted(self, groups: Mapping[str, Group], code: ByCode) -> bool:
        """Whether the parts of every argument with several tensors are known."""
        alone = sum(one.kind == "dict" for one in groups.values()) == 1
        for group in groups.values():
            if group.kind != "tuple" and not group.traced and not code.whole:
                group.open = True
            group.by_rows(self.artifact.sample, alone=alone)
            if group.open or not group.parts:
                keys = "keys" if group.kind == "dict" else "length"
                self._refuse(
                    f"forward's argument {group.argument} is a {group.kind} of tensors, and the code does not show its {keys}",
                    f"Give a few rows: --sample rows.json, a list of records ({group.example}); or {_OWN}.",
                    by_sample=True,
                )
                return False
        return True

    def _fixed(self, one: Argument) -> TensorSpec | None:
        if one.type in _SCALARS:
            return TensorSpec(name=one.name, dtype=_SCALARS[one.type], shape=(-1,))
        if one.type in _LISTS:
            shape = (-1,) if self._is_batch(one) else (-1, -1)
            return TensorSpec(name=one.name, dtype=_LISTS[one.type], shape=shape)
        return None

    def _refuse(self, why: str, advice: str, *, by_sample: bool = False) -> None:
        self.warnings.append(no_signature(why, by_sample=by_sample))
        self.advice = advice

    def _check_state(self) -> None:
        text = self.script.all_code()
        # Methods that only loading or quantizing calls have no effect on predictions.
        code = re.sub(
            r"^  def (?:__setstate__|set_weight_bias)\(.*?(?=^  \S|^\S|\Z)", "", text, flags=re.MULTILINE | re.DOTALL
        )
        kept = sorted(set(re.findall(r"^ +self\.(\w+) = ", code, re.MULTILINE)) - {"training", "prev"})
        if kept:
            self.warnings.append(
                f"The model keeps state between calls ({', '.join(kept[:5])}): a prediction may depend on earlier ones."
            )
        if re.search(r'torch\.device\("cuda', text):
            self.warnings.append(
                "It was traced on a GPU, and its code names cuda, so that predictions fail on a CPU. Trace it on the CPU and "
                "save it again: `torch.jit.trace(model.cpu(), example.cpu())`; or build with --gpu."
            )


def _flowing(spec: TensorSpec) -> Flowing:
    """A known input, as a value for following the code."""
    axes = tuple(axis if isinstance(axis, int) else -1 for axis in spec.shape)
    return Flowing(axes=axes, dtype=spec.dtype, origin=spec.name)


def _parts(argument: Argument, group: Group | None) -> list[tuple[str, Argument | None]]:
    """The inputs of an argument."""
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


def _plain(qualified: str) -> str:
    """A class's name without TorchScript's own prefix and counters."""
    return ".".join(
        part for part in qualified.split(".") if part != "__torch__" and not part.startswith("___torch_mangle")
    )
