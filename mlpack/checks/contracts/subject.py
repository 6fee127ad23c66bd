"""The model of a service under test: its name, rows and tensors, from the card or the service's metadata."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from math import prod
from typing import Any
from urllib.parse import quote

from mlpack.checks.client import Answer, Client
from mlpack.checks.requests import rows_for, sample_rows

_TF_TYPES = {
    "DT_BOOL": "BOOL", "DT_INT8": "INT8", "DT_INT16": "INT16", "DT_INT32": "INT32", "DT_INT64": "INT64", "DT_UINT8": "UINT8",
    "DT_UINT16": "UINT16", "DT_UINT32": "UINT32", "DT_UINT64": "UINT64", "DT_HALF": "FP16", "DT_FLOAT": "FP32",
    "DT_DOUBLE": "FP64", "DT_STRING": "BYTES",
}  # fmt: skip
_COUNT = 2  # rows in a request
_MOST_VALUES = 10_000_000  # in a request: the metadata of an unknown service may claim any size


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A model under test: `rows` are instances, `tensors` the same rows as Open Inference inputs with data.

    `name` is None if the service does not report it; `rows` and `tensors` are empty if the inputs are not known. `columns`
    are the names of a row's values, if known. `platform` and `labels` are those of the image, if an image is tested.
    """

    name: str | None = None
    version: str | None = None
    rows: tuple[Any, ...] = ()
    tensors: tuple[dict[str, Any], ...] = ()
    columns: tuple[str, ...] = ()
    objects: bool = False  # rows are objects with any keys: no records of one table
    platform: str | None = None
    labels: Mapping[str, str] | None = None

    @property
    def path(self) -> str:
        """The model's name, quoted for a route."""
        return quote(self.name or "", safe="")

    @property
    def version_path(self) -> str:
        """The version, quoted for a route."""
        return quote(self.version or "", safe="")

    @property
    def records(self) -> list[dict[str, Any]]:
        """The rows as objects by column; empty if the columns have no names or a row is a single value."""
        if self.rows and not self.objects and all(isinstance(row, dict) and set(row) != {"b64"} for row in self.rows):
            return [dict(row) for row in self.rows]
        return []

    @property
    def flat(self) -> list[list[Any]]:
        """The rows as lists of scalar values; empty if a value is a list or an object."""
        if self.objects:
            return []
        rows = [
            list(row.values()) if isinstance(row, dict) else row if isinstance(row, list) else [row]
            for row in self.rows
        ]
        return [] if any(isinstance(value, (list, dict)) for row in rows for value in row) else rows


def find_subject(
    client: Client,
    *,
    card: Mapping[str, Any] | None = None,
    request: Any = None,
    name: str | None = None,
    platform: str | None = None,
    labels: Mapping[str, str] | None = None,
) -> Subject:
    """The subject from the user's request, else from the card, else from the service's metadata. Raises Unanswered."""
    name = name or (str(card["name"]) if card else None) or _name(client)
    at = quote(name, safe="") if name else None
    v2 = _value(client.get(f"/v2/models/{at}")) if at else None
    v1 = _value(client.get(f"/v1/models/{at}/metadata")) if at and not isinstance(v2, dict) else None
    inputs = _inputs(v2, v1)
    columns: tuple[str, ...] = ()
    objects = bool(card and card["signatures"][0].get("objects"))
    rows, tensors = _given(request)
    if card and not rows and not tensors:
        signature = card["signatures"][0]
        columns = tuple(signature.get("columns") or ())
        rows = [_ordered(row, columns) for row in sample_rows(card, _COUNT)]
    if not rows and not tensors and inputs:
        count = next((one["shape"][0] for one in inputs if one["shape"] and one["shape"][0] > 0), _COUNT)
        rows = rows_for({"layout": "tensors", "inputs": inputs}, count)
    if not tensors and rows and isinstance(v2, dict):
        tensors = _tensors([json.dumps(row) for row in rows] if objects else rows, inputs)
    if not rows and tensors:
        rows = _rows(tensors)
    version = (card or {}).get("version") or _version(v2, v1)
    return Subject(
        name=name,
        version=version,
        rows=tuple(rows),
        tensors=tuple(tensors),
        columns=columns,
        objects=objects,
        platform=platform,
        labels=labels,
    )


def _name(client: Client) -> str | None:
    """The first model that the service lists, through any contract."""
    for answer in (client.get("/v2/models"), client.post("/v2/repository/index", {}), client.get("/v1/models")):
        value = _value(answer)
        listed = value.get("models") if isinstance(value, dict) else value
        for one in listed if isinstance(listed, list) else []:
            found = one.get("name") if isinstance(one, dict) else one
            if isinstance(found, str) and found:
                return found
    value = _value(client.get("/"))
    found = value.get("name") if isinstance(value, dict) else None
    return found if isinstance(found, str) else None


def _value(answer: Answer) -> Any:
    try:
        return answer.json() if answer.status == 200 else None
    except ValueError:
        return None


