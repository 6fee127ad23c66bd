"""JSON Schema (2020-12) for OpenAPI: of a signature's rows and predictions, and of what routes take and answer."""

from __future__ import annotations

from typing import Any, Dict, List, NamedTuple, Optional, Tuple, Union

from ..card import Signature, TensorSpec
from .encoding.dates import date_pattern
from .encoding.objects import SCHEMA as OBJECTS

Schema = Dict[str, Any]
TEXT: Schema = {"type": "string"}
FLAG: Schema = {"type": "boolean"}
BINARY: Schema = {"type": "string", "format": "binary"}
OBJECT: Schema = {"type": "object"}
JSON = "application/json"
_BASE64: Schema = {
    "type": "string",
    "contentEncoding": "base64",
    "pattern": "^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$",
}
_BOUNDS = {"INT8": 7, "INT16": 15, "INT32": 31, "INT64": 63}


class Operation(NamedTuple):
    """What a route answers with 200 and what it takes, each as a schema (and perhaps an example) by media type.

    `query` names the parameters of the query that it reads.
    """

    answer: Dict[str, Schema] = {}  # noqa: RUF012 - a NamedTuple's default, never changed
    body: Optional[Dict[str, Any]] = None
    query: Tuple[str, ...] = ()

    @classmethod
    def json(
        cls, answer: Schema, body: Optional[Schema] = None, example: Any = None, query: Tuple[str, ...] = ()
    ) -> Operation:
        """JSON, both ways."""
        taken = None if body is None else {"schema": body, **({} if example is None else {"example": example})}
        return cls({JSON: answer}, None if taken is None else {JSON: taken}, query)


def record(**properties: Schema) -> Schema:
    """An object with all of these properties."""
    return {"type": "object", "properties": properties, "required": list(properties)}


def array(items: Schema) -> Schema:
    """A list."""
    return {"type": "array", "items": items}


def predictions_schema(signatures: Tuple[Signature, ...]) -> Schema:
    """`{"predictions": [...]}`, of any of the signatures."""
    return record(predictions=array(any_of([prediction_schema(one) for one in signatures])))


def rows_schema(signatures: Tuple[Signature, ...]) -> Schema:
    """A list of rows, of any of the signatures."""
    return array(any_of([row_schema(one) for one in signatures]))


def request_schema(signatures: Tuple[Signature, ...]) -> Schema:
    """A body of /predict, for any of the signatures."""
    row = any_of([row_schema(one) for one in signatures])
    parameters = {"type": "object", "properties": {"method": {"enum": [one.name for one in signatures]}}}
    forms: List[Tuple[str, Schema]] = [
        ("instances", {"type": "array", "items": row, "minItems": 1}),
        ("features", row),
        ("columns", {"type": "object", "additionalProperties": {"type": "array"}}),
    ]
    return {
        "oneOf": [
            {
                "type": "object",
                "required": [name],
                "properties": {name: schema, "parameters": parameters},
                "additionalProperties": False,
            }
            for name, schema in forms
        ]
    }


def row_schema(signature: Signature) -> Schema:
    """One instance: a list in the signature's order, an object by name, or one value."""
    if signature.objects:
        return OBJECTS
    if signature.raw and all(spec.name in signature.raw for spec in signature.inputs):
        return {}
    if signature.layout == "matrix":
        spec = signature.inputs[0]
        width = spec.shape[-1]
        count = width if isinstance(width, int) and width >= 0 else len(signature.columns) or None
        cells = {name: _value(spec.dtype) for name in signature.columns if count == len(signature.columns)}
        return any_of([_list(_value(spec.dtype), count), *([_object(cells)] if cells else [])])
    cells = {
        spec.name: _date(signature.dates[spec.name])
        if spec.name in signature.dates
        else _tensor(spec, assumed=spec.name in signature.assumed, marked=True)
        for spec in signature.inputs
    }
    forms = [_object(cells)]
    if len(cells) > 1 or len(signature.inputs[0].shape) <= 1:
        forms.append({"type": "array", "prefixItems": list(cells.values()), "items": False, "minItems": len(cells)})
    if len(cells) == 1:
        forms.append(next(iter(cells.values())))
    return any_of(forms)


def prediction_schema(signature: Signature) -> Schema:
    """One prediction: the only output's value, or an object of them all."""
    if not signature.outputs:
        return {}
    cells = {
        spec.name: {} if spec.name in signature.raw else _tensor(spec, marked=signature.classes is None)
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


def _tensor(spec: TensorSpec, *, assumed: bool = False, marked: bool = False) -> Schema:
    if "..." in spec.shape:
        return {}  # a value, or lists of as many levels as there are
    schema = _value(spec.dtype)
    if assumed:
        schema = {"type": [*schema["type"], "boolean"]}
    if marked and spec.dtype == "BYTES":
        schema = any_of([schema, _object({"b64": _BASE64})])  # bytes that are no text
    for size in reversed(spec.shape[1:]):
        schema = _list(schema, size)
    return schema


def _date(zone: str) -> Schema:
    """A column of dates: without a time zone the texts have no offset, which the pattern says."""
    return {"type": ["string", "null"], "format": "date-time", "pattern": date_pattern(zone)}


def _list(items: Schema, size: Union[int, str, None]) -> Schema:
    fixed = {"minItems": size, "maxItems": size} if isinstance(size, int) and size >= 0 else {}
    return {"type": "array", "items": items, **fixed}


def _object(properties: Dict[str, Schema]) -> Schema:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _value(dtype: str) -> Schema:
    if dtype == "BOOL":
        return {"type": "boolean"}
    if dtype == "BYTES":
        return {"type": ["string", "null"]}
    if dtype.startswith("FP"):
        return {"type": ["number", "null"]}
    bits = _BOUNDS.get(dtype)
    low, high = (0, 2 ** int(dtype[4:]) - 1) if bits is None else (-(2**bits), 2**bits - 1)
    return {"type": "integer", "minimum": low, "maximum": high}
