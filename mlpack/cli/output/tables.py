"""A table as lines of text: aligned where there is room, folded between words where there is not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

_GAP = 2
_NARROWEST = 24  # cells that a folded column keeps; with less it goes below the others
_INDENT = "    "
_SGR = {"bold": "\x1b[1m{}\x1b[0m", "dim": "\x1b[2m{}\x1b[0m"}


def lines_of(
    rows: Sequence[Sequence[str]], *, header: Sequence[str] = (), styles: Sequence[str] = (), width: int | None = None
) -> Iterator[str]:
    """The lines of a table in a terminal of `width` cells; None has room for everything.

    Only the last column folds, and only between words: an id or a reference stays whole, so that it can be copied, and
    the terminal breaks it where it must. `styles` name a column's look: bold, dim or nothing.
    """
    titled = [list(header), *map(list, rows)] if header else [list(row) for row in rows]
    columns = max(map(len, titled), default=0)
    widths = [max((_cells(row[at]) for row in titled if at < len(row)), default=0) for at in range(columns)]
    before = sum(widths[:-1]) + _GAP * max(0, columns - 1)
    for number, row in enumerate(titled):
        looks = ["bold"] * columns if header and styles and not number else [*styles, *([""] * columns)]
        *cells, last = [*row, *([""] * (columns - len(row)))] if columns else [""]
        start = "".join(
            _styled(cell, look) + " " * (widths[at] - _cells(cell) + _GAP)
            for at, (cell, look) in enumerate(zip(cells, looks, strict=False))
        )
        if width is None or before + _cells(last) <= width:
            yield (start + _styled(last, looks[columns - 1])).rstrip()
        elif width - before >= _NARROWEST:
            parts = _folded(last, width - before)
            yield (start + _styled(parts[0], looks[columns - 1])).rstrip()
            yield from (" " * before + part for part in parts[1:])
        else:
            if any(cells):
                yield "  ".join(_styled(cell, look) for cell, look in zip(cells, looks, strict=False) if cell)
            yield from (_INDENT + part for part in _folded(last, width - len(_INDENT)))


def _folded(text: str, width: int) -> list[str]:
    """The text in lines of at most `width` cells, broken at spaces alone."""
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


def _styled(text: str, look: str) -> str:
    return _SGR[look].format(text) if text and look in _SGR else text
