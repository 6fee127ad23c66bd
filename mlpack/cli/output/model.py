"""Output of an inspected model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from mlpack.artifacts.model import ModelInfo, Signature, TensorSpec
from mlpack.artifacts.notice import SETTLED
from mlpack.cli.output.console import Console, needs_lines
from mlpack.errors import Need
from mlpack.shown import human_size

_WORDS = {
    "safe": "safe: loading it calls only known functions",
    "unknown": "unknown: loading it runs code that mlpack does not know",
    "dangerous": "DANGEROUS: loading it would run commands or code",
}

_MOST_REASONS = 20
_MOST_NAMES = 6


def show(console: Console, info: ModelInfo, found: dict[str, Any], needs: Sequence[Need], command: str) -> None:
    """Print what is known about the model, one line each, and what a build needs from the user."""
    rows = [(label, value) for label, value in _facts(info, found) if value]
    console.table(rows, styles=("bold", ""))
    for line in _findings(info):
        console.text(f"  {line}")
    if info.contents:
        console.text()
        console.text("It contains several objects:")
        console.table([(one.key, one.kind, one.detail, one.role.replace("_", " ")) for one in info.contents[:40]])
        if info.servable and info.entry is None and not info.advice:
            console.text(f"Serve one of them alone with --entry {info.servable[0].key}")
    for notice in info.notices:
        if not needs or notice.code not in SETTLED:  # the list of needs says more
            console.warn(notice.text)
    if needs:
        console.text()
        console.text("To build:")
        for line in needs_lines(needs, command):
            console.text(line)


def _findings(info: ModelInfo) -> Iterator[str]:
    """One line for each reason, with the callables that it holds for."""
    reasons: dict[str, list[str]] = {}
    for finding in info.safety.findings:
        reasons.setdefault(finding.why, []).append(finding.callable)
    for why, names in list(reasons.items())[:_MOST_REASONS]:
        unique = list(dict.fromkeys(names))
        more = f" and {len(unique) - _MOST_NAMES} more (--json has all)" if len(unique) > _MOST_NAMES else ""
        yield f"{', '.join(unique[:_MOST_NAMES])}{more}: {why}"
    if len(reasons) > _MOST_REASONS:
        yield f"... and {len(reasons) - _MOST_REASONS} more (--json has all)"


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
    details = {key: value for key, value in info.details.items() if value and key != "container"}
    plain = {key: value for key, value in details.items() if not isinstance(value, (dict, list))}
    lists = {key: _short(value, 8) for key, value in details.items() if isinstance(value, list)}
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
