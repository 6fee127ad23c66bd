"""Fit the user's sample rows to a signature on the host: columns, widths and types; names that the file does not record."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from mlpack.artifacts.model import ModelInfo, Signature
from mlpack.readers.samples import names_of_rows

_NUMBERS = ("FP16", "FP32", "FP64", "INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32", "UINT64")
_MOST_SHOWN = 8
_PLACEHOLDERS = frozenset(f"x{place}" for place in range(10_000))  # names of columns without recorded names


@dataclass(frozen=True, kw_only=True)
class FittedRows:
    """Sample rows with the columns of the model only: `left_out` are others; `problem` says why the rows do not fit."""

    rows: list[Any]
    left_out: tuple[str, ...] = ()
    problem: str = ""


def text_columns(info: ModelInfo) -> frozenset[str]:
    """The columns of text, whose values in a CSV file stay texts where they look like numbers (`02139`)."""
    return frozenset(
        spec.name for signature in info.signatures[:1] for spec in signature.inputs if spec.dtype == "BYTES"
    )


def with_sampled_names(info: ModelInfo, rows: Sequence[Any]) -> ModelInfo:
    """The model with column names from the sample, where the file records the number of columns and no names."""
    tensors = any(isinstance(value, list) for row in rows if isinstance(row, dict) for value in row.values())
    names = () if tensors else names_of_rows(rows)
    signatures = tuple(_named(one, names) for one in info.signatures)
    return info if signatures == info.signatures else replace(info, signatures=signatures)


def _named(signature: Signature, names: tuple[str, ...]) -> Signature:
    wide = signature.layout == "matrix" and signature.inputs[0].shape[-1:] == (len(names),)
    return replace(signature, columns=names) if names and wide and not signature.columns else signature


def fit_rows(signature: Signature, rows: Sequence[Any]) -> FittedRows:
    """The rows for one signature. Values of text columns and of tensors are left to the service, which knows more."""
    kept = list(rows)
    if all(spec.name in signature.raw for spec in signature.inputs):
        return FittedRows(rows=kept)
    names, width = _columns(signature)
    if all(isinstance(row, dict) for row in kept) and names:
        return _records(signature, names, kept)
    if signature.layout == "matrix" and not signature.columns:
        kept = [_bare(row, signature.inputs[0].name) for row in kept]
    flat = signature.layout != "tensors" and width is not None
    for number, row in enumerate(kept):
        if flat and isinstance(row, list) and len(row) != width:
            return FittedRows(rows=kept, problem=f"row {number} has {len(row)} values, and the model takes {width}")
        if flat and isinstance(row, dict) and len(row) != width:
            return FittedRows(rows=kept, problem=f"row {number} has {len(row)} columns, and the model takes {width}")
        if isinstance(row, list) and flat and (wrong := _wrong(signature, dict(enumerate(row)))):
            return FittedRows(rows=kept, problem=f"row {number}, {wrong}")
    return FittedRows(rows=kept)


def _bare(row: Any, name: str) -> Any:
    """The value of a record whose only key is the tensor's name, and which holds the whole row."""
    return row[name] if isinstance(row, dict) and list(row) == [name] and isinstance(row[name], list) else row


def _columns(signature: Signature) -> tuple[tuple[str, ...], int | None]:
    """The names of a row's values, () if they have none, and how many there are, None if that is not known."""
    if signature.layout != "matrix":
        names = tuple(spec.name for spec in signature.inputs)
        return names, len(names)
    last = signature.inputs[0].shape[-1]
    width = last if isinstance(last, int) and last >= 0 else len(signature.columns) or None
    return signature.columns if len(signature.columns) == width else (), width


def _records(signature: Signature, names: tuple[str, ...], rows: list[dict[str, Any]]) -> FittedRows:
    extra: dict[str, None] = {}
    for number, row in enumerate(rows):
        missing = [name for name in names if name not in row]
        if len(missing) == len(names) == len(_PLACEHOLDERS.intersection(names)):
            shown = f"row {number} has {len(row)} columns ({_listed([str(name) for name in row])})"
            takes = f"and the model takes {len(names)}, whose names the file does not record"
            return FittedRows(rows=list(rows), problem=f"{shown}, {takes}")
        if missing:
            return FittedRows(
                rows=list(rows), problem=f"row {number} has no {_listed(missing)}{_instead(missing, row)}"
            )
        extra |= dict.fromkeys(str(name) for name in row if name not in names)
        if wrong := _wrong(signature, row):
            return FittedRows(rows=list(rows), problem=f"row {number}, {wrong}")
    kept = [{name: row[name] for name in names} for row in rows]
    return FittedRows(rows=kept, left_out=tuple(extra))


def _instead(missing: Sequence[str], row: Mapping[str, Any]) -> str:
    """What the row has in place of missing columns: the closest name, or all its names."""
    near = difflib.get_close_matches(missing[0], [str(name) for name in row], n=1, cutoff=0.6)
    return f"; the closest is {near[0]!r}" if near else f"; it has {_listed([str(name) for name in row])}"


def _wrong(signature: Signature, row: Mapping[Any, Any]) -> str:
    """The first value that is no number where the model takes numbers; `row` is by name or by place."""
    specs = {spec.name: spec for spec in signature.inputs}
    for place, value in row.items():
        spec = signature.inputs[0] if signature.layout == "matrix" else specs.get(place)
        if spec is None and isinstance(place, int):
            spec = signature.inputs[place]
        single = signature.layout == "matrix" or (spec is not None and len(spec.shape) == 1)
        if spec is None or not single or spec.dtype not in _NUMBERS:
            continue
        if isinstance(value, str | list | dict):
            shown = repr(value[:40]) if isinstance(value, str) else "a list" if isinstance(value, list) else "an object"
            return f"column {place!r}: {shown} is not a number"
    return ""


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MOST_SHOWN} more" if len(names) > _MOST_SHOWN else ""
    return ", ".join(map(repr, names[:_MOST_SHOWN])) + more
