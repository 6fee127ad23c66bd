"""Tables that are filled from a text file: whether the file is one of the model's own assets."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from mlpack.formats.savedmodel.graph import MetaGraph, node_of
from mlpack.formats.savedmodel.nodes import Function, Node

_PASSING = frozenset({"Identity"})
_OF_VARIABLES = frozenset({"AssignVariableOp", "ReadVariableOp", "VarIsInitializedOp"})
_CALLING = frozenset({"PartitionedCall", "StatefulPartitionedCall"})
_FILENAME = 1  # the place of the file's name among the inputs of InitializeTableFromTextFile(V2)
_MOST_STEPS = 1000
TABLES = frozenset({"InitializeTableFromTextFile", "InitializeTableFromTextFileV2"})


def stray_tables(graph: MetaGraph) -> list[str]:
    """The names of nodes that fill a table from a file which is not, or may not be, an asset of the model."""
    if not graph.ops & TABLES:
        return []
    trace = _Trace(graph)
    stray = [node.name for node in graph.nodes if node.op in TABLES and not trace.is_asset(_filename(node), None, 0)]
    for function in graph.functions.values():
        tables = (node for node in function.nodes.values() if node.op in TABLES)
        stray += [f"{function.name}/{one.name}" for one in tables if not trace.is_asset(_filename(one), function, 0)]
    return stray


def _filename(node: Node) -> str:
    values = [one for one in node.inputs if not one.startswith("^")]
    return values[_FILENAME] if len(values) > _FILENAME else ""


class _Trace:
    """Where a value comes from, through functions up to the objects that loading makes."""

    def __init__(self, graph: MetaGraph) -> None:
        self._graph = graph
        self._nodes: Mapping[str, Node] = {node.name: node for node in graph.nodes}
        self._assets = {node: place for place, node in enumerate(graph.asset_nodes) if node}
        self._callers = _callers(graph)
        every = (node for one in graph.functions.values() for node in one.nodes.values())
        self._handles = [node for node in (*graph.nodes, *every) if node.op == "VarHandleOp"]
        self._users: defaultdict[str, list[Node]] = defaultdict(list)
        for node in graph.nodes:
            for name in {node_of(value) for value in node.inputs if not value.startswith("^")}:
                self._users[name].append(node)
        self._steps = 0

    def is_asset(self, value: str, function: Function | None, depth: int) -> bool:
        """Whether this input of a node (of the graph itself where `function` is None) is always the path of an asset."""
        self._steps += 1
        name = node_of(value)
        if not name or self._steps > _MOST_STEPS or depth > _MOST_STEPS:
            return False
        if function is None and name in self._assets:
            return True
        if function is not None and name in function.arguments:
            return self._argument(function, function.arguments.index(name), depth)
        node = (self._nodes if function is None else function.nodes).get(name)
        if node is None or not node.inputs:
            return False
        if node.op == "ReadVariableOp" and function is None:
            return self._variable(node_of(node.inputs[0]), depth)
        return node.op in _PASSING and self.is_asset(node.inputs[0], function, depth + 1)

    def _variable(self, name: str, depth: int) -> bool:
        """Whether a variable holds an asset's path and nothing else: TensorFlow keeps it in one of its own since 2.13."""
        variable = self._nodes.get(name)
        if variable is None or variable.op != "VarHandleOp":
            return False
        shared = variable.shared or name.encode()
        same = [one for one in self._handles if (one.shared or one.name.encode()) == shared]
        users = self._users.get(name, ())
        assigned = [node for node in users if node.op == "AssignVariableOp"]
        return (
            same == [variable]
            and bool(assigned)
            and all(node.op in _OF_VARIABLES for node in users)
            and all(len(node.inputs) > 1 and self.is_asset(node.inputs[1], None, depth + 1) for node in assigned)
        )

    def _argument(self, function: Function, place: int, depth: int) -> bool:
        """Whether a function is always given an asset there: by every node that calls it, and by what is bound to it."""
        found = [self._bound(function, place)] if function.name in self._graph.objects.functions else []
        for node, inside in self._callers.get(function.name, ()):
            values = [one for one in node.inputs if not one.startswith("^")]
            plain = node.op in _CALLING or node.op == function.name
            found.append(plain and place < len(values) and self.is_asset(values[place], inside, depth + 1))
        return bool(found) and all(found)

    def _bound(self, function: Function, place: int) -> bool:
        """Whether loading binds an asset to the argument: the last arguments are those that are bound."""
        objects = self._graph.objects
        bound = objects.bound.get(function.name, ())
        behind = place - (len(function.arguments) - len(bound))
        if not 0 <= behind < len(bound):
            return False
        asset = objects.assets.get(bound[behind])
        return asset is not None and 0 <= asset < len(self._graph.assets)


def _callers(graph: MetaGraph) -> Mapping[str, Sequence[tuple[Node, Function | None]]]:
    """By a function's name, the nodes that call it, and the functions that these lie in."""
    found: defaultdict[str, list[tuple[Node, Function | None]]] = defaultdict(list)
    for inside in (None, *graph.functions.values()):
        for node in graph.nodes if inside is None else inside.nodes.values():
            for name in {node.op, *node.calls} & graph.functions.keys():
                found[name].append((node, inside))
    return found
