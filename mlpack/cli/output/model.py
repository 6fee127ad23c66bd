"""Output of an inspected model."""

from __future__ import annotations

from typing import Any

from mlpack.artifacts.model import ModelInfo, Signature, TensorSpec
from mlpack.cli.output.console import Console
from mlpack.shown import human_size

_WORDS = {
    "safe": "safe: loading it calls only known functions",
    "unknown": "unknown: loading it runs code that mlpack does not know",
    "dangerous": "DANGEROUS: loading it would run commands or code",
}


def show(console: Console, info: ModelInfo, found: dict[str, Any]) -> None:
    """Print what is known about the model, one line each."""
    rows = [(label, value) for label, value in _facts(info, found) if value]
    console.table(rows, styles=("bold", ""))
    for finding in info.safety.findings[:20]:
        console.text(f"  {finding.callable}: {finding.why}")
    if len(info.safety.findings) > 20:
        console.text(f"  ... and {len(info.safety.findings) - 20} more (--json has all)")
    if info.contents:
        console.text()
        console.text("It contains several objects:")
        console.table([(content.key, content.kind, content.detail) for content in info.contents[:40]])
        keys = [content.key for content in info.contents if content.servable]
        if keys and info.entry is None:
            console.text(f"Serve one of them with --entry {keys[0]}")
    if info.advice:
        console.text()
        console.text(f"It cannot be served as it is. {info.advice}")
    for warning in info.warnings:
        console.warn(warning)


def _facts(info: ModelInfo, found: dict[str, Any]) -> list[tuple[str, str]]:
    framework = " ".join(part for part in (info.framework, info.framework_version) if part)
    container = ", ".join(
        part
        for part in (
            info.format,
            f"protocol {info.protocol}" if info.protocol is not None else "",
            info.compression or "",
        )
        if part
    )
    return [
        ("file", f"{info.path.name}  {human_size(info.size)}  ({container})"),
        ("inside", info.packed or ""),
        ("sha256", str(found.get("digest") or "")),
        ("framework", framework),
        ("model", info.root_class),
        ("known", _known(info)),
        ("steps", " > ".join(f"{name} ({class_.rpartition('.')[2]})" for name, class_ in info.steps)),
        ("weights", _weights(info)),
        ("task", info.task or ""),
        ("classes", _short(list(info.classes or ()))),
        ("input", _input(info.signatures[0]) if info.signatures else ""),
        ("output", _outputs(info.signatures[0]) if info.signatures else ""),
        ("signatures" if _tensors(info) else "methods", ", ".join(signature.name for signature in info.signatures)),
        (
            "needs",
            ", ".join(_requirement(item.distribution, item.version, item.constraint) for item in info.requirements),
        ),
        ("your code", ", ".join(info.missing_modules)),
        ("safety", _safety(info)),
    ]


def _safety(info: ModelInfo) -> str:
    if info.safety.verdict == "unknown" and not info.safety.findings:
        return "unknown: the file was recognised, but not read to its end"
    return _WORDS[info.safety.verdict]


def _known(info: ModelInfo) -> str:
    """The details of a model that is recognised but cannot be served."""
    if info.signatures or not info.advice or "parameters" in info.details:
        return ""
    plain = {key: value for key, value in info.details.items() if value and not isinstance(value, (dict, list))}
    lists = {key: _short(value, 8) for key, value in info.details.items() if value and isinstance(value, list)}
    return "; ".join(f"{key} {value}" for key, value in (plain | lists).items())


def _weights(info: ModelInfo) -> str:
    """The number of tensors and parameters in a weights file, if its format reports them."""
    details = info.details
    if not details.get("tensors") or "parameters" not in details:
        return ""
    dtypes = ", ".join(details.get("dtypes") or ())
    return f"{details['tensors']} tensors, {details.get('parameters', 0):,} parameters, {dtypes}"


def _tensors(info: ModelInfo) -> bool:
    return bool(info.signatures) and info.signatures[0].layout == "tensors"


def _outputs(signature: Signature) -> str:
    """The outputs, if the file names them; those of an estimator are named by its method."""
    if signature.layout != "tensors" and signature.outputs[0].name.startswith(signature.method):
        return ""
    return _short([f"{spec.name}: {spec.dtype} {_shape(spec.shape)}" for spec in signature.outputs], 12)


def _shape(shape: tuple[int | str, ...]) -> str:
    return f"[{', '.join(map(str, shape))}]"


def _type(signature: Signature, spec: TensorSpec) -> str:
    if spec.name not in signature.dates:
        return spec.dtype
    return f"date-time {signature.dates[spec.name]}".strip()


def _input(signature: Signature) -> str:
    if signature.objects:
        return "JSON objects with any keys"
    if signature.layout == "columns":
        return _short([f"{spec.name}: {_type(signature, spec)}" for spec in signature.inputs], 12)
    if signature.layout == "tensors":
        return _short([f"{spec.name}: {spec.dtype} {_shape(spec.shape)}" for spec in signature.inputs], 12)
    names = f": {_short(list(signature.columns), 8)}" if signature.columns else ""
    return ", ".join(f"{spec.dtype} {list(spec.shape)}" for spec in signature.inputs) + names


def _requirement(name: str, version: str | None, constraint: str) -> str:
    return f"{name}=={version}" if version else f"{name}{constraint}"


def _short(values: list[Any], most: int = 10) -> str:
    shown = ", ".join(str(value) for value in values[:most])
    return shown + (f", ... ({len(values)})" if len(values) > most else "")
