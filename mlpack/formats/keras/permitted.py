"""The names that a Keras file may hold: Keras's own classes and functions and TensorFlow's, as `permitted.txt` lists them."""

from __future__ import annotations

import re
from pathlib import Path


def _sections() -> list[frozenset[str]]:
    text = Path(__file__).with_name("permitted.txt").read_text(encoding="utf-8")
    sections = re.split(r"^# .*\n", text, flags=re.MULTILINE)[3:]  # the first two comments say what the file is
    return [frozenset(section.split()) for section in sections]


LAYERS, OTHERS, _OPERATION_CLASSES, _FUNCTIONS, _OPS, SYMBOLS, MEMBERS, NODE_OPERATIONS = _sections()
CLASSES = LAYERS | OTHERS
FUNCTIONS = _FUNCTIONS
# Where Keras looks for what it may build by itself. Not all of Keras: it can fetch and write files too.
_MODULES = frozenset({
    "keras", "keras.activations", "keras.constraints", "keras.dtype_policies", "keras.initializers", "keras.layers",
    "keras.losses", "keras.metrics", "keras.models", "keras.optimizers", "keras.optimizers.legacy",
    "keras.optimizers.schedules", "keras.quantizers", "keras.random", "keras.regularizers", "keras.mixed_precision",
})  # fmt: skip
_OPERATIONS = frozenset({"keras.ops", "keras.ops.image", "keras.ops.linalg", "keras.ops.nn", "keras.ops.numpy"})
# The same in the modules that define them, which moved from release to release.
_INSIDE = re.compile(
    r"(keras\.src|tf_keras\.src|keras)\."
    r"(activations|backend|constraints|dtype_policies|engine|initializers|layers|legacy|losses|metrics|mixed_precision|models"
    r"|ops|optimizers|quantizers|random|regularizers|trainers)(\.[a-z0-9_]+)*"
)
_TYPESPECS = frozenset({
    ("tensorflow.python.framework.tensor", "TensorSpec"), ("tensorflow.python.framework.tensor_spec", "TensorSpec"),
    ("tensorflow.python.ops.ragged.ragged_tensor", "RaggedTensorSpec"),
    ("tensorflow.python.framework.sparse_tensor", "SparseTensorSpec"),
    ("tensorflow.python.framework.indexed_slices", "IndexedSlicesSpec"),
})  # fmt: skip
# Of TensorFlow's functions that are not listed, those that reach files, other programs, Python or the process itself.
_DANGEROUS_SYMBOL = re.compile(
    r"(.*\.)?(io|gfile|raw_ops|data|saved_model|summary|train|autograph|config|distribute|profiler|test|sysconfig|lite|mlir|tpu"
    r"|utils|models|saving|datasets|applications|preprocessing|feature_column|graph_util|app|flags|resource_loader)\..*"
    r"|(.*\.)?(load_op_library|load_library|load_file_system_library|py_func|py_function|numpy_function|function|wrap_function"
    r"|import_graph_def|read_file|write_file|matching_files|print|register_filesystem_plugin|\w*candidate_sampler|rpc_\w+"
    r"|xla_custom_call\w*|xla_call_module|map_structure|load_model|get_file)"
)
_DANGEROUS_NODE = re.compile(
    r".*(File|PyFunc|Python|Save|Restore|Checkpoint|Summary|Print|Dataset|Reader|Library|ImmutableConst|CandidateSampler|Rpc"
    r"|CustomCall|CallModule|Debug|Event|Vocab).*"
)


def has_class(module: str | None, name: str) -> bool:
    """Whether a class is Keras's own; without a module it is looked for by its bare name."""
    if module is None:
        return name in CLASSES
    if module in _MODULES:
        return name in CLASSES
    if _INSIDE.fullmatch(module) is None:
        return False
    return name in CLASSES or (".ops." in f"{module}." and name in _OPERATION_CLASSES)


def has_function(module: str | None, name: str) -> bool:
    """Whether a function is Keras's own; without a module, and as a built-in one, it is looked for by its bare name."""
    if module is None or module == "builtins" or module in _MODULES:
        return name in FUNCTIONS or (module == "keras.random" and name in _OPS)
    if module in _OPERATIONS:
        return name in _OPS
    if _INSIDE.fullmatch(module) is None:
        return False
    return name in FUNCTIONS or (re.search(r"\.(ops|backend|random)\b", module) is not None and name in _OPS)


def has_typespec(module: str | None, name: str) -> bool:
    """Whether this describes a tensor."""
    return (module, name) in _TYPESPECS


def has_symbol(name: str) -> bool:
    """Whether this is a function of TensorFlow that only computes, by its public name (`math.reduce_sum`)."""
    return name in SYMBOLS or name.removeprefix("compat.v1.") in SYMBOLS


def danger_of_symbol(name: str) -> bool:
    """Whether a function of TensorFlow that is not listed is known to do more than compute."""
    return _DANGEROUS_SYMBOL.fullmatch(name) is not None


def danger_of_node(name: str) -> bool:
    """Whether an operation of a graph that is not listed is known to do more than compute."""
    return _DANGEROUS_NODE.fullmatch(name) is not None
