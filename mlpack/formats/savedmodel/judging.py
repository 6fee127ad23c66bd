"""The verdict on a SavedModel: operators that are known to compute are allowed, and everything else is named."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from mlpack.artifacts.model import Finding, Safety, Verdict
from mlpack.formats.savedmodel.graph import MetaGraph
from mlpack.formats.savedmodel.nodes import Node
from mlpack.formats.savedmodel.operators import ALLOWED, CONDITIONAL, DANGEROUS, kind_of
from mlpack.formats.savedmodel.savers import stray_savers
from mlpack.formats.savedmodel.tables import stray_tables

_FILES = "reads or writes files of the machine that runs it"
# Operations in a module of MLIR that leave it; their names stand in the module as they are.
_LEAVING = (b"custom_call", b"send_v", b"recv_v", b"infeed", b"outfeed")
_MLIR = b"ML\xefR"
_TRUST = "build with --trust if you know where the file comes from"


def judge(graph: MetaGraph) -> Safety:
    """What loading the model and calling its signatures could do beside computing."""
    findings: dict[str, Finding] = {}

    def found(op: str, why: str, verdict: Verdict) -> None:
        reason = f"dangerous: {why}" if verdict == "dangerous" else why
        findings.setdefault(op, Finding(callable=f"tensorflow.{op}"[:200], why=reason, verdict=verdict))

    for op in sorted(operators_of(graph)):
        kind = kind_of(op)
        if kind in DANGEROUS:
            found(op, DANGEROUS[kind], "dangerous")
        elif kind not in (*ALLOWED, *CONDITIONAL):
            found(op, _inner(op) if kind else _foreign(op), "unknown")
    for op in sorted(stray_savers(graph)):
        found(op, DANGEROUS["files"], "dangerous")
    for name in stray_tables(graph):
        why = f"{name[:100]!r} reads a file that is not one of the model's assets"
        found("InitializeTableFromTextFileV2", why, "dangerous")
    for node in _nodes(graph):
        why, dangerous = _fault_of(node)
        if why:
            found(node.op, why if dangerous else f"{why}: {_TRUST}", "dangerous" if dangerous else "unknown")
    for name in sorted(_missing(graph)):
        found(name, f"calls a function that is not in the file: {_TRUST}", "unknown")
    told_first = sorted(findings.values(), key=lambda one: one.verdict != "dangerous")
    return Safety(verdict=told_first[0].verdict if told_first else "safe", findings=tuple(told_first))


def operators_of(graph: MetaGraph) -> frozenset[str]:
    """Every operator of the graph and of its functions, without the functions themselves; a name that is both counts."""
    own = {name for name in graph.functions if not kind_of(name)}
    return frozenset(graph.ops - own)


def listed_names(graph: MetaGraph) -> tuple[str, ...]:
    """What the image lets the file hold: every operator, and of attributes that decide what one does their digests."""
    texts = {
        f"{node.op} {key} sha256:{hashlib.sha256(value).hexdigest()}"
        for node in _nodes(graph)
        for key, value in node.texts.items()
    }
    return tuple(sorted(graph.ops | texts))


def foreign(graph: MetaGraph) -> tuple[str, ...]:
    """The operators that TensorFlow itself does not have."""
    return tuple(sorted(op for op in operators_of(graph) if not kind_of(op)))


def _nodes(graph: MetaGraph) -> Iterator[Node]:
    yield from graph.nodes
    for function in graph.functions.values():
        yield from function.nodes.values()


def _missing(graph: MetaGraph) -> set[str]:
    """The functions that attributes and gradients name and that are not there."""
    named = set().union(*(node.calls for node in _nodes(graph))) | {*graph.gradients, *graph.gradients.values()}
    return named - set(graph.functions)


def _foreign(op: str) -> str:
    return (
        f"an operation that TensorFlow does not have: name the package that provides it under `requirements:`, import it in a "
        f"predictor's load(), and build with --trust ({op})"
    )


def _inner(op: str) -> str:
    return f"an operation that is not known as harmless ({op}): {_TRUST}"


def _fault_of(node: Node) -> tuple[str, bool]:
    """What a node's attribute makes it do, and whether that is known to be dangerous; "" where it only computes.

    Some operators read a file, write one, or run code with one attribute and only compute with another.
    """
    if node.op == "PrintV2":
        return (_FILES if node.texts.get("output_stream", b"").startswith(b"file:") else ""), True
    if node.op in ("DecodeProtoV2", "EncodeProto"):
        source = node.texts.get("descriptor_source", b"")
        return ("" if source in (b"", b"local://") or source.startswith(b"bytes://") else _FILES), True
    if node.op == "FixedUnigramCandidateSampler":
        return (_FILES if node.texts.get("vocab_file") else ""), True
    if node.op == "XlaCallModule":
        module = node.texts.get("module", b"")
        leaves = not module.startswith(_MLIR) or any(name in module for name in _LEAVING)
        return ("runs a compiled module that may call code outside of itself" if leaves else ""), False
    if node.op == "Const" and node.variant:
        return "holds an object that is not a tensor", False
    return "", False
