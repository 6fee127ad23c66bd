"""JSON Schema (2020-12) for OpenAPI: of a signature's rows and predictions, and of what routes take and answer."""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple, Union

from ..card import Signature, TensorSpec
from .encoding.casting import Rules
from .encoding.dates import date_pattern
from .encoding.objects import SCHEMA as OBJECTS
from .encoding.rows import rules_of
from .encoding.tensors import one_element

Schema = Dict[str, Any]
TEXT: Schema = {"type": "string"}
FLAG: Schema = {"type": "boolean"}
BINARY: Schema = {"type": "string", "format": "binary"}
OBJECT: Schema = {"type": "object"}
JSON = "application/json"
_OVERFLOW = {"FP16": 65520.0, "FP32": 2.0**128 - 2.0**103}  # the least numbers that round to infinity
_BASE64: Schema = {
    "type": "string",
    "contentEncoding": "base64",
    "pattern": "^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$",
}
_BOUNDS = {"INT8": 7, "INT16": 15, "INT32": 31, "INT64": 63}


class Operation(NamedTuple):
    """What a route answers with 200 and what it takes, each as a schema (and perhaps an example) by media type.

    `query` has a schema for each parameter of the query that it reads, `versions` the values of a path's `{version}` (None:
    the model's). A route that refuses every request is not `offered`.
    """

    answer: Dict[str, Schema] = {}  # noqa: RUF012 - a NamedTuple's default, never changed
    body: Optional[Dict[str, Any]] = None
    query: Mapping[str, Schema] = {}
    versions: Optional[Tuple[str, ...]] = None
    offered: bool = True

    @classmethod
    def json(
        cls,
        answer: Schema,
        body: Optional[Schema] = None,
        example: Any = None,
        query: Optional[Mapping[str, Schema]] = None,
    ) -> Operation:
        """JSON, both ways."""
        taken = None if body is None else {"schema": body, **({} if example is None else {"example": example})}
        return cls({JSON: answer}, None if taken is None else {JSON: taken}, query or {})


def record(**properties: Schema) -> Schema:
    """An object with all of these properties."""
    return {"type": "object", "properties": properties, "required": list(properties)}


def array(items: Schema) -> Schema:
    """A list."""
    return {"type": "array", "items": items}


def predictions_schema(signatures: Tuple[Signature, ...]) -> Schema:
    """`{"predictions": [...]}`, of any of the signatures."""
    return record(predictions=array(any_of([prediction_schema(one) for one in signatures])))


def bodies_schema(
    signatures: Tuple[Signature, ...],
    forms: Callable[[Signature], Dict[str, Schema]],
    parameters: Tuple[str, ...] = ("parameters",),
    known: Optional[Mapping[str, Schema]] = None,
    *,
    more: bool = False,
) -> Schema:
    """A body with one of the forms, for any of the signatures; one with rows of another kind than the default's names it.

    `parameters` are the keys that may hold `{"method": ...}`, `known` further keys; with `more` any others are ignored.
    """
    found: List[Schema] = []
    for position, group in enumerate(_alike(signatures)):
        names: List[Optional[str]] = [one.name for one in group]
        method: Schema = {"type": "object", "properties": {"method": {"enum": names}}, "required": ["method"]}
        if not position:
            names.append(None)  # null, like no method, means the default
            method = {"type": ["object", "null"], "properties": method["properties"]}
        for name, schema in forms(group[0]).items():
            others = {**(known or {}), **dict.fromkeys(parameters, method)}
            found.append(
                {
                    "type": "object",
                    "required": [name, *(parameters[:1] if position else ())],
                    "properties": {name: schema, **others},
                    **({} if more else {"additionalProperties": False}),
                }
            )
    return any_of(found)


def default_names(signatures: Tuple[Signature, ...]) -> List[str]:
    """The signatures that take the same rows as the default one."""
    return [one.name for one in _alike(signatures)[0]]


def method_query(signatures: Tuple[Signature, ...]) -> Dict[str, Schema]:
    """The parameter `method` of the query, where all signatures take the same rows."""
    return {"method": {"enum": [one.name for one in signatures]}} if len(_alike(signatures)) == 1 else {}


