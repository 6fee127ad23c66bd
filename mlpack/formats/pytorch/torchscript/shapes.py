"""What torch's operations do to shapes: the values that flow through TorchScript's code, and a table of operations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from math import prod
from typing import Any

Axes = tuple[int, ...]  # -1 is an axis of unknown length


@dataclass(frozen=True, kw_only=True)
class Flowing:
    """A tensor as far as it is known: its axes (None when not even their number is), its dtype, and which input it is."""

    axes: Axes | None = None
    dtype: str = "FP32"
    origin: str = ""  # the input that it still is, but for operations that keep the shape


class Unknown:
    """A value of which nothing is known."""

    def __repr__(self) -> str:
        return "unknown"


UNKNOWN = Unknown()
Operation = Callable[["Demands", Sequence[Any]], Any]


@dataclass
class Demands:
    """What the operations want of the inputs: the first that tells decides. `rows_first` is false where rows lie on axis 1."""

    inputs: dict[str, Flowing] = field(default_factory=dict)
    rows_first: bool = True

    def of(self, value: Any, axes: Axes, dtype: str = "FP32") -> Flowing:
        """The value with these axes, where it did not have any; noted when it is an input."""
        if not isinstance(value, Flowing):
            return Flowing(axes=axes, dtype=dtype)
        if value.axes is not None:
            return value
        result = replace(value, axes=axes, dtype=dtype)
        if value.origin and value.origin not in self.inputs:
            self.inputs[value.origin] = result
        known = self.inputs.get(value.origin) if value.origin else None
        return known or result


def _linear(demands: Demands, args: Sequence[Any]) -> Any:
    weight = args[1]
    if not _known(weight, 2):
        return UNKNOWN
    value = demands.of(args[0], (-1, weight.axes[1]), _float(weight.dtype))
    return Flowing(axes=(*(value.axes or ())[:-1], weight.axes[0]), dtype=value.dtype)


def _addmm(demands: Demands, args: Sequence[Any]) -> Any:
    weight = args[2]
    if not _known(weight, 2):
        return UNKNOWN
    demands.of(args[1], (-1, weight.axes[0]), _float(weight.dtype))
    return Flowing(axes=(-1, weight.axes[1]))


def _conv(demands: Demands, args: Sequence[Any]) -> Any:
    weight = args[1]
    if not isinstance(weight, Flowing) or weight.axes is None or len(weight.axes) < 3:
        return UNKNOWN
    full = len(args) > 8  # torch._convolution: transposed, output padding and groups
    transposed = full and args[6] is True
    groups = args[8] if full else args[6] if len(args) > 6 else 1
    groups = groups if isinstance(groups, int) else 1
    wanted = weight.axes[0] if transposed else weight.axes[1] * groups
    space = len(weight.axes) - 2
    value = demands.of(args[0], (-1, wanted, *[-1] * space), _float(weight.dtype))
    channels = weight.axes[1] * groups if transposed else weight.axes[0]
    lengths = _slid(value.axes or (), weight.axes[2:], args[3:6]) if not transposed else [-1] * space
    return Flowing(axes=(-1, channels, *lengths), dtype=value.dtype)


def _slid(axes: Axes, kernel: Axes, how: Sequence[Any]) -> list[int]:
    """The lengths of the axes that a window of `kernel` slid over, by (stride, padding, dilation)."""
    stride, padding, dilation = ([*how, None, None, None])[:3]
    found = []
    for place, width in enumerate(kernel):
        length = axes[len(axes) - len(kernel) + place] if len(axes) >= len(kernel) else -1
        step, pad, spread = _at(stride, place, 1), _at(padding, place, 0), _at(dilation, place, 1)
        known = length > 0 and step and pad is not None and spread
        found.append((length + 2 * pad - spread * (width - 1) - 1) // step + 1 if known else -1)
    return found


def _pool(_demands: Demands, args: Sequence[Any]) -> Any:
    value, kernel = args[0], args[1]
    if not isinstance(value, Flowing) or value.axes is None or not isinstance(kernel, list):
        return UNKNOWN
    stride = args[2] if len(args) > 2 and args[2] else kernel
    wide = tuple(one if isinstance(one, int) else 1 for one in kernel)
    lengths = _slid(value.axes, wide, [stride, args[3] if len(args) > 3 else [0], [1]])
    return replace(value, axes=(*value.axes[: -len(kernel)], *lengths), origin="")


def _adaptive(_demands: Demands, args: Sequence[Any]) -> Any:
    value, sizes = args[0], args[1]
    if not isinstance(value, Flowing) or value.axes is None or not isinstance(sizes, list):
        return UNKNOWN
    lengths = [one if isinstance(one, int) else -1 for one in sizes]
    return replace(value, axes=(*value.axes[: -len(lengths)], *lengths), origin="")


def _embedding(demands: Demands, args: Sequence[Any]) -> Any:
    weight = args[0]
    if not _known(weight, 2):
        return UNKNOWN
    value = demands.of(args[1], (-1, -1), "INT64")
    return Flowing(axes=(*(value.axes or ()), weight.axes[1]), dtype=_float(weight.dtype))


def _recurrent(demands: Demands, args: Sequence[Any]) -> Any:
    weights = args[2]
    first: Any = weights[0] if isinstance(weights, list) and weights else UNKNOWN
    if not _known(first, 2) or not isinstance(args[-1], bool):
        return UNKNOWN
    demands.rows_first = demands.rows_first and args[-1]
    value = demands.of(args[0], (-1, -1, first.axes[1]), _float(first.dtype))
    second: Any = weights[1] if len(weights) > 1 else UNKNOWN
    if not _known(second, 2) or value.axes is None or len(value.axes) != 3:
        return UNKNOWN
    width = second.axes[1] * (2 if args[7] is True else 1)
    return (Flowing(axes=(*value.axes[:2], width), dtype=value.dtype), UNKNOWN, UNKNOWN)


def _same(_demands: Demands, args: Sequence[Any]) -> Any:
    return args[0] if isinstance(args[0], Flowing) else UNKNOWN


def _both(_demands: Demands, args: Sequence[Any]) -> Any:
    """Two values by numpy's rule for shapes; a plain number changes none."""
    left, right = args[0], args[1]
    tensors = [one for one in (left, right) if isinstance(one, Flowing)]
    if len(tensors) == 1 and not any(one is UNKNOWN for one in (left, right)):
        return tensors[0]
    if len(tensors) != 2 or tensors[0].axes is None or tensors[1].axes is None:
        return UNKNOWN
    longest = max(tensors, key=lambda one: len(one.axes or ()))
    short = min(tensors, key=lambda one: len(one.axes or ())).axes or ()
    axes = list(longest.axes or ())
    for place in range(1, len(short) + 1):
        axes[-place] = axes[-place] if axes[-place] != 1 else short[-place]
    return Flowing(axes=tuple(axes), dtype=longest.dtype)


