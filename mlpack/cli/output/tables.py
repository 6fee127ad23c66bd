"""A table as lines of text, aligned, with long cells of the last column wrapped at spaces."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

_GAP = 2
_NARROWEST = 24  # columns of the terminal for a wrapped cell; with less, it is printed below the others
_INDENT = "    "
_SGR = {"bold": "\x1b[1m{}\x1b[0m", "dim": "\x1b[2m{}\x1b[0m"}


def lines_of(
    rows: Sequence[Sequence[str]], *, header: Sequence[str] = (), styles: Sequence[str] = (), width: int | None = None
) -> Iterator[str]:
    """The lines of a table for a terminal of `width` columns; None for no limit.

    Only the last column is wrapped, and only at spaces, so that an id or a reference can be copied. `styles` holds the style
    of each column: bold, dim or "".
    """
    titled = [list(header), *map(list, rows)] if header else [list(row) for row in rows]
    columns = max(map(len, titled), default=0)
    widths = [max((_cells(row[at]) for row in titled if at < len(row)), default=0) for at in range(columns)]
    before = sum(widths[:-1]) + _GAP * max(0, columns - 1)
    for number, row in enumerate(titled):
        column_styles = ["bold"] * columns if header and styles and not number else [*styles, *([""] * columns)]
        *cells, last = [*row, *([""] * (columns - len(row)))] if columns else [""]
        start = "".join(
            _styled(cell, style) + " " * (widths[at] - _cells(cell) + _GAP)
            for at, (cell, style) in enumerate(zip(cells, column_styles, strict=False))
        )
        if width is None or before + _cells(last) <= width:
            yield (start + _styled(last, column_styles[columns - 1])).rstrip()
        elif width - before >= _NARROWEST:
            parts = _wrapped(last, width - before)
            yield (start + _styled(parts[0], column_styles[columns - 1])).rstrip()
            yield from (" " * before + part for part in parts[1:])
        else:
            if any(cells):
                yield "  ".join(_styled(cell, style) for cell, style in zip(cells, column_styles, strict=False) if cell)
            yield from (_INDENT + part for part in _wrapped(last, width - len(_INDENT)))


def _wrapped(text: str, width: int) -> list[str]:
    """The text in lines of at most `width` columns, broken at spaces only."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".lstrip()
        if _cells(longer) <= width or not lines[-1]:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


def _cells(text: str) -> int:
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def _styled(text: str, style: str) -> str:
    return _SGR[style].format(text) if text and style in _SGR else text