def request_schema(signatures: Tuple[Signature, ...], max_rows: int) -> Schema:
    """A body of /predict, for any of the signatures."""
    return bodies_schema(
        signatures,
        lambda one: {
            "instances": rows_schema(one, max_rows),
            "features": row_schema(one),
            "columns": columns_schema(one, max_rows),
        },
    )


def rows_schema(signature: Signature, max_rows: int) -> Schema:
    """A list of rows, all of the same kind: lists, objects, or values."""
    return any_of([{"type": "array", "items": form, "maxItems": max_rows} for form in _row_forms(signature)])


def columns_schema(signature: Signature, max_rows: int) -> Schema:
    """A list of values for each column, or for a matrix its rows under the name of its tensor."""
    if _is_raw(signature):
        cells: Dict[str, Schema] = {}
        forms: List[Schema] = [{"type": "object", "additionalProperties": {"type": "array"}, "minProperties": 1}]
    elif signature.layout == "matrix":
        cells = _columns(signature)
        forms = [_object({signature.inputs[0].name: rows_schema(signature, max_rows)})]
    else:
        cells, forms = _cells(signature), []
    if cells:
        lists = {name: {"type": "array", "items": cell, "maxItems": max_rows} for name, cell in cells.items()}
        forms.append({**_object(lists), **({"description": "Lists of the same length."} if len(cells) > 1 else {})})
    return any_of(forms)


def split_schema(signature: Signature, max_rows: int) -> Schema:
    """A table of column names and rows, as pandas writes a frame with `orient="split"`."""
    cells = {} if _is_raw(signature) else _columns(signature) if signature.layout == "matrix" else _cells(signature)
    row = _tuple(list(cells.values())) if cells else row_schema(signature)
    columns: Schema = {"enum": [list(cells), None]} if cells else {"type": "array", "maxItems": 0}
    data = {"type": "array", "items": row, "maxItems": max_rows}
    return {
        "type": "object",
        "required": ["data"],
        "properties": {"columns": columns, "index": {}, "data": data},
        "additionalProperties": False,
    }


def row_schema(signature: Signature) -> Schema:
    """One instance: a list in the signature's order, an object by name, or one value."""
    return any_of(_row_forms(signature))


def prediction_schema(signature: Signature) -> Schema:
    """One prediction: the only output's value, or an object of them all."""
    if not signature.outputs:
        return {}
    cells = {
        spec.name: {} if spec.name in signature.raw else tensor_schema(spec, marked=signature.classes is None)
        for spec in signature.outputs
    }
    return next(iter(cells.values())) if len(cells) == 1 else _object(cells)


def any_of(schemas: List[Schema]) -> Schema:
    """What fits one of the schemas, each named once."""
    different: List[Schema] = []
    for schema in schemas:
        if schema not in different:
            different.append(schema)
    return different[0] if len(different) == 1 else {"anyOf": different}


def _alike(signatures: Tuple[Signature, ...]) -> List[List[Signature]]:
    """The signatures in groups that take the same rows, that of the default first."""
    groups: List[List[Signature]] = []
    for one in signatures:
        group = next((group for group in groups if row_schema(group[0]) == row_schema(one)), None)
        if group is None:
            groups.append([one])
        else:
            group.append(one)
    return groups


def _row_forms(signature: Signature) -> List[Schema]:
    if signature.objects:
        return [OBJECTS]
    if _is_raw(signature):
        return [{}]
    if signature.layout == "matrix":
        cell, cells, width = _cell(signature), _columns(signature), _width(signature)
        return [_list(cell, width), *([_object(cells)] if cells else []), *([cell] if width == 1 else [])]
    cells = _cells(signature)
    forms = [_object(cells, signature.trained_columns)]
    if len(cells) > 1 or len(signature.inputs[0].shape) <= 1:
        forms.append(_tuple(list(cells.values())))
    if signature.trained_columns:
        forms.append(_tuple([cells.get(name, {}) for name in signature.trained_columns]))
    if len(cells) == 1:
        forms.append(next(iter(cells.values())))
    return forms


