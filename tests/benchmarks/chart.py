"""Bars as an SVG for docs/performance.md, drawn from what was measured."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

_WIDTH, _LEFT, _BAR, _GAP, _HEAD = 720, 110, 22, 8, 34
_OURS, _OTHERS = "#2f6fde", "#9aa5b1"


def chart(groups: Mapping[str, Mapping[str, float]]) -> str:
    """A group of bars for each model: requests a second at 16 connections, each group to its own scale."""
    parts: list[str] = []
    y = 26.0
    parts.append(_text(12, y, "Requests a second, one row each, 16 connections, one worker", size=15, bold=True))
    for group, rates in groups.items():
        y += _HEAD
        parts.append(_text(12, y, group, size=13, bold=True))
        y += 10
        most = max(rate for side, rate in rates.items() if side != "echo")
        for side, rate in sorted(rates.items(), key=lambda one: -one[1]):
            if side == "echo":  # answers nothing, so it is no rival; the table has it
                continue
            length = max(1.0, (_WIDTH - _LEFT - 150) * rate / most)
            colour = _OURS if side == "mlpack" else _OTHERS
            parts.append(f'<rect x="{_LEFT}" y="{y:.0f}" width="{length:.1f}" height="{_BAR}" rx="3" fill="{colour}"/>')
            parts.append(_text(_LEFT - 8, y + 16, side, anchor="end"))
            times = f"  ({rate / rates['Flask']:.1f} x Flask)" if side == "mlpack" else ""
            parts.append(_text(_LEFT + length + 8, y + 16, f"{rate:,.0f}{times}"))
            y += _BAR + _GAP
    height = y + 14
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height:.0f}" viewBox="0 0 {_WIDTH} {height:.0f}" '
        f'font-family="Helvetica, Arial, sans-serif">\n<rect width="100%" height="100%" fill="white"/>\n'
        + "\n".join(parts)
        + "\n</svg>\n"
    )


def _text(x: float, y: float, text: str, *, size: int = 13, bold: bool = False, anchor: str = "start") -> str:
    weight = ' font-weight="bold"' if bold else ""
    return f'<text x="{x:.0f}" y="{y:.0f}" font-size="{size}" text-anchor="{anchor}"{weight} fill="#1f2933">{escape(text)}</text>'
