"""The entry of the `mlpack` command."""

import os
import signal
import sys


def main() -> None:
    """Runs the command; `--version` alone answers before anything heavy is imported."""
    if sys.argv[1:] in (["--version"], ["-V"]):
        from mlpack.version import __version__

        sys.stdout.write(f"mlpack {__version__}\n")
        return
    # pydantic's search for plugins reads the metadata of every installed package, a sixth of a short command; none is meant.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    from mlpack.cli.app import run

    code = run(sys.argv[1:])
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # all is done: while the interpreter ends, Ctrl-C would be a kill
    # A Ctrl-C inside of text that is executed (dataclasses are made so) is remembered until more text is, and under
    # `python -m` the interpreter would at last kill itself with it, though it was caught, told, and the exit code is known.
    exec("")  # noqa: S102
    sys.exit(code)


if __name__ == "__main__":
    main()
