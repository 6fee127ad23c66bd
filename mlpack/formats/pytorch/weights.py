"""Weights without a model: state dicts, checkpoints and safetensors, and the function that makes the module for them."""

from __future__ import annotations

import re
from typing import Any

from mlpack.artifacts.model import Content, Finding, ModelInfo, Safety, TensorSpec
from mlpack.artifacts.notice import Notice, no_signature, notices
from mlpack.errors import UnreadableModelError, UsageError
from mlpack.formats.base import Artifact
from mlpack.formats.pytorch.beside import library_of
from mlpack.formats.pytorch.needs import requirements_of, version_of
from mlpack.formats.pytorch.sampled_inputs import OPEN, inputs_of_rows, signature_of
from mlpack.formats.pytorch.tensors import Tensor, held_in, state_dict_of, summary
from mlpack.formats.pytorch.torchscript.weights import floating
from mlpack.readers.encodings.safetensors import looks_like_safetensors, read_header
from mlpack.readers.limits import CutOffError
from mlpack.readers.pickles.contents import detail, kind
from mlpack.readers.sniff import sniff

# Where training loops keep the state dict in a checkpoint, the likeliest first.
KEYS = (
    "state_dict", "model_state_dict", "model_state", "model", "net", "network", "module", "weights", "params_ema", "ema",
    "params", "generator", "g_ema", "encoder", "backbone",
)  # fmt: skip
_NOT_TORCH = ("np", "tf", "flax", "jax", "mlx")
_ENTRY = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")
_SAFETENSORS = {
    "F32": "FP32", "F64": "FP64", "F16": "FP16", "I64": "INT64", "I32": "INT32", "I16": "INT16", "I8": "INT8",
    "U8": "UINT8", "U16": "UINT16", "U32": "UINT32", "U64": "UINT64",
}  # fmt: skip
_ADVICE = (
    "Give it a model: `--entry pkg.mod:make_model` names a function of yours, in a file that --include brings, that returns "
    "the nn.Module for these weights; or write `predictor: predict.py` (`mlpack init {file}` writes one to fill in)."
)


def inspect_weights(artifact: Artifact, root: Any) -> ModelInfo | None:
    """What a state dict or a checkpoint is; None when it is neither."""
    pickle = artifact.pickle
    assert pickle is not None  # noqa: S101 - the root was read from it
    key, tensors = _found(root)
    if tensors is None:
        return None
    listed = () if not key else _listed(root, key)
    version = version_of(artifact)
    requirements, missing = requirements_of(version, pickle)
    what = "a state dict" if not key else f"a checkpoint whose {key!r} is a state dict"
    return _info(
        artifact,
        root_class=kind(root),
        what=what,
        tensors=tensors,
        requirements=requirements,
        safety=pickle.safety,
        missing=missing,
        listed=listed,
        options={"kind": "weights", "key": key},
        details={"kind": "checkpoint" if key else "state_dict", "container": pickle.container, "state_dict_key": key},
        protocol=pickle.protocol,
    )


def inspect_safetensors(artifact: Artifact) -> ModelInfo | None:
    """What a safetensors file is; None when it is none. Raises UnreadableModelError for a broken one."""
    named = artifact.name.lower().endswith(".safetensors")
    size = artifact.size if artifact.size >= 0 else 1 << 62  # of a compressed file nobody knows yet
    if not looks_like_safetensors(artifact.head, size) and not (named and len(artifact.head) >= 8):
        return None
    try:
        with artifact.open() as source:
            header = read_header(source, artifact.size)
    except CutOffError as stopped:
        if (not named and not _sure(artifact.head)) or (
            artifact.packed is None and sniff(artifact.path, artifact.head).broken
        ):
            return None  # a pointer or a web page is reported as such
        raise UnreadableModelError(
            f"{artifact.name} cannot be read as safetensors: {stopped}.",
            hint="Fetch the file again, or export it again.",
        ) from stopped
    tensors = {
        name: Tensor(dtype=_SAFETENSORS.get(one.dtype, one.dtype), shape=one.shape)
        for name, one in header.tensors.items()
    }
    requirements, _ = requirements_of(version_of(artifact), also=("safetensors",))
    if header.metadata.get("format") in _NOT_TORCH and artifact.entry is None:
        requirements = tuple(one for one in requirements if one.distribution != "torch")
    return _info(
        artifact,
        root_class="safetensors",
        what="safetensors",
        tensors=tensors,
        requirements=requirements,
        safety=Safety(verdict="safe"),
        options={"kind": "safetensors"},
        details={"kind": "safetensors", "metadata": dict(list(header.metadata.items())[:20])},
    )


