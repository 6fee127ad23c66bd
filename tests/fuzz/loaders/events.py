"""What a real loader reached while it read a file: names, files, calls, and every other event of Python's audit hook."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

# Audit events that read or do nothing outside the process: all others are effects.
_HARMLESS = frozenset(
    [
        "array.__new__",
        "builtins.id",
        "gc.get_objects",
        "gc.get_referents",
        "gc.get_referrers",
        "mmap.__new__",
        "object.__delattr__",
        "object.__getattr__",
        "object.__setattr__",
        "sys._getframe",
        "sys._getframemodulename",
        "sys.excepthook",
        "sys.unraisablehook",
    ]
)
_MOST = 2000  # events of one loader and file


class StoppedError(BaseException):
    """An effect that a loader was about to have; a BaseException, so that no loader takes it for a broken file."""


class Events:
    """The record of one loader. While `armed`, effects are recorded and stopped."""

    def __init__(self) -> None:
        self.armed = False
        self.allowed: frozenset[str] = frozenset()  # paths that the loader may open
        self.found: dict[str, None] = {}  # each event once, as JSON, in order

    def begin(self, allowed: frozenset[str]) -> None:
        """Forget the last file and watch the next."""
        self.found, self.allowed, self.armed = {}, allowed, True

    def end(self) -> list[list[str]]:
        """What was recorded: ["global", module, name], ["effect", event, detail], ["call", class, attribute]."""
        self.armed = False
        return [json.loads(one) for one in self.found]

    def add(self, *event: str) -> None:
        """Record an event."""
        if len(self.found) < _MOST:
            self.found[json.dumps(event)] = None

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Do what the harness itself needs, such as an import."""
        before, self.armed = self.armed, False
        try:
            yield
        finally:
            self.armed = before

    def watch(self) -> None:
        """Put the audit hook in; it stays until the process ends."""
        sys.addaudithook(self._hook)

    def _hook(self, event: str, args: tuple[Any, ...]) -> None:
        if not self.armed or event in _HARMLESS:
            return
        if event == "open" and self._may_open(args[0]):
            return
        # What only parses (ast.parse, ast.literal_eval) names its source so; to run it would be an event of its own.
        if event == "compile" and args[1] in ("<unknown>", b"<unknown>"):
            return
        if event == "import" and str(args[0]).startswith(
            "encodings."
        ):  # a codec by its name: only Python's own are found
            raise ImportError(args[0])
        if event == "pickle.find_class":  # an unpickler that the harness did not replace
            self.add("global", str(args[0]), str(args[1]))
            return
        with self.paused():
            self.add("effect", event, ascii(args)[:200])
        raise StoppedError(event)

    def _may_open(self, path: Any) -> bool:
        if isinstance(path, int):
            return True
        return os.path.realpath(os.fsdecode(path)) in self.allowed
