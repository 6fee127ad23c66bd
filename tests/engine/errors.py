"""The one failure of the test engine: a sentence and its remedy."""

from __future__ import annotations


class EngineError(Exception):
    """What happened, and what to do now."""

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(f"{what} {remedy}")
