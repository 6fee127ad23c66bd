"""A module's answer as arrays: its tensors by name, lists with an entry for each row, axes that a squeeze took away."""

from __future__ import annotations

from typing import Any, Dict, FrozenSet, Iterator, List, Mapping, Sequence, Tuple

import numpy as np
import torch


def arrays_of(answer: Any, names: Sequence[str], by_row: FrozenSet[str] = frozenset()) -> Dict[str, Any]:
    """The answer by these names: a tensor, a sequence of them, a dict, or any of these nested; none is left out.

    `by_row` are the places of lists that have an entry for each row (see `lists_by_row`).
    """
    told = _flat(answer, "", by_row)
    if len(told) == 1:
        return {names[0] if names else "output": _array(told[0][1])}
    by_key = dict(told)
    if names and set(names) == set(by_key) and len(by_key) == len(told):
        return {name: _array(by_key[name]) for name in names}
    if len(names) == len(told):
        return {name: _array(value) for name, (_, value) in zip(names, told)}
    places = [f"output_{place}" for place in range(len(told))]
    keys = [key or place for (key, _), place in zip(told, places)]
    found = zip(keys if len(set(keys)) == len(keys) else places, told)
    return {key: _array(value) for key, (_, value) in found}


def has_lists(answer: Any, rows: int) -> bool:
    """Whether a list or tuple in the answer is as long as the rows."""
    if _is_list(answer) and len(answer) == rows:
        return True
    return any(has_lists(one, rows) for _, one in _parts(answer, ""))


def lists_by_row(answer: Any, rows: int, other: Any, other_rows: int, key: str = "") -> Iterator[str]:
    """The places of lists that have an entry for each row: of two answers, those that are as long as the rows of each."""
    if _is_list(answer) and _is_list(other) and len(answer) == rows and len(other) == other_rows:
        yield key
        return
    for (below, one), (_, another) in zip(_parts(answer, key), _parts(other, key)):
        yield from lists_by_row(one, rows, another, other_rows, below)


def rows_of(answer: Sequence[Any]) -> Any:
    """A list of plain values as an array of its entries, each as it is."""
    rows = np.empty(len(answer), dtype=object)
    for place, one in enumerate(answer):
        rows[place] = one
    return rows


def _is_list(answer: Any) -> bool:
    return isinstance(answer, (list, tuple)) and not hasattr(answer, "_asdict")


def _parts(answer: Any, key: str) -> List[Tuple[str, Any]]:
    """What a container holds, by place; [] of what is none."""
    if hasattr(answer, "_asdict"):
        answer = answer._asdict()
    if isinstance(answer, Mapping):
        return [(f"{key}.{name}" if key else str(name), one) for name, one in answer.items()]
    if isinstance(answer, (list, tuple)):
        return [(f"{key or 'output'}_{place}", one) for place, one in enumerate(answer)]
    return []


def _flat(answer: Any, key: str, by_row: FrozenSet[str]) -> List[Tuple[str, Any]]:
    if _is_list(answer) and key in by_row:
        return _columns(answer, key)
    if isinstance(answer, (Mapping, list, tuple)):
        return [pair for below, one in _parts(answer, key) for pair in _flat(one, below, by_row)]
    return [] if answer is None else [(key, answer)]


def _columns(entries: Sequence[Any], key: str) -> List[Tuple[str, Any]]:
    """The entries of all rows as an array; as one for each of their parts where they have the same ones."""
    parts = [dict(_flat(one, key, frozenset())) if _holds_tensors(one) else {key: one} for one in entries]
    if len({tuple(one) for one in parts}) != 1:
        return [(key, rows_of([_listed(one) for one in entries]))]
    return [(name, _joined([_array(one[name]) for one in parts])) for name in parts[0]]


def _holds_tensors(value: Any) -> bool:
    if isinstance(value, (torch.Tensor, Mapping)):
        return True
    return any(_holds_tensors(one) for _, one in _parts(value, ""))


def _joined(rows: Sequence[Any]) -> Any:
    """The rows' arrays as one; as lists in an array of objects where their shapes differ."""
    return np.stack(rows) if len({row.shape for row in rows}) == 1 else rows_of([row.tolist() for row in rows])


def _listed(value: Any) -> Any:
    """A row's value as JSON has it."""
    if isinstance(value, torch.Tensor):
        return _array(value).tolist()
    if hasattr(value, "_asdict"):
        value = value._asdict()
    if isinstance(value, Mapping):
        return {str(name): _listed(one) for name, one in value.items()}
    return [_listed(one) for one in value] if isinstance(value, (list, tuple)) else value


def _array(value: Any) -> Any:
    if not isinstance(value, torch.Tensor):
        return np.asarray(value, dtype=object if isinstance(value, (str, bytes)) else None)
    value = value.detach().cpu()
    if value.is_quantized:
        value = value.dequantize()
    if value.dtype == torch.bfloat16:  # numpy has none
        value = value.float()
    return value.resolve_conj().resolve_neg().numpy() if hasattr(value, "resolve_conj") else value.numpy()
