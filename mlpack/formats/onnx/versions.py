"""Which onnxruntime reads what: the first release for each IR version, operator set and domain, as tried with the releases."""

from __future__ import annotations

from mlpack.formats.onnx.proto import Model
from mlpack.packages.names import version_key

# Tried with 1.15.1 to 1.32.0; earlier rows as onnxruntime's docs/Versioning.md tells them. Newest last.
_OPSETS = {
    8: "1.0", 11: "1.0", 12: "1.3", 13: "1.6", 14: "1.8", 15: "1.9", 16: "1.11", 17: "1.12", 18: "1.14", 19: "1.15", 20: "1.17",
    21: "1.18", 22: "1.21", 23: "1.23", 25: "1.24", 26: "1.25", 28: "1.32",
}  # fmt: skip
_ML_OPSETS = {2: "1.0", 3: "1.13", 4: "1.17", 5: "1.18"}
_IRS = {6: "1.0", 7: "1.3", 8: "1.10", 9: "1.15", 10: "1.18", 11: "1.23", 13: "1.24", 14: "1.32"}
_OLDEST_OPSET = 7  # promised to be read by every release

# Domains whose operators onnxruntime itself has.
OWN_DOMAINS = frozenset({
    "", "ai.onnx.ml", "ai.onnx.training", "ai.onnx.preview.training", "com.microsoft", "com.microsoft.nchwc",
    "com.ms.internal.nhwc", "com.microsoft.experimental",
})  # fmt: skip
EXTENSIONS = "ai.onnx.contrib"  # onnxruntime-extensions: tokenizers and the like


def oldest_reader(model: Model) -> tuple[str, str]:
    """The first onnxruntime that reads the file ("" for any), and what is too new for every known one ("" for nothing)."""
    recorded = (
        ("operator set", model.opsets.get("", 0), _OPSETS),
        ("ai.onnx.ml operator set", model.opsets.get("ai.onnx.ml", 0), _ML_OPSETS),
        ("IR version", model.ir_version, _IRS),
    )
    first: list[str] = []
    for what, version, table in recorded:
        release = next((release for most, release in table.items() if version <= most), None)
        if release is None:
            newest = max(table)
            return table[newest], f"its {what} is {version}; onnxruntime {table[newest]} reads up to {newest}"
        first.append(release)
    return max(first, key=version_key), ""


def too_old(model: Model) -> str:
    """What to know of an operator set that onnxruntime does not promise to read; "" when there is nothing."""
    version = model.opsets.get("", _OLDEST_OPSET)
    if version >= _OLDEST_OPSET:
        return ""
    return (
        f"Its operator set is {version}; onnxruntime promises to read {_OLDEST_OPSET} and newer. If the model does not load, "
        "convert it with onnx.version_converter."
    )