def _sure(head: bytes) -> bool:
    return b'"dtype"' in head and b'"data_offsets"' in head


def _listed(root: Any, chosen: str) -> tuple[Content, ...]:
    """A checkpoint's own entries, not what lies in them."""
    contents = []
    for key, value in list(held_in(root).items())[:100]:
        tensors = state_dict_of(value)
        words = detail(value) if tensors is None else f"a state dict of {len(tensors)} tensors"
        contents.append(Content(key=str(key), kind=kind(value), detail=words + (", used" if key == chosen else "")))
    return tuple(contents)


def _found(root: Any) -> tuple[str, dict[str, Tensor] | None]:
    """Where in the file the state dict is ("" for the root itself), and its tensors."""
    whole = state_dict_of(root)
    if whole is not None:
        return "", whole
    inside = held_in(root)
    held = {key: weights for key, value in inside.items() if (weights := state_dict_of(value)) is not None}
    if not held:
        return "", None
    key = next((one for one in KEYS if one in held), None) or max(held, key=lambda one: len(held[one]))
    return key, held[key]


def _info(
    artifact: Artifact,
    *,
    root_class: str,
    what: str,
    tensors: dict[str, Tensor],
    requirements: Any,
    safety: Safety,
    options: dict[str, Any],
    details: dict[str, Any],
    missing: tuple[str, ...] = (),
    listed: tuple[Content, ...] = (),
    protocol: int | None = None,
) -> ModelInfo:
    entry = _entry(artifact)
    inputs = inputs_of_rows(artifact.sample) if entry else ()
    signatures = ()
    warnings: list[Notice | str] = []
    advice = library_of(artifact) + _ADVICE.format(file=artifact.name)
    if not entry:
        warnings.append(no_signature(f"it is {what}, weights without the code that uses them"))
    elif not inputs:
        advice = (
            "Give a few rows: --sample rows.json, a list with a row each, or records by forward's argument names; whole "
            "numbers are INT64, others FP32."
        )
        warnings.append(no_signature(f"weights do not record what the module of {entry} takes", by_sample=True))
    else:
        output = TensorSpec(name="output", dtype="FP32", shape=(-1, OPEN))
        signatures = (signature_of(inputs, (output,), rows=artifact.sample),)  # type: ignore[assignment]  # a tuple of one
    if entry:
        safety = _with_maker(safety, entry)
    return ModelInfo(
        path=artifact.path,
        format="pytorch",
        framework="torch",
        framework_version=version_of(artifact),
        root_class=root_class,
        task=None,
        signatures=signatures,
        safety=safety,
        size=artifact.size,
        requirements=requirements,
        missing_modules=missing,
        contents=listed,
        entry=entry,
        methods=("forward",) if entry else (),
        protocol=protocol,
        notices=notices(warnings),
        details={**details, **summary(tensors)},
        options={**options, "dtype": floating(tensors)},
        advice="" if signatures else advice,
        submodules=() if entry else _submodules(tensors),
    )


def _submodules(tensors: dict[str, Tensor]) -> tuple[str, ...]:
    """The attributes of the module whose weights these are; the loader removes the same prefixes from their names."""
    names = list(tensors)
    for prefix in ("module.", "_orig_mod."):
        if names and all(name.startswith(prefix) for name in names):
            names = [name.removeprefix(prefix) for name in names]
    return tuple(dict.fromkeys(name.partition(".")[0] for name in names))


def _entry(artifact: Artifact) -> str | None:
    """`pkg.mod:make_model`, the user's function; raises UsageError for an entry of another form."""
    entry = artifact.entry
    if entry is not None and not _ENTRY.fullmatch(entry):
        raise UsageError(
            f"{artifact.name} holds weights, and {entry!r} names no function that builds a model for them.",
            hint="Write --entry pkg.mod:make_model: the module's name, a colon, the function's.",
        )
    return entry


def _with_maker(safety: Safety, entry: str) -> Safety:
    """The verdict with the user's function in it: loading calls it, so it has to be brought, and is looked for."""
    why = "makes the module that the weights belong to: build with --include and the file that defines it"
    maker = Finding(callable=entry.replace(":", "."), why=why, verdict="unknown")
    verdict = "dangerous" if safety.verdict == "dangerous" else "unknown"
    return Safety(verdict=verdict, findings=(*safety.findings, maker))  # type: ignore[arg-type]  # one of the two literals
