"""Check formulas of statistical models, which run as code when the model is loaded: only arithmetic is allowed.

The grammar is the common part of patsy's and formulaic's formulas that real models use. Everything else is refused:
lambda and all other keywords, subscripts, braces, backticks, comments, assignment expressions, shifts and matrix products,
texts with a prefix, with three quotes or with backslashes, attributes other than the listed functions of numpy and of
`contr`, names with double underscores, and names that Python normalises (NFKC).
"""

from __future__ import annotations

import keyword
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

_LONGEST = 20_000
_DEEPEST = 40
_MOST_POWER = 100  # the largest exponent; larger ones could use all memory

# Functions of patsy and formulaic, and elementwise functions of numpy.
_CONTRASTS = frozenset({"Treatment", "Sum", "Diff", "Poly", "Helmert", "contr.treatment", "contr.sum"})
_OWN = _CONTRASTS | {
    "C", "I", "Q", "center", "scale", "standardize", "bs", "cr", "cc", "cs", "te", "poly", "lag", "log", "log2", "log10",
    "exp", "sqrt", "abs",
}  # fmt: skip
_NUMPY = frozenset({
    "abs", "cbrt", "clip", "cos", "exp", "expm1", "fabs", "floor", "ceil", "log", "log10", "log1p", "log2", "maximum",
    "minimum", "power", "sign", "sin", "sqrt", "square", "tan", "tanh", "where",
})  # fmt: skip
_CALLED = _OWN | {f"{module}.{name}" for module in ("np", "numpy") for name in _NUMPY}
_KEYWORDS = frozenset({
    "df", "knots", "degree", "include_intercept", "lower_bound", "upper_bound", "extrapolation", "constraints", "levels",
    "contrast", "reference", "base", "drop", "scores", "omit", "center", "rescale", "ddof", "raw", "lag", "a_min", "a_max",
})  # fmt: skip
_VALUES = frozenset({"True", "False", "None"})

_BINARY = frozenset({"+", "-", "*", "/", "//", "%", "**", "^", "|", "&", "==", "!=", "<", ">", "<=", ">="})
_OF_FORMULAS = frozenset({"~", ":", "%in%"})  # only outside of calls
_UNARY = frozenset({"+", "-", "~"})
_COMPARED = frozenset({"==", "!="})

Kind = Literal["name", "number", "text", "operator", "end"]
_TOKEN = re.compile(
    r"[ \t\n]*(?:"
    r"(?P<number>(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)"
    r"|(?P<name>[^\W\d]\w*(?:\.[^\W\d]\w*)*)"
    r"|(?P<text>'[^'\\`\n]*'|\"[^\"\\`\n]*\")"
    r"|(?P<operator>%in%|\*\*|//|==|!=|<=|>=|[-+*/%^|&<>~:(),=.\[\]])"
    r"|(?P<end>\Z))"
)
_ODD = re.compile(r":=|<<|>>|<>|->|'''|\"\"\"")  # single tokens in Python that the grammar does not have
_GLUED = re.compile(r"[\w.'\"`]")  # directly after a name, a number or a text: a prefix or another kind of number


class _RefusedError(Exception):
    """The formula contains something that is not in the grammar."""


@dataclass(frozen=True, kw_only=True)
class _Token:
    kind: Kind
    text: str


def objection(formula: str) -> str | None:
    """Why a formula is refused, in a few words; None when it matches the grammar."""
    try:
        _Parser(list(_tokens(formula))).formula()
    except _RefusedError as refused:
        return str(refused)
    return None


def _tokens(formula: str) -> Iterator[_Token]:
    if len(formula) > _LONGEST:
        raise _RefusedError(f"it is longer than {_LONGEST} characters")
    place = 0
    while True:
        found = _TOKEN.match(formula, place)
        if found is None:
            raise _RefusedError(f"{formula[place:].lstrip()[:20]!r} is not in the grammar")
        token = _Token(kind=found.lastgroup, text=found[found.lastgroup])  # type: ignore[arg-type,index]  # one always matches
        start, place = found.start(found.lastgroup or 0), found.end()
        _check_token(token, formula, start, place)
        yield token
        if token.kind == "end":
            return


def _check_token(token: _Token, formula: str, start: int, end: int) -> None:
    if odd := _ODD.match(formula, start):
        raise _RefusedError(f"{odd[0]!r} is not in the grammar")
    if token.kind in ("name", "number", "text") and _GLUED.match(formula, end):
        raise _RefusedError(f"{formula[start : end + 1][:40]!r} is not in the grammar")
    if token.kind == "name":
        _check_name(token.text)
    elif token.kind == "text" and not _balanced(token.text):
        # formulaic searches for the end of a call without regard to quotes.
        raise _RefusedError(f"the text {token.text[:40]!r} opens or closes a bracket")


def _check_name(name: str) -> None:
    if "__" in name:
        raise _RefusedError(f"the name {name[:40]!r} contains double underscores")
    if unicodedata.normalize("NFKC", name) != name:
        raise _RefusedError(f"Python reads the name {name[:40]!r} as another one")
    for part in name.split("."):
        if not part.isidentifier() or (keyword.iskeyword(part) and part not in _VALUES):
            raise _RefusedError(f"{part[:40]!r} is not a valid name")


def _balanced(text: str) -> bool:
    waiting: list[str] = []
    for char in text:
        if char in "([{":
            waiting.append({"(": ")", "[": "]", "{": "}"}[char])
        elif char in ")]}" and (not waiting or waiting.pop() != char):
            return False
    return not waiting


