"""Text for people: escaping of text from files, logs and answers; first sentences; sizes and durations."""

from __future__ import annotations

import re

# Commands of CI systems in a log: GitHub's `::name::` at the start of a line; `##[name]` and similar ones anywhere.
_FIRST = re.compile(r"^( *):(?=:)")
_ANYWHERE = re.compile(r"##(?=\w*\[)")


def shown(text: str) -> str:
    """A text on one line that no terminal or CI system interprets as a command.

    Line ends, control characters, zero-width characters and changes of the writing direction become visible as Python
    escapes.
    """
    if not text.isprintable():
        text = "".join(char if char.isprintable() else _escaped(char) for char in text)
    if "::" in text:
        text = _FIRST.sub(r"\1\\x3a", text)
    return _ANYWHERE.sub(r"#\\x23", text) if "##" in text else text


def shown_lines(text: str) -> list[str]:
    """The lines of a text, such as a log, each escaped."""
    return [shown(line.expandtabs(4)) for line in text.splitlines()]


def shown_json(text: str) -> str:
    """An equivalent JSON document that is safe on a terminal and in a CI log."""
    if not text.isascii():
        text = "".join(char if char == "\n" or char.isprintable() else _json_escaped(char) for char in text)
    return _ANYWHERE.sub(r"#\\u0023", text) if "##" in text else text


def _escaped(char: str) -> str:
    return ascii(char)[1:-1]


def _json_escaped(char: str) -> str:
    units = char.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))


def first_sentence(text: str, longest: int = 160) -> str:
    """The first sentence of a message, cut to a length for a cell of a table."""
    sentence = re.split(r"(?<=[.!?])\s+(?=[^a-z\s])|\n", text.strip(), maxsplit=1)[0].rstrip()
    return sentence if len(sentence) <= longest else f"{sentence[: longest - 1]}\N{HORIZONTAL ELLIPSIS}"


def human_size(size: float) -> str:
    """Bytes for people, in decimal units as registries count: 12.3 MB."""
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000 or unit == "GB":
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    raise AssertionError(size)


def human_seconds(seconds: float) -> str:
    """Seconds for people: 0.4 s, 12 s, 2 min 05 s."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    return f"{seconds:.0f} s" if seconds < 60 else f"{int(seconds // 60)} min {int(seconds % 60):02d} s"
