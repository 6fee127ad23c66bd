"""TensorFlow's own protocol buffers: the operations and functions of a SavedModel."""

from __future__ import annotations

import importlib.util
import sys
import types
from typing import Any

from tests.fuzz.loaders.groups import Loader

_DECIDING = frozenset({"output_stream", "descriptor_source", "vocab_file", "module"})


def loaders() -> dict[str, Loader]:
    """`tensorflow` gives, for each graph, its operations, its functions as [name, operation] (and [name, ""]), and its assets.

    `texts` are the attributes that decide what an operation does, as [operation, attribute, hexadecimal].
    """
    found = importlib.util.find_spec("tensorflow")
    if found is None or not found.submodule_search_locations:
        raise ImportError("No module named 'tensorflow'")
    package = types.ModuleType("tensorflow")  # only its messages are needed; all of it takes half a minute to import
    package.__path__ = list(found.submodule_search_locations)
    sys.modules["tensorflow"] = package
    from tensorflow.core.protobuf import saved_model_pb2

    def read(path: str, request: dict[str, Any]) -> list[dict[str, Any]]:  # noqa: ARG001 - a loader's interface
        with open(path, "rb") as file:  # noqa: PTH123 - as a loader does
            model = saved_model_pb2.SavedModel.FromString(file.read())
        return [
            {
                "operations": sorted({node.op for node in graph.graph_def.node}),
                "functions": sorted(
                    [one.signature.name, op]
                    for one in graph.graph_def.library.function
                    for op in {"", *(node.op for node in one.node_def)}
                ),
                "assets": sorted(one.filename for one in graph.asset_file_def),
                "texts": sorted(
                    [node.op, key, node.attr[key].s.hex()]
                    for nodes in (graph.graph_def.node, *(one.node_def for one in graph.graph_def.library.function))
                    for node in nodes
                    for key in _DECIDING.intersection(node.attr)
                    if node.attr[key].s
                ),
            }
            for graph in model.meta_graphs
        ]

    return {"tensorflow": read}
