"""What a build needs from the user: each need is an error and the options that answer it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from shlex import quote

from mlpack.errors import MlpackError, Need


@dataclass(frozen=True)
class Answer:
    """An option that answers a need; without `known`, its value is a placeholder for the user to replace."""

    option: str
    value: str = ""
    known: bool = True

    @property
    def words(self) -> str:
        """The option as it is typed."""
        return f"{self.option} {quote(self.value)}" if self.value else self.option


@dataclass(frozen=True, kw_only=True)
class Unmet:
    """A need that is not met: the error that a build raises for it, and the options that answer it.

    `subjects` are the names, such as modules, that are missing; an error about the same subjects is the same need.
    """

    error: MlpackError
    answers: tuple[Answer, ...] = ()
    subjects: frozenset[str] = frozenset()

    @property
    def shown(self) -> Need:
        """The need for output."""
        return Need(
            code=self.error.code,
            text=self.error.message,
            remedy=self.error.hint,
            option=options_of([self]),
            placeholders=tuple(answer.value for answer in self.answers if not answer.known),
        )

    def repeats(self, others: Iterable[Unmet]) -> bool:
        """Whether one of the others is the same need."""
        same = [one for one in others if one.error.code == self.error.code]
        if self.subjects:
            return self.subjects <= frozenset().union(*(one.subjects for one in same))
        return bool(same)


def options_of(unmet: Iterable[Unmet]) -> str:
    """All answers as words of one command line, without duplicates."""
    return " ".join(dict.fromkeys(answer.words for one in unmet for answer in one.answers))


def command_for(unmet: Sequence[Unmet], command: str) -> str:
    """The command line that answers all needs that an option can answer; "" if there is no such need."""
    options = options_of(unmet)
    return f"{command} {options}" if options else ""


def error_of(unmet: Sequence[Unmet], command: str) -> MlpackError:
    """The first need's error, which lists all needs and the command line that answers them; `command` was typed."""
    error = unmet[0].error
    error.needs = tuple(one.shown for one in unmet)
    error.command = command_for(unmet, command)
    return error
