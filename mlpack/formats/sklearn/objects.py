"""Steps that read objects with any keys: DictVectorizer, FeatureHasher."""

from __future__ import annotations

from typing import Any

from mlpack.formats.sklearn.estimators import Estimator, sequence

_MOST_KEYS = 20  # in an example


def takes_objects(one: Estimator) -> bool:
    """Whether a step's rows are dictionaries from text to a text or number."""
    if not one.own:
        return False
    return one.name == "DictVectorizer" or (one.name == "FeatureHasher" and one.get("input_type") in (None, "dict"))


def example_object(one: Estimator) -> dict[str, Any]:
    """A row of keys and values that a DictVectorizer saw in training; {} when the file does not keep them.

    It names a feature `key=text` for each text, and `key` for numbers.
    """
    separator = one.get("separator")
    between = separator if isinstance(separator, str) and separator else "="
    example: dict[str, Any] = {}
    for name in sequence(one.get("feature_names_")) or []:
        if not isinstance(name, str):
            continue
        key, mark, text = name.partition(between)
        example.setdefault(key, text if mark else 1)
        if len(example) == _MOST_KEYS:
            break
    return example
