"""The only place that prints: tables, progress, JSON documents, errors."""

from __future__ import annotations

import json as json_module
import os
import shutil
import sys
import traceback
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from mlpack.errors import InterruptedByUser, MlpackError, Need
from mlpack.shown import shown, shown_json, shown_lines

if TYPE_CHECKING:
    from rich.console import Console as RichConsole

    from mlpack.artifacts.progress import OnProgress


class Console:
    """The output of a command. Control sequences in a line are escaped, for terminals and CI systems (mlpack.shown).

    With `json`, stdout gets one document and nothing else; all other output goes to stderr. With `quiet`, only the lines
    for `brief`, warnings and errors are printed.
    """

    def __init__(self, *, json: bool = False, quiet: bool = False) -> None:
        self.json = json
        self.quiet = quiet

    @property
    def interactive(self) -> bool:
        """Whether a confirmation is possible: stdin and stderr are a terminal."""
        return sys.stdin.isatty() and sys.stderr.isatty()

    def confirm(self, question: str) -> None:
        """Ask for confirmation at the terminal. Raises InterruptedByUser unless the answer is yes."""
        import typer

        if not typer.confirm(question, err=True):
            raise InterruptedByUser("not confirmed", hint="Nothing was changed; --yes confirms in advance.")

    def document(self, data: Any) -> None:
        """Print the command's JSON document, with `json` only."""
        if self.json:
            text = json_module.dumps(data, indent=2, ensure_ascii=False, allow_nan=False)
            sys.stdout.write(shown_json(text) + "\n")
            sys.stdout.flush()  # `mlpack run --json` continues to run, and its caller waits for the document

    def text(self, line: str = "") -> None:
        """Print a line of the result, for people."""
        if not self.json and not self.quiet:
            sys.stdout.write(shown(line) + "\n")
            sys.stdout.flush()

    def brief(self, line: str) -> None:
        """Print the one line of the result that --quiet prints."""
        if self.quiet and not self.json:
            sys.stdout.write(shown(line) + "\n")
            sys.stdout.flush()

    def note(self, line: str) -> None:
        """Print a detail on stderr."""
        if not self.quiet:
            sys.stderr.write(shown(line) + "\n")
            sys.stderr.flush()

    def warn(self, line: str) -> None:
        """Print a warning on stderr."""
        self._err().print(shown(f"warning: {line}"), style="yellow", markup=False, highlight=False, soft_wrap=True)

    def table(self, rows: Iterable[Sequence[str]], *, header: Sequence[str] = (), styles: Sequence[str] = ()) -> None:
        """Print rows under a header: on a terminal coloured and fitted to its width, else one line each."""
        if self.json or self.quiet:
            return
        from mlpack.cli.output.tables import lines_of

        terminal = sys.stdout.isatty()
        clean = [[shown(cell) for cell in row] for row in rows]
        lines = lines_of(
            clean,
            header=header,
            styles=styles if terminal and coloured() else (),
            width=shutil.get_terminal_size().columns if terminal else None,
        )
        sys.stdout.write("".join(f"{line}\n" for line in lines))
        sys.stdout.flush()

    @contextmanager
    def progress(self, title: str) -> Iterator[OnProgress]:
        """Display progress on stderr: live on a terminal, else one line per finished step."""
        if self.quiet:
            yield lambda _: None
            return
        from mlpack.cli.output.progress import live, plain

        # FORCE_COLOR makes rich treat a pipe as a terminal, but a live display needs cursor movements.
        err = self._err() if sys.stderr.isatty() and not self.json else None
        with plain() if err is None or err.is_dumb_terminal else live(err, title) as on_progress:
            yield on_progress

    def failure(self, error: MlpackError) -> int:
        """Print an error, and return its exit code."""
        if self.json:
            failure: dict[str, Any] = {
                "code": error.code, "exit": error.exit, "message": error.message, "hint": error.hint
            }  # fmt: skip
            if error.needs:
                failure |= {"needs": [one.to_json() for one in error.needs], "command": error.command}
            self.document({**error.document, "error": failure})
        err = self._err()
        if error.detail:
            detail = "\n".join(shown_lines(error.detail.rstrip()))
            err.print(detail, style="dim", markup=False, highlight=False, soft_wrap=True)
        if not self.json and len(error.needs) > 1:
            message = f"error: {len(error.needs)} things are needed from you:"
            err.print(message, style="bold red", markup=False, highlight=False, soft_wrap=True)
            for line in needs_lines(error.needs, error.command):
                err.print(shown(line), markup=False, highlight=False, soft_wrap=True)
        elif not self.json:
            message = shown(f"error: {error.message}")
            err.print(message, style="bold red", markup=False, highlight=False, soft_wrap=True)
            if error.hint:
                err.print(shown(f"  {error.hint}"), markup=False, highlight=False, soft_wrap=True)
            for line in command_lines(error.needs, error.command):
                err.print(shown(line), markup=False, highlight=False, soft_wrap=True)
        return error.exit

    def bug(self, error: Exception) -> int:
        """Print an unexpected exception with its traceback, and return the exit code."""
        for line in shown_lines("".join(traceback.format_exception(error))):
            sys.stderr.write(line + "\n")
        name = type(error).__name__
        return self.failure(
            MlpackError(
                f"mlpack failed: {name}: {error}",
                hint="This is a bug in mlpack. Please report it, with the traceback above.",
            )
        )

    def _err(self) -> RichConsole:
        from rich.console import Console as RichConsole

        return RichConsole(stderr=True, emoji=False, width=None if sys.stderr.isatty() else 200)


def needs_lines(needs: Sequence[Need], command: str) -> Iterator[str]:
    """What a build needs, each with its remedy, and the command line that answers it all."""
    for number, need in enumerate(needs, 1):
        yield f"  {number}. {need.text}"
        if need.remedy:
            yield f"     {need.remedy}"
    yield from command_lines(needs, command)


def command_lines(needs: Sequence[Need], command: str) -> Iterator[str]:
    """The command line that answers the needs, and what to replace in it."""
    if command:
        answered = sum(bool(need.option) for need in needs)
        what = "it" if len(needs) == 1 else "all of it" if answered == len(needs) else f"{answered} of the {len(needs)}"
        placeholders = " and ".join(dict.fromkeys(value for need in needs for value in need.placeholders))
        yield f"  This answers {what}{f' (replace {placeholders})' if placeholders else ''}:"
        yield f"    {command}"


def coloured() -> bool:
    """Whether to print colours on a terminal: not with NO_COLOR (https://no-color.org) or on a dumb terminal."""
    return not os.environ.get("NO_COLOR") and os.environ.get("TERM", "").lower() not in {"dumb", "unknown"}