def _compared(demands: Demands, args: Sequence[Any]) -> Any:
    result = _both(demands, args)
    return replace(result, dtype="BOOL", origin="") if isinstance(result, Flowing) else UNKNOWN


def _flattened(_demands: Demands, args: Sequence[Any]) -> Any:
    value, start = args[0], args[1] if len(args) > 1 else 0
    if not isinstance(value, Flowing) or start != 1 or (len(args) > 2 and args[2] != -1):
        return UNKNOWN
    rest = (value.axes or (-1, -1))[1:]
    return Flowing(axes=(-1, -1 if min(rest, default=1) < 0 else prod(rest)), dtype=value.dtype)


def _reduced(_demands: Demands, args: Sequence[Any]) -> Any:
    value, over = args[0], args[1] if len(args) > 1 else None
    if not isinstance(value, Flowing) or value.axes is None:
        return UNKNOWN
    over = [over] if isinstance(over, int) and not isinstance(over, bool) else over
    if not isinstance(over, list) or not all(isinstance(one, int) for one in over):
        return UNKNOWN
    gone = {one % len(value.axes) for one in over}
    kept = len(args) > 2 and args[2] is True
    axes = [1 if place in gone else axis for place, axis in enumerate(value.axes) if kept or place not in gone]
    return Flowing(axes=tuple(axes), dtype=value.dtype)


def _argmax(demands: Demands, args: Sequence[Any]) -> Any:
    result = _reduced(demands, args)
    return replace(result, dtype="INT64") if isinstance(result, Flowing) else Flowing(dtype="INT64")


