"""The output shape of a Keras layer, from its configuration and its input shapes; None when unknown."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

Shape = tuple[int | None, ...]
HIGHEST_RANK, LONGEST = 254, 1 << 63  # of a tensor and of one axis, in TensorFlow

# Layers whose output has the shape of their input.
_SAME = frozenset({
    "Activation", "ActivityRegularization", "AlphaDropout", "BatchNormalization", "Dropout", "ELU", "GaussianDropout",
    "GaussianNoise", "GroupNormalization", "InputLayer", "LayerNormalization", "LeakyReLU", "Masking", "Normalization",
    "PReLU", "ReLU", "Rescaling", "Softmax", "SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D",
    "ThresholdedReLU", "UnitNormalization", "IntegerLookup", "SyncBatchNormalization",
})  # fmt: skip
_MERGED = frozenset({"Add", "Average", "Maximum", "Minimum", "Multiply", "Subtract"})
_RECURRENT = frozenset({"GRU", "LSTM", "SimpleRNN", "CuDNNGRU", "CuDNNLSTM"})


def output_shape(layer: Mapping[str, Any], inputs: Sequence[Shape | None]) -> Shape | None:
    """The output's shape with its batch axis; `inputs` are the shapes of what the layer is called with."""
    config = layer.get("config")
    if not isinstance(config, Mapping) or not inputs:
        return None
    try:
        found = _by_rule(str(layer.get("class_name")), config, inputs)
    except (TypeError, ValueError, LookupError, AttributeError, ArithmeticError):
        return None  # an invalid configuration
    if found is None or len(found) > HIGHEST_RANK or any(one is not None and abs(one) >= LONGEST for one in found):
        return None
    return found


def _by_rule(name: str, config: Mapping[str, Any], inputs: Sequence[Shape | None]) -> Shape | None:
    if name == "Concatenate":
        return _concatenated(config, inputs)
    first = inputs[0]
    if first is None or not first:
        return None
    if name in _SAME or name in _MERGED:
        return first
    if name in _RECURRENT:
        return _recurrent(config, first)
    rule = _RULES.get(name)
    return None if rule is None else rule(config, first)


def _dense(config: Mapping[str, Any], shape: Shape) -> Shape:
    return (*shape[:-1], int(config["units"] if "units" in config else config["output_dim"]))


def _flatten(_config: Mapping[str, Any], shape: Shape) -> Shape:
    return shape[0], _product(shape[1:])


def _reshape(config: Mapping[str, Any], shape: Shape) -> Shape:
    target = tuple(config["target_shape"])
    if -1 not in target:
        return shape[0], *target
    whole, known = _product(shape[1:]), _product(tuple(one for one in target if one != -1))
    missing = whole // known if whole is not None and known else None
    return shape[0], *(missing if one == -1 else one for one in target)


def _embedding(config: Mapping[str, Any], shape: Shape) -> Shape:
    return *shape, int(config["output_dim"])


def _pooled(config: Mapping[str, Any], shape: Shape) -> Shape:
    """Global pooling."""
    last = config.get("data_format") != "channels_first"
    channels = shape[-1] if last else shape[1]
    if not config.get("keepdims"):
        return shape[0], channels
    ones = (1,) * (len(shape) - 2)
    return (shape[0], *ones, channels) if last else (shape[0], channels, *ones)


def _convolved(config: Mapping[str, Any], shape: Shape) -> Shape:
    filters = int(config["filters"]) if "filters" in config else None
    window = config.get("kernel_size") or config.get("pool_size")
    axes = len(shape) - 2
    windows, steps, spread = (
        _each(config.get(key) or fallback, axes)
        for key, fallback in (("", window), ("strides", 1), ("dilation_rate", 1))
    )
    if "pool_size" in config and not config.get("strides"):
        steps = windows
    last = config.get("data_format") != "channels_first"
    inner = shape[1:-1] if last else shape[2:]
    padding = str(config.get("padding", "valid"))
    lengths = tuple(_length(*one, padding) for one in zip(inner, windows, steps, spread, strict=True))
    channels = filters if filters is not None else (shape[-1] if last else shape[1])
    return (shape[0], *lengths, channels) if last else (shape[0], channels, *lengths)


def _length(size: int | None, window: int, step: int, spread: int, padding: str) -> int | None:
    if size is None:
        return None
    reach = (window - 1) * spread + 1
    return -(-size // step) if padding in ("same", "causal") else -(-(size - reach + 1) // step)


def _repeated(config: Mapping[str, Any], shape: Shape) -> Shape:
    return shape[0], int(config["n"]), *shape[1:]


def _permuted(config: Mapping[str, Any], shape: Shape) -> Shape:
    return shape[0], *(shape[place] for place in config["dims"])


def _distributed(config: Mapping[str, Any], shape: Shape) -> Shape | None:
    inner = output_shape(config["layer"], [(shape[0], *shape[2:])])
    return None if inner is None else (inner[0], shape[1], *inner[1:])


def _both_ways(config: Mapping[str, Any], shape: Shape) -> Shape | None:
    inner = output_shape(config["layer"], [shape])
    if inner is None or config.get("merge_mode", "concat") != "concat" or inner[-1] is None:
        return inner
    return *inner[:-1], 2 * inner[-1]


def _recurrent(config: Mapping[str, Any], shape: Shape) -> Shape | None:
    units = config.get("units", config.get("output_dim"))
    if not isinstance(units, int) or config.get("return_state"):
        return None
    return (*shape[:-1], units) if config.get("return_sequences") else (shape[0], units)


def _concatenated(config: Mapping[str, Any], inputs: Sequence[Shape | None]) -> Shape | None:
    known = [one for one in inputs if one]
    axis = config.get("axis", -1)
    if len(known) < len(inputs) or not isinstance(axis, int) or len({len(one) for one in known}) != 1:
        return None
    axis %= len(known[0])
    widths = [one[axis] for one in known]
    total = None if None in widths else sum(one or 0 for one in widths)
    return *known[0][:axis], total, *known[0][axis + 1 :]


def _product(lengths: Shape) -> int | None:
    found = 1
    for one in lengths:
        if one is None or abs(found) >= LONGEST:
            return None
        found *= one
    return found


def _each(value: Any, count: int) -> tuple[int, ...]:
    return tuple(value) if isinstance(value, list) else (int(value),) * count


_RULES: dict[str, Callable[[Mapping[str, Any], Shape], Shape | None]] = {
    "Dense": _dense,
    "EinsumDense": lambda _config, _shape: None,
    "Flatten": _flatten,
    "Reshape": _reshape,
    "Embedding": _embedding,
    "RepeatVector": _repeated,
    "Permute": _permuted,
    "TimeDistributed": _distributed,
    "Bidirectional": _both_ways,
    **{f"Global{how}Pooling{axes}D": _pooled for how in ("Max", "Average") for axes in (1, 2, 3)},
    **{f"{how}Pooling{axes}D": _convolved for how in ("Max", "Average") for axes in (1, 2, 3)},
    **{f"{how}Conv{axes}D": _convolved for how in ("", "Separable") for axes in (1, 2, 3)},
}
