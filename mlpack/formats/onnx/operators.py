"""Which ONNX operators only compute: those of the standard's own domains, and others by their exact names."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path

from mlpack.artifacts.model import Finding, Safety
from mlpack.formats.onnx.proto import Model

# The standard's domains: nothing in them opens a file, and onnxruntime has no others' operators there.
ANY = frozenset({"", "ai.onnx.ml", "ai.onnx.training", "ai.onnx.preview.training"})
_PYTHON = "the operator calls a Python function of its own"
_DEVICE = "the operator holds or loads a program for a device, which inspection cannot read"
_FILES = "the operator opens files that a request names"
_DANGEROUS = {
    "PythonOp": _PYTHON,
    "PythonOpGrad": _PYTHON,
    "PyOp": _PYTHON,
    "EPContext": _DEVICE,
    "Snpe": _DEVICE,
    "ImageReader": _FILES,
}
LEFT_OUT = frozenset({*_DANGEROUS, "SampleOp"})
_MOST_TOLD = 20


def is_allowed(domain: str, op: str) -> bool:
    """Whether an operator is known to compute in memory."""
    return domain in ANY or op in _listed().get(domain, ())


def judge(model: Model) -> Safety:
    """The verdict on a model's operators; those that the file defines itself are made of others, which are counted too."""
    dangerous: list[Finding] = []
    unknown: list[Finding] = []
    for domain, op in model.operators:
        if op in _DANGEROUS and domain not in ANY:
            dangerous.append(Finding(callable=f"{domain}.{op}"[:200], why=_DANGEROUS[op], verdict="dangerous"))
        elif not is_allowed(domain, op) and (domain, op) not in model.functions:
            why = "an operator that is not known: build with --trust if you know where the file comes from"
            unknown.append(Finding(callable=f"{domain}.{op}"[:200], why=why, verdict="unknown"))
    verdict = "dangerous" if dangerous else "unknown" if unknown else "safe"
    return Safety(verdict=verdict, findings=(*dangerous[:_MOST_TOLD], *unknown[:_MOST_TOLD]))  # type: ignore[arg-type]  # a verdict


def listed_names(model: Model) -> tuple[str, ...]:
    """Every operator as `domain:operator`."""
    return tuple(sorted(f"{domain}:{op}" for domain, op in model.operators))


@cache
def _listed() -> Mapping[str, frozenset[str]]:
    found: dict[str, frozenset[str]] = {}
    domain = ""
    for line in Path(__file__).with_name("operators.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            domain = line[1:].partition("]")[0]
        elif not line.startswith("#"):
            found[domain] = found.get(domain, frozenset()) | frozenset(line.split())
    return found
