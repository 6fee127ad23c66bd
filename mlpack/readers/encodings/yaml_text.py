"""Read untrusted YAML: read_yaml() refuses texts whose aliases expand to very large values."""

from __future__ import annotations

from typing import Any

import yaml

from mlpack.readers.limits import CutOffError

_MOST_NODES = 200_000  # each alias counts as its expansion
_LIKE_A_VALUE = 64  # characters of a text that count as one value
_LONGEST_NUMBER = 100
_TEXT = "tag:yaml.org,2002:str"
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def read_yaml(text: str) -> Any:
    """The document's value; raises CutOffError for invalid YAML, and for aliases that expand too much."""
    loader = _Loader(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return None
        _size(node, {})
        return loader.construct_document(node)
    except (
        yaml.YAMLError,
        ArithmeticError,
        AttributeError,
        LookupError,
        RecursionError,
        TypeError,
        ValueError,
    ) as error:
        raise CutOffError("its YAML is broken") from error
    finally:
        loader.dispose()


def _size(node: Any, known: dict[int, int]) -> int:
    """The number of values in a node with its aliases expanded; raises CutOffError for too many, and for cycles."""
    if id(node) in known:
        if known[id(node)] == 0:
            raise CutOffError("its YAML contains itself")
        return known[id(node)]
    known[id(node)] = 0
    size = 1
    if isinstance(node, yaml.ScalarNode):
        if node.tag != _TEXT and len(node.value) > _LONGEST_NUMBER:
            raise CutOffError("a number in its YAML is too long")
        size += len(node.value) // _LIKE_A_VALUE
    else:
        pairs = isinstance(node, yaml.MappingNode)
        for one in node.value:
            size += sum(_size(inner, known) for inner in one) if pairs else _size(one, known)
            if size > _MOST_NODES:
                raise CutOffError("its YAML has too many values")
    known[id(node)] = size
    return size
