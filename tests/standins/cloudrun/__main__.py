"""`python -m tests.standins.cloudrun start | stop | serve`."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from .launch import EngineError, end, start


def main() -> int:
    """Read the command line and do it; `start` prints export lines and nothing else on stdout."""
    parser = argparse.ArgumentParser(prog="python -m tests.standins.cloudrun", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("start", help="let the stand-in and the engine run; print export lines")
    commands.add_parser("stop", help="end the stand-in and its containers")
    serve = commands.add_parser("serve", help="be the stand-in, in the foreground")
    serve.add_argument("--folder", type=Path, required=True)
    serve.add_argument("--port", type=int, required=True)
    serve.add_argument("--registry-port", type=int, required=True)
    given = parser.parse_args()
    try:
        if given.command == "start":
            sys.stdout.write(start(os.environ))
        elif given.command == "stop":
            end(os.environ)
        else:
            from .standin import StandIn

            StandIn(given.folder, given.port, given.registry_port, os.environ).run()
    except EngineError as error:
        print(f"cloudrun: error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
