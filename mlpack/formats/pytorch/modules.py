"""A whole module that `torch.save` wrote: its class, the code it needs, and what its first and last layers tell."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from mlpack.artifacts.model import ModelInfo, OwnClass, TensorSpec
from mlpack.artifacts.notice import Notice, code_missing, no_signature, notices
from mlpack.artifacts.row_sizes import with_sizes
from mlpack.formats.base import SCALED_TOGETHER, Artifact
from mlpack.formats.pytorch.hooks import with_hooks
from mlpack.formats.pytorch.needs import requirements_of, version_of
from mlpack.formats.pytorch.sampled_inputs import (
    OPEN,
    SIZES_GUESSED,
    arguments_of_rows,
    inputs_of_rows,
    lengths_open,
    signature_of,
)
from mlpack.formats.pytorch.tensors import Tensor, mapping, parameters_of, summary, tensor_of
from mlpack.formats.pytorch.torchscript.weights import floating
from mlpack.readers.pickles.values import Global, Instance

_LAYERS = "torch.nn.modules."
_GRAPH = "torch.fx.graph_module.reduce_graph_module"
_DYNAMIC = ("torch.ao.nn.quantized.dynamic.", "torch.nn.quantized.dynamic.")
# What passes a tensor on with its shape, so that the next layer tells.
_SAME = (".activation.", ".dropout.", ".batchnorm.", ".normalization.", ".instancenorm.", ".linear.Identity")
_NOT_SAME = (".activation.MultiheadAttention", ".activation.GLU")


def module_of(value: Any) -> Instance | None:
    """The nn.Module that a pickled object is, by the three tables that every module keeps; None for any other.

    A graph module of torch.fx is pickled as a call with its state and source.
    """
    if not isinstance(value, Instance):
        return None
    if isinstance(value.callable, Global) and str(value.callable) == _GRAPH and value.args:
        value = Instance(Global("torch.fx.graph_module", "GraphModule"), state=value.args[0])
    return value if {"_parameters", "_buffers", "_modules"} <= value.attributes().keys() else None


def is_module(value: Any) -> bool:
    """Whether a pickled object is an nn.Module."""
    return module_of(value) is not None


def inspect_module(artifact: Artifact, root: Instance, *, key: str = "") -> ModelInfo:
    """What a whole module is; `key` says where in a checkpoint it is."""
    pickle = artifact.pickle
    assert pickle is not None  # noqa: S101 - the module was read from it
    version = version_of(artifact)
    requirements, missing = requirements_of(version, pickle)
    tensors = dict(parameters_of(root))
    wanted = first_input(root)
    inputs = inputs_of_rows(artifact.sample) or (() if any(map(lengths_open, wanted)) else wanted)
    signature = with_sizes(signature_of(inputs, outputs_of(root), rows=artifact.sample)) if inputs else None
    warnings: list[Notice | str] = []
    advice = ""
    if any(name.module.startswith(_DYNAMIC) for name in pickle.globals):
        warnings.append(SCALED_TOGETHER)
        signature = replace(signature, batch="one") if signature else None
    if not inputs:
        advice = (
            "Give a few rows: --sample rows.json, a list with a row each ([[5.1, 3.5], ...]) or records by forward's argument "
            "names; whole numbers are INT64, others FP32."
        )
        takes = f"{root.class_name} takes" + "".join(
            f" {one.dtype} {list(one.shape)} with unknown lengths" for one in wanted
        )
        warnings.append(no_signature(takes if wanted else f"the file does not record what {takes}", by_sample=True))
    elif not artifact.sample:
        warnings.append("Its input is the one of the first layer; use --sample to change it.")
        if signature is not None and signature.sizes:
            warnings.append(SIZES_GUESSED)
    if key:
        warnings.append(f"It is a checkpoint whose {key!r} is the module.")
    if missing:
        warnings.append(code_missing("no known package has", missing))
    return ModelInfo(
        path=artifact.path,
        format="pytorch",
        framework="torch",
        framework_version=version,
        root_class=root.class_name,
        task=None,
        signatures=(signature,) if signature else (),
        safety=with_hooks(pickle.safety, root),
        size=artifact.size,
        requirements=requirements,
        missing_modules=missing,
        methods=("forward",),
        steps=tuple((name, _class(child)) for name, child in _children(root)[:50]),
        numpy_major=pickle.numpy_major,
        protocol=pickle.protocol,
        notices=notices(warnings),
        details={"kind": "module", "container": pickle.container, **({"key": key} if key else {}), **summary(tensors)},
        options={"kind": "module", "dtype": floating(tensors), **({"key": key} if key else {})},
        advice=advice,
        own_class=_own_class(root, artifact),
    )


def _own_class(root: Instance, artifact: Artifact) -> OwnClass | None:
    """The module's class if it is none of torch's; its source tells whether it takes a row's values one by one."""
    if root.class_name.startswith("torch."):
        return None
    return OwnClass(name=root.class_name, arguments=arguments_of_rows(artifact.sample))


