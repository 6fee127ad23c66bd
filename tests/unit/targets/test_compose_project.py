"""What compose says, made fit to be shown."""

from __future__ import annotations

from mlpack.targets.compose.project import without_controls


def test_a_log_has_no_commands_for_a_terminal() -> None:
    """As compose 2.26 writes one into a pipe, in spite of --no-color."""
    assert without_controls('\x1b[2Kiris-1  | {"severity": "CRITICAL"}\n') == 'iris-1  | {"severity": "CRITICAL"}\n'
    assert without_controls("\x1b[33miris-1\x1b[0m | [2K stays") == "iris-1 | [2K stays"