def _is_raw(signature: Signature) -> bool:
    return bool(signature.raw) and all(spec.name in signature.raw for spec in signature.inputs)


def _width(signature: Signature) -> Optional[int]:
    width = signature.inputs[0].shape[-1]
    return width if isinstance(width, int) and width >= 0 else len(signature.columns) or None


def _cell(signature: Signature) -> Schema:
    """A value of a matrix."""
    spec = signature.inputs[0]
    return _input(spec.dtype, rules_of(signature, spec))


def _columns(signature: Signature) -> Dict[str, Schema]:
    """The columns of a matrix, none where they have no names."""
    cell = _cell(signature)
    return {name: cell for name in signature.columns if _width(signature) == len(signature.columns)}


def _cells(signature: Signature) -> Dict[str, Schema]:
    return {spec.name: _cell_of(signature, spec) for spec in signature.inputs}


def _cell_of(signature: Signature, spec: TensorSpec) -> Schema:
    if spec.name in signature.dates:
        return _date(signature.dates[spec.name])
    value = _input(spec.dtype, rules_of(signature, spec))
    if spec.dtype == "BYTES":
        value = any_of([value, _object({"b64": _BASE64})])  # bytes that are no text
    return _nested(value, spec, bare=one_element(spec))


def _tuple(items: List[Schema]) -> Schema:
    return {"type": "array", "prefixItems": items, "items": False, "minItems": len(items)}


def tensor_schema(spec: TensorSpec, *, marked: bool = False) -> Schema:
    """A tensor's part of one row, as nested lists."""
    if "..." in spec.shape:
        return {}  # a value, or lists of as many levels as there are
    schema = value_schema(spec.dtype)
    if marked and spec.dtype == "BYTES":
        schema = any_of([schema, _object({"b64": _BASE64})])  # bytes that are no text
    return _nested(schema, spec)


def _nested(value: Schema, spec: TensorSpec, *, bare: bool = False) -> Schema:
    schema = value
    for size in reversed(spec.shape[1:]):
        schema = _list(schema, size)
    return any_of([schema, value]) if bare else schema


def _date(zone: str) -> Schema:
    """A column of dates: without a time zone the texts have no offset, which the pattern says."""
    return {"type": ["string", "null"], "format": "date-time", "pattern": date_pattern(zone)}


def _list(items: Schema, size: Union[int, str, None]) -> Schema:
    fixed = {"minItems": size, "maxItems": size} if isinstance(size, int) and size >= 0 else {}
    return {"type": "array", "items": items, **fixed}


def _object(properties: Dict[str, Schema], optional: Sequence[str] = ()) -> Schema:
    """An object with all of the properties; the optional ones may have any value."""
    return {
        "type": "object",
        "properties": {**{name: {} for name in optional}, **properties},
        "required": list(properties),
        "additionalProperties": False,
    }


def _input(dtype: str, rules: Rules) -> Schema:
    """A value of a request."""
    schema = value_schema(dtype)
    if dtype == "BYTES":
        kinds = ["string", *(["null"] if rules.null else []), *(["integer", "boolean"] if rules.whole_as_text else [])]
        return {"type": kinds if len(kinds) > 1 else kinds[0]}
    if not rules.booleans:
        return schema
    if dtype == "BOOL":
        return any_of([schema, {"enum": [0, 1]}])
    kinds = [schema["type"]] if isinstance(schema["type"], str) else schema["type"]
    return {**schema, "type": [*kinds, "boolean"]}


def value_schema(dtype: str) -> Schema:
    """One value of a dtype; null stands for a missing number or text."""
    if dtype == "BOOL":
        return {"type": "boolean"}
    if dtype == "BYTES":
        return {"type": ["string", "null"]}
    if dtype.startswith("FP"):
        limit = _OVERFLOW.get(dtype)
        bounds = {} if limit is None else {"exclusiveMinimum": -limit, "exclusiveMaximum": limit}
        return {"type": ["number", "null"], **bounds}
    bits = _BOUNDS.get(dtype)
    low, high = (0, 2 ** int(dtype[4:]) - 1) if bits is None else (-(2**bits), 2**bits - 1)
    return {"type": "integer", "minimum": low, "maximum": high}
