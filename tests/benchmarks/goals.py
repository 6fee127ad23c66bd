"""Goals of a benchmark that serves requests: Goal, and the table that says which are met."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Goal:
    """A promise about two sides' figures of one run: `value` is held against `limit`, from below or above."""

    name: str
    value: float
    limit: float
    at_least: bool
    unit: str = "x"

    @property
    def met(self) -> bool:
        """Whether it is kept."""
        return self.value >= self.limit if self.at_least else self.value <= self.limit

    def to_json(self) -> dict[str, Any]:
        """The goal and whether it is met."""
        return {**asdict(self), "met": self.met}


def goal_table(goals: Sequence[Goal], title: str) -> str:
    """Each goal, what was measured, whether it is met."""
    lines = [f"\n{title:<60}{'measured':>14}{'promised':>16}"]
    for goal in goals:
        promised = f"{'>=' if goal.at_least else '<='} {goal.limit:g} {goal.unit}"
        measured = f"{goal.value:,.2f} {goal.unit}"
        lines.append(f"{goal.name:<60}{measured:>14}{promised:>16}  {'met' if goal.met else 'MISSED'}")
    return "\n".join(lines)
