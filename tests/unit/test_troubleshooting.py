"""Every message that docs/troubleshooting.md quotes is a message of the code."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
QUOTED = re.findall(
    r"^### `(.+)`$", (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8"), flags=re.MULTILINE
)
VALUE = "\0"  # a value in a text


@cache
def texts() -> list[str]:
    """Every text in the code but docstrings, with its formatted values replaced."""
    found = []
    for path in sorted((ROOT / "mlpack").rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        found += [text_of(node) for node in ast.walk(tree) if id(node) not in docstrings]
    return [text for text in found if text]


def text_of(node: ast.AST) -> str:
    """A text as it is written, with the texts in its formatted values, such as those of a list; "" for other code."""
    if isinstance(node, ast.JoinedStr):
        return "".join(text_of(one) for one in node.values)
    if isinstance(node, ast.FormattedValue):
        return VALUE + "".join(text_of(one) for one in ast.walk(node.value) if isinstance(one, ast.JoinedStr)) + VALUE
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def pattern(message: str) -> re.Pattern[str]:
    """The quoted message as an expression: `...` is one value of the text, or any part of it."""
    return re.compile(".*".join(map(re.escape, message.replace("`", "").split("..."))), re.DOTALL)


@pytest.mark.parametrize("message", QUOTED)
def test_a_quoted_message_is_in_the_code(message: str) -> None:
    """In one text, in the same order; a message that changes there changes here."""
    fixed = [part for part in message.split("...") if part.strip()]
    assert fixed
    wanted = pattern(message)
    assert any(wanted.search(text.replace("`", "")) for text in texts())


def test_the_commonest_are_there() -> None:
    """Twenty messages, each once."""
    assert len(QUOTED) == len(set(QUOTED)) == 20