_Value = Literal["number", "constant", "variable"]


class _Parser:
    """A recursive descent parser; its results say whether a part is a constant."""

    def __init__(self, tokens: list[_Token]) -> None:
        self.tokens = tokens
        self.place = 0
        self.depth = 0

    @property
    def next(self) -> _Token:
        return self.tokens[self.place]

    def take(self) -> _Token:
        self.place += 1
        return self.tokens[self.place - 1]

    def accept(self, *operators: str) -> str | None:
        """Consume and return the next operator if it is one of these."""
        if self.next.kind == "operator" and self.next.text in operators:
            return self.take().text
        return None

    def expect(self, operator: str) -> None:
        if self.accept(operator) is None:
            raise _RefusedError(f"{self.next.text or 'the end'!r} instead of {operator!r}")

    def formula(self) -> None:
        """Parse both sides of a formula, to its end."""
        self.expression(called=False)
        if self.next.kind != "end":
            raise _RefusedError(f"{self.next.text[:40]!r} instead of an operator")

    def expression(self, *, called: bool) -> _Value:
        """Parse operands and operators; inside a call without those of formulas."""
        self.depth += 1
        if self.depth > _DEEPEST:
            raise _RefusedError("it is nested too deeply")
        operators = _BINARY if called else _BINARY | _OF_FORMULAS
        found = left = self.operand(called=called)
        while operator := self.accept(*operators):
            if operator in _COMPARED and self.next.kind == "text":
                self.take()
                right: _Value = "number"
            else:
                right = self.operand(called=called)
            if operator == "**":
                right = self.power(left, right)
            left = right
            found = "variable" if "variable" in (found, right) else "constant"
        self.depth -= 1
        return found

    def power(self, base: _Value, exponent: _Value) -> _Value:
        """Check a power whose exponent was just read: a power of constants could use all memory."""
        if self.accept("**"):
            raise _RefusedError("a power of a power")
        if exponent == "constant" and base != "variable":
            raise _RefusedError("a power of constants")
        if exponent == "number":
            last = self.tokens[self.place - 1].text
            if base == "constant" or float(last) > _MOST_POWER:
                raise _RefusedError(f"a power of {last[:20]}")
        return "variable" if "variable" in (base, exponent) else "constant"

    def operand(self, *, called: bool) -> _Value:
        while self.accept(*_UNARY):
            pass
        if self.next.kind == "number":
            self.take()
            return "number"
        if self.accept("("):
            found = self.expression(called=called)
            self.expect(")")
            return "constant" if found == "number" else found
        if not called and self.accept("."):  # formulaic: all other columns
            return "variable"
        if self.next.kind == "text" and self.tokens[self.place + 1].text in _COMPARED:
            self.take()
            return "constant"
        if self.next.kind != "name":
            raise _RefusedError(f"{self.next.text[:40] or 'the end'!r} instead of a column or number")
        return self.named()

    def named(self) -> _Value:
        """Parse a column, or a call of a listed function."""
        name = self.take().text
        if not self.accept("("):
            if "." in name:
                raise _RefusedError(f"it accesses {name[:40]!r}")
            return "constant" if name in _VALUES else "variable"
        if name not in _CALLED:
            raise _RefusedError(f"it calls {name[:40]!r}")
        self.arguments(name)
        return "variable"

    def arguments(self, name: str) -> None:
        """Parse the arguments of a function, to the closing bracket."""
        count = 0
        while not self.accept(")"):
            if count:
                self.expect(",")
                if self.accept(")"):
                    return
            self.argument(name, count)
            count += 1

    def argument(self, function: str, place: int) -> None:
        given = ""
        following = self.tokens[self.place + 1 : self.place + 2]
        if self.next.kind == "name" and following and following[0].text == "=":
            given = self.take().text
            self.take()
            if given not in _KEYWORDS:
                raise _RefusedError(f"it calls {function} with an argument {given[:40]!r}")
        if function == "C" and (place or given) and given != "levels":
            self.contrast()
        elif not self.constants(given or str(place)):
            self.expression(called=True)

    def contrast(self) -> None:
        """Parse C's second argument, which patsy calls if it is callable: a listed class or an object of one."""
        if self.constants(""):
            return
        name = self.take()
        if name.kind != "name" or name.text not in _CONTRASTS:
            raise _RefusedError(f"{name.text[:40] or 'the end'!r} is not a known contrast")
        if self.accept("("):
            self.arguments(name.text)

    def constants(self, given: str) -> bool:
        """Parse a text, or a list or tuple of constants, as a whole argument; False, without consuming it, for others."""
        start = self.place
        if self.next.kind == "text":
            self.take()
            return self.ends(start)
        close = {"[": "]", "(": ")"}.get(self.next.text) if self.next.kind == "operator" else None
        if close is None:
            return False
        self.take()
        count = 0
        while not self.accept(close):
            if count and not self.accept(","):
                return self.back(start)
            if count and self.accept(close):
                break
            self.accept("+", "-")
            value = self.take()
            nested = value.text == "[" and given == ""
            if nested:
                self.place -= 1
                self.constants(given)
            elif value.kind not in ("number", "text") and value.text not in _VALUES:
                return self.back(start)
            count += 1
        return self.ends(start)

    def ends(self, start: int) -> bool:
        return True if self.next.text in (",", ")", "]") else self.back(start)

    def back(self, start: int) -> bool:
        self.place = start
        return False
