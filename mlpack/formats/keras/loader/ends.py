"""A Keras model's inputs in the lists and dictionaries that it takes, and the tensors of its answer by their names."""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, Sequence, Tuple


def arranged(structure: Any, tensors: Mapping[str, Any]) -> Any:
    """The structure with the tensors in place of their names."""
    if isinstance(structure, Mapping):
        return {key: arranged(one, tensors) for key, one in structure.items()}
    if isinstance(structure, list):
        return [arranged(one, tensors) for one in structure]
    return tensors[structure]


def by_name(answer: Any, names: Sequence[str]) -> Dict[str, Any]:
    """All tensors of an answer; where the file does not tell how many they are, by their keys or as `output_0`, `output_1`."""
    told = _tensors(answer, "")
    keyed = dict(told)
    if len(told) == len(keyed) and set(names) == set(keyed):
        return {name: keyed[name] for name in names}
    if len(told) == len(names):
        return {name: value for name, (_, value) in zip(names, told)}
    places = [f"output_{place}" for place in range(len(told))]
    keys = [key or place for (key, _), place in zip(told, places)]
    return dict(zip(keys if len(set(keys)) == len(keys) else places, (value for _, value in told)))


def _tensors(answer: Any, key: str) -> List[Tuple[str, Any]]:
    """Each tensor by its key, with dots between the keys of nested dictionaries; "" for one of the outermost list."""
    if hasattr(answer, "_asdict"):
        answer = answer._asdict()
    if isinstance(answer, Mapping):
        return [pair for name, one in answer.items() for pair in _tensors(one, f"{key}.{name}" if key else str(name))]
    if isinstance(answer, (list, tuple)):
        return [pair for place, one in enumerate(answer) for pair in _tensors(one, f"{key}_{place}" if key else "")]
    return [] if answer is None else [(key, answer)]