def first_input(root: Instance) -> tuple[TensorSpec, ...]:
    """The input of a Sequential or of one layer of torch's own, as its first layer wants it; () when that is not certain."""
    for layer in _in_order(root):
        name = layer.class_name
        if not name.startswith(_LAYERS):
            return ()
        input_ = _wanted(name.removeprefix(_LAYERS), layer)
        if input_ is not None:
            dtype, axes = input_
            return (TensorSpec(name="input", dtype=dtype, shape=(-1, *axes)),)
        if any(part in name for part in _NOT_SAME) or not any(part in name for part in _SAME):
            return ()
    return ()


def outputs_of(root: Instance) -> tuple[TensorSpec, ...]:
    """The output of a Sequential whose last layers tell; else a tensor of unknown rank."""
    layers = _in_order(root)
    for layer in reversed(layers):
        name = layer.class_name
        if name == f"{_LAYERS}linear.Linear" and len(first := first_input(root)) == 1 and len(first[0].shape) == 2:
            width = layer.attributes().get("out_features")
            flat = all(".linear." in one.class_name or any(part in one.class_name for part in _SAME) for one in layers)
            if isinstance(width, int) and flat:
                return (TensorSpec(name="output", dtype=_weights(layer), shape=(-1, width)),)
        if not any(part in name for part in _SAME):
            break
    return (TensorSpec(name="output", dtype="FP32", shape=(-1, OPEN)),)


def _in_order(root: Instance) -> list[Instance]:
    """The layers that a Sequential runs, one after the other; any other module is one."""
    if root.class_name != f"{_LAYERS}container.Sequential":
        return [root]
    return [layer for _, child in _children(root) if isinstance(child, Instance) for layer in _in_order(child)]


def _children(root: Instance) -> list[tuple[str, Any]]:
    return list((mapping(root.attributes().get("_modules")) or {}).items())


def _wanted(name: str, layer: Instance) -> tuple[str, tuple[int, ...]] | None:
    """The dtype and inner axes that a layer takes; None when it takes any."""
    attributes = layer.attributes()
    dtype = _weights(layer)

    def size(key: str) -> int:
        value = attributes.get(key)
        return value if isinstance(value, int) else -1

    if name == "linear.Linear":
        return dtype, (size("in_features"),)
    if name.startswith("conv.Conv") and name[-2:] in ("1d", "2d", "3d"):
        return dtype, (size("in_channels"), *[-1] * int(name[-2]))
    if name == "sparse.Embedding":
        return "INT64", (-1,)
    if name in ("rnn.LSTM", "rnn.GRU", "rnn.RNN") and attributes.get("batch_first") is True:
        return dtype, (-1, size("input_size"))
    return None


def _weights(layer: Instance) -> str:
    first: Tensor | None = next((tensor for _, tensor in parameters_of(layer)), None)
    return first.dtype if first is not None and first.dtype in ("FP64", "FP16") else "FP32"


def _class(value: Any) -> str:
    return value.class_name if isinstance(value, Instance) else "tensor" if tensor_of(value) else type(value).__name__
