"""The one place that prints: tables, progress, JSON documents, failures."""

from __future__ import annotations

import json as json_module
import os
import shutil
import sys
import traceback
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from mlpack.errors import InterruptedByUser, MlpackError
from mlpack.shown import shown, shown_json, shown_lines

if TYPE_CHECKING:
    from rich.console import Console as RichConsole

    from mlpack.artifacts.progress import OnProgress


class Console:
    """What a command says, line by line; whatever is in a line is only read, never obeyed (mlpack.shown).

    With `json` stdout carries one document and nothing else; all the rest goes to stderr. With `quiet` only what `brief` is
    given, warnings and failures are left.
    """

    def __init__(self, *, json: bool = False, quiet: bool = False) -> None:
        self.json = json
        self.quiet = quiet

    @property
    def interactive(self) -> bool:
        """Whether somebody can be asked: stdin and stderr are a terminal."""
        return sys.stdin.isatty() and sys.stderr.isatty()

    def confirm(self, question: str) -> None:
        """Ask at the terminal, and return for a yes. Raises InterruptedByUser for a no, which is the default."""
        import typer

        if not typer.confirm(question, err=True):
            raise InterruptedByUser("not confirmed", hint="Nothing was changed; --yes confirms in advance.")

    def document(self, data: Any) -> None:
        """Prints the command's JSON document, when one was asked for."""
        if self.json:
            text = json_module.dumps(data, indent=2, ensure_ascii=False, allow_nan=False)
            sys.stdout.write(shown_json(text) + "\n")
            sys.stdout.flush()  # `mlpack run --json` stays, and its reader waits for this

    def text(self, line: str = "") -> None:
        """A line of the answer, for people."""
        if not self.json and not self.quiet:
            sys.stdout.write(shown(line) + "\n")
            sys.stdout.flush()

    def brief(self, line: str) -> None:
        """The one line that --quiet leaves of an answer."""
        if self.quiet and not self.json:
            sys.stdout.write(shown(line) + "\n")
            sys.stdout.flush()

    def note(self, line: str) -> None:
        """A line about the work, not its answer."""
        if not self.quiet:
            sys.stderr.write(shown(line) + "\n")
            sys.stderr.flush()

    def warn(self, line: str) -> None:
        """A note that should not be missed."""
        self._err().print(shown(f"warning: {line}"), style="yellow", markup=False, highlight=False, soft_wrap=True)

    def table(self, rows: Iterable[Sequence[str]], *, header: Sequence[str] = (), styles: Sequence[str] = ()) -> None:
        """Rows under a header; coloured and fitted on a terminal, plain and each on one line elsewhere."""
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
        """A calm display of long work on stderr: live on a terminal, one plain line a finished step elsewhere."""
        if self.quiet:
            yield lambda _: None
            return
        from mlpack.cli.output.progress import live, plain

        # FORCE_COLOR makes rich take a pipe for a terminal; what moves is for real ones, that know how to go back a line.
        err = self._err() if sys.stderr.isatty() and not self.json else None
        with plain() if err is None or err.is_dumb_terminal else live(err, title) as on_progress:
            yield on_progress

    def failure(self, error: MlpackError) -> int:
        """Tells a failure, and gives its exit code."""
        if self.json:
            told = {"code": error.code, "exit": error.exit, "message": error.message, "hint": error.hint}
            self.document({**error.document, "error": told})
        err = self._err()
        if error.detail:
            detail = "\n".join(shown_lines(error.detail.rstrip()))
            err.print(detail, style="dim", markup=False, highlight=False, soft_wrap=True)
        if not self.json:
            message = shown(f"error: {error.message}")
            err.print(message, style="bold red", markup=False, highlight=False, soft_wrap=True)
            if error.hint:
                err.print(shown(f"  {error.hint}"), markup=False, highlight=False, soft_wrap=True)
        return error.exit

    def bug(self, error: Exception) -> int:
        """Tells a failure that is ours: with its trace, for the report."""
        for line in shown_lines("".join(traceback.format_exception(error))):
            sys.stderr.write(line + "\n")
        name = type(error).__name__
        return self.failure(
            MlpackError(
                f"mlpack failed: {name}: {error}", hint="This is our bug. Please report it with the trace above."
            )
        )

    def _err(self) -> RichConsole:
        from rich.console import Console as RichConsole

        return RichConsole(stderr=True, emoji=False, width=None if sys.stderr.isatty() else 200)


def coloured() -> bool:
    """Whether a terminal gets colours: NO_COLOR (https://no-color.org) and a dumb one say no."""
    return not os.environ.get("NO_COLOR") and os.environ.get("TERM", "").lower() not in {"dumb", "unknown"}
