"""JSON Schema (2020-12) for OpenAPI: of a signature's rows and predictions, and of what routes take and answer."""

from __future__ import annotations

from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple, Union

from ..card import Signature, TensorSpec
from .encoding.casting import Rules
from .encoding.rows import rules_of
from .encoding.tensors import one_element

Schema = Dict[str, Any]
TEXT: Schema = {"type": "string"}
FLAG: Schema = {"type": "boolean"}
BINARY: Schema = {"type": "string", "format": "binary"}
OBJECT: Schema = {"type": "object"}
JSON = "application/json"
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
    if signature.raw and all(spec.name in signature.raw for spec in signature.inputs):
        return {}
    if signature.layout == "matrix":
        spec = signature.inputs[0]
        width = spec.shape[-1]
        count = width if isinstance(width, int) and width >= 0 else len(signature.columns) or None
        cell = _input(spec.dtype, rules_of(signature, spec))
        cells = {name: cell for name in signature.columns if count == len(signature.columns)}
        return any_of([_list(cell, count), *([_object(cells)] if cells else []), *([cell] if count == 1 else [])])
    cells = {
        spec.name: _nested(_input(spec.dtype, rules_of(signature, spec)), spec, bare=one_element(spec))
        for spec in signature.inputs
    }
    forms = [_object(cells, signature.trained_columns)]
    if len(cells) > 1 or len(signature.inputs[0].shape) <= 1:
        forms.append(_fixed(list(cells.values())))
    if signature.trained_columns:
        forms.append(_fixed([cells.get(name, {}) for name in signature.trained_columns]))
    if len(cells) == 1:
        forms.append(next(iter(cells.values())))
    return any_of(forms)


def prediction_schema(signature: Signature) -> Schema:
    """One prediction: the only output's value, or an object of them all."""
    if not signature.outputs:
        return {}
    cells = {
        spec.name: {} if spec.name in signature.raw else _tensor(spec, answered=signature.classes is None)
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


def _tensor(spec: TensorSpec, *, answered: bool = False) -> Schema:
    if "..." in spec.shape:
        return {}  # a value, or lists of as many levels as there are
    schema = _value(spec.dtype)
    if answered and spec.dtype == "BYTES":
        schema = any_of([schema, _object({"b64": {"type": "string"}})])  # bytes that are no text
    return _nested(schema, spec)


def _nested(value: Schema, spec: TensorSpec, *, bare: bool = False) -> Schema:
    schema = value
    for size in reversed(spec.shape[1:]):
        schema = _list(schema, size)
    return any_of([schema, value]) if bare else schema


def _fixed(items: List[Schema]) -> Schema:
    return {"type": "array", "prefixItems": items, "items": False, "minItems": len(items)}


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
    schema = _value(dtype)
    if dtype == "BYTES":
        kinds = ["string", *(["null"] if rules.null else []), *(["integer", "boolean"] if rules.whole_as_text else [])]
        return {"type": kinds if len(kinds) > 1 else kinds[0]}
    if not rules.booleans:
        return schema
    if dtype == "BOOL":
        return any_of([schema, {"enum": [0, 1]}])
    kinds = [schema["type"]] if isinstance(schema["type"], str) else schema["type"]
    return {**schema, "type": [*kinds, "boolean"]}


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