def _squeezed(_demands: Demands, args: Sequence[Any]) -> Any:
    value, axis = args[0], args[1] if len(args) > 1 else None
    if not isinstance(value, Flowing) or value.axes is None or not isinstance(axis, int):
        return UNKNOWN
    place = axis % len(value.axes)
    if value.axes[place] != 1:
        return UNKNOWN
    return Flowing(axes=(*value.axes[:place], *value.axes[place + 1 :]), dtype=value.dtype)


def _unsqueezed(_demands: Demands, args: Sequence[Any]) -> Any:
    value, axis = args[0], args[1]
    if not isinstance(value, Flowing) or value.axes is None or not isinstance(axis, int):
        return UNKNOWN
    place = axis % (len(value.axes) + 1)
    return Flowing(axes=(*value.axes[:place], 1, *value.axes[place:]), dtype=value.dtype)


def _selected(demands: Demands, args: Sequence[Any]) -> Any:
    return _reduced(demands, args[:2]) if len(args) > 2 and isinstance(args[1], int) else UNKNOWN


def _joined(_demands: Demands, args: Sequence[Any]) -> Any:
    values, axis = args[0], args[1] if len(args) > 1 else 0
    if not isinstance(values, list) or not values or not isinstance(axis, int):
        return UNKNOWN
    if any(not isinstance(one, Flowing) or one.axes is None for one in values):
        return UNKNOWN
    axes = list(values[0].axes)
    widths = [one.axes[axis] for one in values]
    axes[axis] = -1 if min(widths) < 0 else sum(widths)
    return Flowing(axes=tuple(axes), dtype=values[0].dtype)


def _known(value: Any, rank: int) -> bool:
    return isinstance(value, Flowing) and value.axes is not None and len(value.axes) == rank


def _float(dtype: str) -> str:
    return dtype if dtype in ("FP64", "FP16") else "FP32"


def _at(values: Any, place: int, default: int) -> Any:
    if isinstance(values, list) and values:
        found = values[min(place, len(values) - 1)]
        return found if isinstance(found, int) else None
    return values if isinstance(values, int) else default if values is None or values == [] else None


_KEEP = (
    "relu", "relu_", "sigmoid", "tanh", "gelu", "silu", "silu_", "leaky_relu", "leaky_relu_", "elu", "elu_", "selu", "celu",
    "softplus", "softsign", "hardtanh", "hardtanh_", "hardswish", "hardsigmoid", "mish", "relu6", "softmax", "log_softmax",
    "log_sigmoid", "prelu", "dropout", "feature_dropout", "contiguous", "clamp", "clamp_", "exp", "log", "neg", "abs",
    "sqrt", "rsqrt", "layer_norm", "rms_norm", "group_norm", "batch_norm", "instance_norm", "detach", "clone", "square",
    "pow", "sigmoid_", "tanh_", "alpha_dropout", "nan_to_num", "to", "float", "dropout_", "sin", "cos", "log1p", "reciprocal",
)  # fmt: skip
OPERATIONS: dict[str, Operation] = {
    **dict.fromkeys(_KEEP, _same),
    **dict.fromkeys(("add", "add_", "sub", "sub_", "mul", "mul_", "div", "div_", "rsub", "maximum", "minimum"), _both),
    **dict.fromkeys(("eq", "ne", "gt", "lt", "ge", "le"), _compared),
    **dict.fromkeys(("conv1d", "conv2d", "conv3d", "_convolution"), _conv),
    **dict.fromkeys(("max_pool1d", "max_pool2d", "max_pool3d", "avg_pool1d", "avg_pool2d", "avg_pool3d"), _pool),
    **dict.fromkeys(("adaptive_avg_pool1d", "adaptive_avg_pool2d", "adaptive_avg_pool3d"), _adaptive),
    **dict.fromkeys(("mean", "sum", "amax", "amin"), _reduced),
    **dict.fromkeys(("argmax", "argmin"), _argmax),
    **dict.fromkeys(("lstm", "gru", "rnn_tanh", "rnn_relu"), _recurrent),
    "linear": _linear, "addmm": _addmm, "embedding": _embedding, "flatten": _flattened, "squeeze": _squeezed,
    "unsqueeze": _unsqueezed, "select": _selected, "cat": _joined,
}  # fmt: skip
