"""Output of an ensemble: its members, what it takes and answers, and its images."""

from __future__ import annotations

from typing import Any

from mlpack.cli.output.console import Console
from mlpack.ensembles.assembly import Built, Described
from mlpack.ensembles.facts import MemberFacts
from mlpack.shown import human_size, shown


def show(console: Console, described: Described) -> None:
    """Print the members, one line each, and the ensemble's inputs and outputs."""
    ensemble, signatures = described.ensemble, described.fitted.signatures
    console.table(
        [
            ("ensemble", ensemble.name),
            ("reduce", ensemble.reduce + (f" (threshold {ensemble.threshold:g})" if ensemble.threshold else "")),
            ("takes", _inputs(described)),
            ("answers", ", ".join(one.name for one in signatures)),
            *([("classes", ", ".join(map(str, signatures[0].classes)))] if signatures[0].classes else []),
        ],
        styles=("bold", ""),
    )
    console.text()
    console.table([_member(described, one) for one in described.facts], styles=("bold", ""))


def document(described: Described) -> dict[str, Any]:
    """The ensemble as plain JSON values."""
    return {
        "name": described.ensemble.name,
        "reduce": described.ensemble.reduce,
        "signatures": [one.to_json() for one in described.fitted.signatures],
        "members": [
            {
                "name": one.entry.name,
                "what": _what(described, one),
                "weight": one.entry.weight,
                "required": one.entry.required,
                "timeout_s": one.entry.timeout_s,
                "verdict": _verdict(described, one),
                "signatures": [signature.name for signature in one.signatures],
                "classes": list(next((s.classes for s in one.signatures if s.classes), ())),
            }
            for one in described.facts
        ],
    }


def built_document(built: Built) -> dict[str, Any]:
    """The images of an ensemble as plain JSON values."""
    return {
        **document(built.described),
        "coordinator": built.coordinator.to_json(),
        "images": {name: image.to_json() for name, image in built.members.items()},
    }


def _inputs(described: Described) -> str:
    first = described.fitted.signatures[0]
    columns = [spec.name for spec in first.inputs] if first.layout == "columns" else list(first.columns or ())
    if columns:
        return f"{len(columns)} columns: " + ", ".join(map(shown, columns[:8])) + (", ..." if len(columns) > 8 else "")
    return "; ".join(f"{shown(spec.name)} {spec.dtype} {list(spec.shape)}" for spec in first.inputs)


def _member(described: Described, one: MemberFacts) -> tuple[str, ...]:
    entry = one.entry
    words = [f"weight {entry.weight:g}"] if "weight" in entry.model_fields_set else []
    words += [] if entry.required else ["optional"]
    words += [f"at most {entry.timeout_s:g} s"] if entry.timeout_s else []
    return entry.name, _what(described, one), _verdict(described, one), ", ".join(words)


def _what(described: Described, one: MemberFacts) -> str:
    name = one.entry.name
    if name in described.models:
        info = described.models[name].info
        return f"{info.path.name}: {shown(info.root_class or info.format)}, {human_size(info.size)}"
    if name in described.images:
        return f"image {one.entry.image}"
    return str(one.entry.url)


def _verdict(described: Described, one: MemberFacts) -> str:
    prepared = described.models.get(one.entry.name)
    return "" if prepared is None else prepared.info.safety.verdict
