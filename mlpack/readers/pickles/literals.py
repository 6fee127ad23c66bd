"""Opcodes that push numbers, strings and bytes."""

from __future__ import annotations

import re
import struct
from typing import Any

from mlpack.readers.limits import CutOffError
from mlpack.readers.pickles.bytewindow import LOADER, StuckError
from mlpack.readers.pickles.opcodes import Machine, handles
from mlpack.readers.pickles.values import Blob

HIGHEST_PROTOCOL = 5
_DIGITS = 4000  # of a decimal number; parsing takes quadratic time
_ESCAPE = re.compile(rb"\\(?:x([0-9a-fA-F]{2})|([0-7]{1,3})|(.))", re.DOTALL)
_UNICODE_ESCAPE = re.compile(rb"\\(?:u|U0000)([0-9a-fA-F]{4})")
_BACKSLASH = 0x5C
_ESCAPED = {b"n": b"\n", b"t": b"\t", b"r": b"\r", b"a": b"\a", b"b": b"\b", b"f": b"\f", b"v": b"\v", b"\n": b""}


@handles(b"\x80")
def _proto(m: Machine) -> None:
    first = m.offset - m.began == 1
    (version,) = m.take(1)
    m.headed = m.headed or first or version <= HIGHEST_PROTOCOL  # later in a stream such a byte may be there by chance
    if version > HIGHEST_PROTOCOL:
        raise StuckError(f"it declares pickle protocol {version}; only 0 to {HIGHEST_PROTOCOL} exist")
    m.known_protocol = True
    if not m.outer:
        m.protocol = version


@handles(b"\x95")
def _frame(m: Machine) -> None:
    size = _size(m, "<Q")
    if not m.known_protocol:
        raise CutOffError("a frame comes before any header, which no pickler writes")
    m.enter_frame(size)


@handles(b"N")
def _none(m: Machine) -> None:
    m.stack.append(None)


@handles(b"\x88")
def _true(m: Machine) -> None:
    m.stack.append(True)


@handles(b"\x89")
def _false(m: Machine) -> None:
    m.stack.append(False)


@handles(b"I")
def _int(m: Machine) -> None:
    text = m.line()
    m.stack.append(text == b"01" if text in (b"00", b"01") else _number(text))


@handles(b"L")
def _long(m: Machine) -> None:
    text = m.line(m.limits.kept_text)
    m.stack.append(_number(text[:-1] if text.endswith(b"L") else text))


def _number(text: bytes) -> Any:
    return Blob(kind="int", size=len(text)) if len(text) > _DIGITS else int(text, 0)


@handles(b"\x8a")
def _long1(m: Machine) -> None:
    m.stack.append(int.from_bytes(m.take(m.take(1)[0]), "little", signed=True))


@handles(b"\x8b")
def _long4(m: Machine) -> None:
    size = _size(m, "<i")
    small = size <= _DIGITS
    m.stack.append(int.from_bytes(m.take(size), "little", signed=True) if small else m.blob("int", size))


@handles(b"F")
def _float(m: Machine) -> None:
    m.stack.append(float(m.line()))


@handles(b"S")
def _string(m: Machine) -> None:
    text = m.line(m.limits.output).strip()
    if len(text) < 2 or text[:1] not in (b"'", b'"') or text[-1:] != text[:1]:
        raise ValueError("a string has no quotes")
    text = text[1:-1]
    if b"\\" not in text:
        _push_python2(m, text)
        return
    plain = _ESCAPE.sub(_unescape, text)
    if any(_is_letter(int(found[1], 16) if found[1] else int(found[2] or b"0", 8)) for found in _ESCAPE.finditer(text)):
        _refuse_escape(m)
    _push_python2(m, plain)


def _is_letter(code: int) -> bool:
    return 0x20 < code < 0x7F and code != _BACKSLASH


def _refuse_escape(m: Machine) -> None:
    # No pickler escapes letters; a search of the file for a name (joblib's wrappers) would miss it.
    m.record.dangerous(LOADER, "plain letters of a text are escaped, so that a search of the file does not find it")


def _unescape(match: re.Match[bytes]) -> bytes:
    hexadecimal, octal, letter = match.groups()
    if hexadecimal:
        return bytes([int(hexadecimal, 16)])
    if octal:
        return bytes([int(octal, 8) & 255])
    return _ESCAPED.get(letter, letter if letter in b"\\'\"" else b"\\" + letter)


def _push_python2(m: Machine, data: bytes) -> None:
    # Python 2 wrote text and bytes the same way: ASCII was most likely text.
    if len(data) > m.limits.kept_text:
        m.stack.append(Blob(kind="bytes", size=len(data), head=data[: m.limits.kept_array]))
    else:
        m.stack.append(data.decode("ascii") if data.isascii() else data)


@handles(b"V")
def _unicode(m: Machine) -> None:
    line = m.line(m.limits.output)
    if len(line) > m.limits.kept_text:
        m.stack.append(Blob(kind="str", size=len(line), head=line[: m.limits.kept_array]))
    else:
        if any(_is_letter(int(found[1], 16)) for found in _UNICODE_ESCAPE.finditer(line)):
            _refuse_escape(m)
        m.stack.append(line.decode("raw-unicode-escape") if b"\\" in line else line.decode("latin-1"))


@handles(b"T")
def _binstring(m: Machine) -> None:
    _python2_of_size(m, _size(m, "<i"))


@handles(b"U")
def _short_binstring(m: Machine) -> None:
    _python2_of_size(m, m.take(1)[0])


def _python2_of_size(m: Machine, size: int) -> None:
    m.protocol = m.protocol or 1
    if size > m.limits.kept_array:
        m.stack.append(m.blob("bytes", size))
    else:
        _push_python2(m, m.take(size))


@handles(b"X")
def _binunicode(m: Machine) -> None:
    _text(m, _size(m, "<I"))


@handles(b"\x8c")
def _short_binunicode(m: Machine) -> None:
    _text(m, m.take(1)[0])


@handles(b"\x8d")
def _binunicode8(m: Machine) -> None:
    _text(m, _size(m, "<Q"))


def _text(m: Machine, size: int) -> None:
    m.protocol = m.protocol or 1
    if size > m.limits.kept_text:
        m.stack.append(m.blob("str", size))
    else:
        m.stack.append(m.take(size).decode("utf-8", "surrogatepass"))


@handles(b"B")
def _binbytes(m: Machine) -> None:
    _bytes(m, _size(m, "<I"))


@handles(b"C")
def _short_binbytes(m: Machine) -> None:
    _bytes(m, m.take(1)[0])


@handles(b"\x8e")
def _binbytes8(m: Machine) -> None:
    _bytes(m, _size(m, "<Q"))


def _bytes(m: Machine, size: int) -> None:
    m.stack.append(m.blob("bytes", size) if size > m.limits.kept_array else m.take(size))


@handles(b"\x96")
def _bytearray8(m: Machine) -> None:
    size = _size(m, "<Q")
    m.stack.append(m.blob("bytearray", size) if size > m.limits.kept_array else bytearray(m.take(size)))


def _size(m: Machine, form: str) -> int:
    (size,) = struct.unpack(form, m.take(struct.calcsize(form)))
    if size < 0:
        raise ValueError("a length is negative")
    return int(size)
