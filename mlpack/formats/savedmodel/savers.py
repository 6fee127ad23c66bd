"""Operators that save and restore variables: in every SavedModel, for its own variables, and never run by a request."""

from __future__ import annotations

import re

from mlpack.formats.savedmodel.graph import MetaGraph, node_of
from mlpack.formats.savedmodel.nodes import Node

_SAVES = frozenset({"Save", "SaveV2", "SaveSlices", "MergeV2Checkpoints"})
_RESTORES = frozenset({"Restore", "RestoreV2", "RestoreSlice"})
SAVERS = _SAVES | _RESTORES
_FUNCTION = re.compile(r"__inference__traced_(save|restore)_\d+")
_NODE = re.compile(r"save(_\d+)?/")
_NAMED = re.compile(rb"save(?:_[0-9]+)?/[A-Za-z0-9_./-]+")
_MOST_STEPS = 20


def stray_savers(graph: MetaGraph) -> set[str]:
    """Operators that save or restore, and are not only those that keep the model's own variables."""
    own = {name for name, one in graph.functions.items() if _FUNCTION.fullmatch(name) and one.ops & SAVERS}
    return _in_functions(graph, own) | _in_graph(graph, own)


def _in_functions(graph: MetaGraph, own: set[str]) -> set[str]:
    stray: set[str] = set()
    for name in own & graph.objects.functions:  # loading, or a user, may call it
        stray |= graph.functions[name].ops & SAVERS
    for name, function in graph.functions.items():
        if name in own:
            continue
        stray |= function.ops & SAVERS
        for called in function.calls & own:
            stray |= graph.functions[called].ops & SAVERS
    return stray


def _in_graph(graph: MetaGraph, own: set[str]) -> set[str]:
    """The stray savers among the graph's nodes: used outside the saver, or reached when the model is loaded."""
    nodes = {node.name: node for node in graph.nodes}
    savers = {node.name for node in graph.nodes if node.op in SAVERS or node.calls & own or node.op in own}
    used = {node for call in graph.calls for tensor in call.outputs for node in (tensor.node, *tensor.parts)}
    stray: set[str] = set()
    for node in graph.nodes:
        if node.op in SAVERS and not _NODE.match(node.name):
            stray.add(node.op)
        if node.name not in savers and not _NODE.match(node.name):
            used.update(map(node_of, node.inputs))
    stray |= {"SaveV2" for name in used if name in savers or _NODE.match(name)}
    for name in _reached(nodes, [graph.saver.restore, *_collected(graph)]):
        node = nodes[name]
        if node.op in _SAVES or (node.op in _RESTORES and not _is_given(nodes, node, graph.saver.filename)):
            stray.add(node.op)
    return stray


def _collected(graph: MetaGraph) -> set[str]:
    """The saver's nodes that collections name: what loading runs first, what a variable begins with."""
    return {name.decode("ascii") for text in graph.collected for name in _NAMED.findall(text)}


def _reached(nodes: dict[str, Node], starts: list[str]) -> set[str]:
    """The nodes that are run where these are."""
    seen: set[str] = set()
    waiting = list(starts)
    while waiting:
        name = waiting.pop()
        if name in seen or name not in nodes:
            continue
        seen.add(name)
        waiting += map(node_of, nodes[name].inputs)
    return seen


def _is_given(nodes: dict[str, Node], node: Node, filename: str) -> bool:
    """Whether a node reads the checkpoint whose place loading gives it."""
    for _ in range(_MOST_STEPS):
        if not node.inputs:
            return False
        name = node_of(node.inputs[0])
        if name == filename:
            return True
        if name not in nodes or nodes[name].op != "Identity":
            return False
        node = nodes[name]
    return False