def _inputs(v2: Any, v1: Any) -> list[dict[str, Any]]:
    """The tensors in the metadata, in the form of a card; none if the metadata is malformed."""
    try:
        if v2 is not None:
            return _checked(
                {"name": one["name"], "dtype": one["datatype"], "shape": [int(size) for size in one["shape"]]}
                for one in v2["inputs"]
            )
        signatures = v1["metadata"]["signature_def"]["signature_def"]
        chosen = signatures.get("serving_default") or next(iter(signatures.values()))
        return _checked(
            {
                "name": name,
                "dtype": _TF_TYPES[one["dtype"]],
                "shape": [int(dim["size"]) for dim in one["tensor_shape"].get("dim", [])],
            }
            for name, one in chosen["inputs"].items()
        )
    except (KeyError, TypeError, ValueError, AttributeError, ArithmeticError, StopIteration):
        return []


def _checked(inputs: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same tensors; raises ValueError if one is too large to generate values for, or of an unknown type."""
    found = list(inputs)
    if any(one["dtype"] not in _TF_TYPES.values() or not isinstance(one["name"], str) for one in found):
        raise ValueError("a tensor of an unknown type")
    if sum(_COUNT * prod(max(size, 1) for size in one["shape"]) for one in found) > _MOST_VALUES:
        raise ValueError("too many values for a request")
    return found


def _version(v2: Any, v1: Any) -> str | None:
    versions = v2.get("versions") if isinstance(v2, dict) else None
    if isinstance(versions, list) and versions:
        return str(versions[-1])
    spec = v1.get("model_spec") if isinstance(v1, dict) else None
    return str(spec["version"]) if isinstance(spec, dict) and spec.get("version") else None


def _given(request: Any) -> tuple[list[Any], list[dict[str, Any]]]:
    """Rows or tensors from the user's request, in the form of any contract."""
    if isinstance(request, list):
        return request, []
    if not isinstance(request, dict):
        return [], []
    inputs = request.get("inputs")
    if isinstance(inputs, list) and inputs and all(isinstance(one, dict) and "datatype" in one for one in inputs):
        return [], inputs
    table = request.get("dataframe_split") or request.get("input_data")
    if isinstance(table, dict) and isinstance(table.get("data"), list):
        names = table.get("columns") or []
        return [dict(zip(names, row, strict=False)) if names else row for row in table["data"]], []
    for key in ("instances", "dataframe_records", "data", "inputs"):
        if isinstance(request.get(key), list):
            return request[key], []
    return ([request["features"]], []) if "features" in request else ([], [])


def _ordered(row: Any, columns: Sequence[str]) -> Any:
    return {name: row[name] for name in columns} if isinstance(row, dict) and set(row) == set(columns) else row


def _tensors(rows: Sequence[Any], inputs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows as Open Inference inputs; empty if a row contains null, which that contract cannot express."""
    found = []
    for place, one in enumerate(inputs):
        values = [_of_input(row, one["name"], place, alone=len(inputs) == 1) for row in rows]
        shape, flat = _flattened(values)
        if any(value is None for value in flat):
            return []
        data = [_typed(value, one["dtype"]) for value in flat]
        found.append({"name": one["name"], "datatype": one["dtype"], "shape": shape, **_data(data)})
    return found


def _typed(value: Any, dtype: str) -> Any:
    """A row's value as the tensor's dtype has it: rows may hold booleans as numbers, and whole numbers as texts."""
    if dtype == "BYTES" and isinstance(value, int):
        return str(int(value))
    if dtype == "BOOL" and isinstance(value, int | float):
        return bool(value)
    return int(value) if isinstance(value, bool) and dtype != "BOOL" else value


def _data(values: list[Any]) -> dict[str, Any]:
    """The values of a tensor in JSON; if some are `{"b64": ...}`, all of them in Base64, marked as MLServer does."""
    if not any(isinstance(value, dict) for value in values):
        return {"data": values}
    data = [
        value["b64"] if isinstance(value, dict) else b64encode(str(value).encode()).decode("ascii") for value in values
    ]
    return {"parameters": {"content_type": "base64"}, "data": data}


def _of_input(row: Any, name: str, place: int, *, alone: bool) -> Any:
    if isinstance(row, dict) and not (alone and set(row) == {"b64"}):
        return row[name] if name in row else list(row.values())
    return row if alone or not isinstance(row, list) else row[place]


def _flattened(values: list[Any]) -> tuple[list[int], list[Any]]:
    shape = [len(values)]
    while values and isinstance(values[0], list):
        shape.append(len(values[0]))
        values = list(chain.from_iterable(values))
    return shape, values


def _rows(tensors: Sequence[Mapping[str, Any]]) -> list[Any]:
    """Tensors as rows: objects by name; with one tensor, its values."""
    columns = {one["name"]: _nested(_flattened(list(one["data"]))[1], list(one["shape"])) for one in tensors}
    if len(columns) == 1:
        return next(iter(columns.values()))
    return [
        {
            name: value[0] if isinstance(value, list) and len(value) == 1 else value
            for name, value in zip(columns, row, strict=True)
        }
        for row in zip(*columns.values(), strict=False)
    ]


def _nested(flat: list[Any], shape: list[int]) -> list[Any]:
    for size in reversed(shape[1:]):
        flat = [flat[start : start + size] for start in range(0, len(flat), max(size, 1))]
    return flat
