"""Rows that are flat JSON objects with any keys, as scikit-learn's DictVectorizer takes them."""

from __future__ import annotations

from typing import Any, Dict, List

from ...errors import BadInputError, BadJsonError
from ...models.predictor import Array
from .casting import shown
from .text import parse

EXPECTED = "an object; each value is a text, a number, a boolean, null, or a list of texts"
_PLAIN = {str, int, float, bool, type(None)}
_PLAIN_SCHEMA = {"type": ["string", "number", "boolean", "null"]}
SCHEMA: Dict[str, Any] = {
    "type": "object",
    "additionalProperties": {"anyOf": [_PLAIN_SCHEMA, {"type": "array", "items": {"type": "string"}}]},
}


def check_objects(rows: List[Any]) -> None:
    """Raise BadInputError for a row that is no such object."""
    for number, row in enumerate(rows):
        if type(row) is not dict:
            raise BadInputError(f"row {number}: expected {EXPECTED}; got {shown(row)}")
        if _PLAIN.issuperset(map(type, row.values())):
            continue
        for key, value in row.items():
            texts = type(value) is list and {str}.issuperset(map(type, value))
            if type(value) not in _PLAIN and not texts:
                raise BadInputError(f"row {number}, key {shown(key)}: expected {EXPECTED}; got {shown(value)}")


def read_objects(texts: Array) -> List[Any]:
    """The rows in JSON texts, one in each, as binary contracts bring them; raises BadInputError."""
    rows = [_read(number, text) for number, text in enumerate(texts.ravel().tolist())]
    check_objects(rows)
    return rows


def _read(number: int, text: Any) -> Any:
    try:
        return parse(text.encode("utf-8", "surrogatepass") if isinstance(text, str) else bytes(text or b""))
    except BadJsonError as error:
        raise BadInputError(f"row {number}: expected the JSON text of an object ({error.message})") from error
