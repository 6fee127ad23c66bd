"""`python3 -m tests.engine start | stop | base X.Y`."""

from __future__ import annotations

import argparse
import os
import sys

from . import engine
from .bases import SUITES
from .errors import EngineError
from .shell import say


def main() -> int:
    """Read the command line, do it, tell a failure in one place."""
    parser = argparse.ArgumentParser(prog="python3 -m tests.engine", description=engine.__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("start", help="let everything run; print export lines")
    commands.add_parser("stop", help="stop what start started")
    base = commands.add_parser("base", help="let python:X.Y-slim be there")
    base.add_argument("python", choices=SUITES)
    given = parser.parse_args()
    try:
        if given.command == "start":
            sys.stdout.write(engine.start(os.environ))
        elif given.command == "stop":
            engine.stop(os.environ)
        else:
            engine.base(os.environ, given.python)
    except EngineError as error:
        say(f"error: {error}")
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
