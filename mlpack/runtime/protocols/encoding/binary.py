"""Bytes that are no text, as JSON can carry them: `{"b64": ...}`, TensorFlow Serving's word for them."""

from __future__ import annotations

import base64
import binascii
from typing import Dict, Union

from ...errors import BadInputError
from .casting import shown

Marked = Dict[str, str]


def as_text(data: bytes) -> Union[str, bytes]:
    """The text that the bytes are in UTF-8; the bytes themselves where they are none."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data


def as_json(data: bytes) -> Union[str, Marked]:
    """The text that the bytes are in UTF-8, else `{"b64": ...}`."""
    text = as_text(data)
    return text if isinstance(text, str) else marked(data)


def marked(data: bytes) -> Marked:
    """`{"b64": ...}`."""
    return {"b64": to_base64(data)}


def to_base64(data: bytes) -> str:
    """Base64 of the standard alphabet, in one line."""
    return base64.b64encode(data).decode("ascii")


def from_base64(text: str, where: str) -> bytes:
    """What the Base64 stands for; raises BadInputError, whose message says `where` it was."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadInputError(f"{where}: {shown(text)} is not Base64") from error
