"""TorchScript's source, taken apart: every operator, class of compiled code and attribute that its text names.

torch's own lexer decides what the text means, so only forms are read here that can mean one thing. All others (a
string over several lines, a line that goes on after a backslash, letters outside ASCII) torch never writes: they are `odd`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

_COMMENT = r"\#(?![ ]type:)[^\n]*(?![^\n])"
_BLANKS = rf"[ \t\n]*(?:{_COMMENT}[ \t\n]*)*"
_NAME = r"[A-Za-z_][A-Za-z0-9_]*"
_STEP = rf"{_BLANKS}\.{_BLANKS}{_NAME}"
# A name with all that follows it behind dots; a number (its dot is no step), a string, and what is not looked at.
_TOKEN = re.compile(
    rf"""
    (?P<chain>{_NAME}(?:{_STEP})*|(?:{_STEP})+)
    |(?P<number>[0-9]+(?:\.(?!{_BLANKS}[A-Za-z_]))?[0-9]*|\.[0-9]+)
    |(?P<string>(?!\"\"\"|''')(?:"(?:[^"\\\n]|\\[^\n])*"|'(?:[^'\\\n]|\\[^\n])*'))
    |(?P<rest>(?:[ \t\n()\[\]{{}},:;=+\-*/%<>!&|^~@?]+|{_COMMENT})+)
    """,
    re.VERBOSE,
)
_ONLY_BLANKS = re.compile(_BLANKS, re.VERBOSE)
_PARTS = re.compile(rf"({_NAME})|{_COMMENT}|[ \t\n]+", re.VERBOSE)
_DECLARED = re.compile(r"^[ ]*(?:def[ ]+(\w+)|(\w+)[ ]*:)", re.MULTILINE)
_ESCAPE = re.compile(r"\\(?:([0-7]{1,3})|x([0-9A-Fa-f]{2})|(.))")
_LETTERS = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}
_SPACES = ("torch", "ops", "aten", "prim")
_REMOTE = ("rpc_sync", "rpc_async", "rpc_remote")
_SHOWN = 40


@dataclass(kw_only=True)
class Named:
    """What TorchScript's text names: `operators` by path (`ns::name`), `attributes` behind any dot, `declared` names."""

    operators: set[str] = field(default_factory=set)
    classes: set[str] = field(default_factory=set)
    attributes: set[str] = field(default_factory=set)
    declared: set[str] = field(default_factory=set)
    odd: str = ""  # the first thing that torch does not write

    def read(self, text: str) -> None:
        """Add what one file of source names."""
        place, last, kinds = 0, "", set()
        for one in _TOKEN.finditer(text):
            kind, value = one.lastgroup, one.group()
            if one.start() != place or (kind == "string" and last == "string"):  # two strings side by side are one
                break
            place = one.end()
            if kind != "rest":
                kinds.add((kind, value))
            if kind != "rest" or last != "string" or not _ONLY_BLANKS.fullmatch(value):
                last = kind or ""
        if place != len(text):
            self.odd = self.odd or text[place : place + _SHOWN]
        chains = [tuple(_PARTS.sub(r"\1", text).split(".")) for kind, text in kinds if kind == "chain"]
        for chain in chains:
            self._chain(chain)
        self.declared.update(name for pair in _DECLARED.findall(text) for name in pair if name)
        if any(chain[0] == "getattr" for chain in chains):  # any string may be an attribute's name
            strings = [text for kind, text in kinds if kind == "string"]
            self.attributes.update(_unescaped(text[1:-1]) for text in strings)

    def _chain(self, chain: tuple[str, ...]) -> None:
        """A name and the names behind its dots; without the first where that is a call or another expression."""
        root, *names = chain
        if root == "__torch__" and tuple(names[:2]) == ("torch", "classes"):
            self.classes.add(".".join(chain[:5]))
            self.attributes.update(names[4:])
        elif root in _SPACES:
            self._operator(root, names)
        elif root in _REMOTE:
            self.operators.add(f"prim::{root}")
        else:
            self.attributes.update(names)

    def _operator(self, space: str, names: list[str]) -> None:
        names = list(_without_autograd(names))
        if space == "ops" and names:
            space, *names = names
            names = list(_without_autograd(names))
        space = "aten" if space == "torch" else space
        if names:
            self.operators.add(f"{space}::{names[0]}")
            self.attributes.update(names[1:])
        else:  # the namespace itself as a value: what is taken from it cannot be followed
            self.odd = self.odd or space


def _without_autograd(names: list[str]) -> Iterator[str]:
    """The path without its first steps through `autograd`, which torch takes for the namespace itself."""
    inside = False
    for name in names:
        inside = inside or name != "autograd"
        if inside:
            yield name


def _unescaped(text: str) -> str:
    """A string's value as torch reads it."""

    def value(found: re.Match[str]) -> str:
        octal, two, letter = found.groups()
        return chr(int(octal, 8) if octal else int(two, 16)) if octal or two else _LETTERS.get(letter, letter)

    return _ESCAPE.sub(value, text)
