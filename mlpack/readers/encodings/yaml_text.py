"""YAML that somebody else wrote: read_yaml(), whose values are no more than what the text has written out."""

from __future__ import annotations

from typing import Any

import yaml

from mlpack.readers.limits import CutOffError

_MOST_NODES = 200_000  # with each alias counted as what it stands for
_LIKE_A_VALUE = 64  # characters of a text that count as much as a value
_LONGEST_NUMBER = 100
_TEXT = "tag:yaml.org,2002:str"
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def read_yaml(text: str) -> Any:
    """The document's value; raises CutOffError for what is no YAML, or holds more than it has written out (aliases)."""
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
    """How many values a node stands for; raises CutOffError for too many, and for one that holds itself."""
    if id(node) in known:
        if known[id(node)] == 0:
            raise CutOffError("its YAML holds itself")
        return known[id(node)]
    known[id(node)] = 0
    size = 1
    if isinstance(node, yaml.ScalarNode):
        if node.tag != _TEXT and len(node.value) > _LONGEST_NUMBER:
            raise CutOffError("a number in its YAML is longer than any")
        size += len(node.value) // _LIKE_A_VALUE
    else:
        pairs = isinstance(node, yaml.MappingNode)
        for one in node.value:
            size += sum(_size(inner, known) for inner in one) if pairs else _size(one, known)
            if size > _MOST_NODES:
                raise CutOffError("its YAML has more values than it should")
    known[id(node)] = size
    return size
