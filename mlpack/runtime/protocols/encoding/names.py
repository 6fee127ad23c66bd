"""Column names of a request matched to those of the model: dropped columns are left out, blanks are underscores."""

from __future__ import annotations

from typing import Any, Dict, FrozenSet, Iterable, List, NamedTuple, Sequence

from .casting import shown


class Matched(NamedTuple):
    """`found` is the request's name of each of the model's columns that it has; the other two are what does not fit."""

    found: Dict[str, str]
    missing: List[str]
    unknown: List[Any]

    @property
    def fits(self) -> bool:
        """Whether the request has all columns of the model, and no others than those that training had."""
        return not self.missing and not self.unknown

    def said(self, noun: str = "") -> str:
        """What does not fit, in words; `noun` says what the names are."""
        both = [(word, names) for word, names in (("missing", self.missing), ("unknown", self.unknown)) if names]
        return "; ".join(f"{word} {_plural(noun, len(names))}{_listed(names)}" for word, names in both)


class ColumnNames:
    """The columns of a model, and those that only training had (`trained` holds both, in their order)."""

    def __init__(self, names: Sequence[str], trained: Sequence[str] = ()) -> None:
        self.names = tuple(names)
        self.trained = tuple(trained)
        self._known: FrozenSet[str] = frozenset(names) | frozenset(trained)
        # LightGBM writes a blank in a name as an underscore, so clients have the one name and the file has the other.
        self._written = {_underscored(name): name for name in (*trained, *names)}

    def matched(self, given: Iterable[Any]) -> Matched:
        """The model's columns among the names of a request; exact names come first."""
        own = {name: name for name in given if name in self._known}
        unknown: List[Any] = []
        for name in given:
            if name in own:
                continue
            meant = self._written.get(_underscored(name)) if isinstance(name, str) else None
            if meant is None or meant in own:
                unknown.append(name)
            else:
                own[meant] = name
        found = {name: own[name] for name in self.names if name in own}
        return Matched(found, [name for name in self.names if name not in found], unknown)


def _underscored(name: str) -> str:
    return name.replace(" ", "_")


def _plural(noun: str, count: int) -> str:
    return f"{noun}{'s' if count > 1 else ''} " if noun else ""


def _listed(names: Sequence[Any]) -> str:
    more = f" and {len(names) - 10} more" if len(names) > 10 else ""
    return ", ".join(map(shown, names[:10])) + more
