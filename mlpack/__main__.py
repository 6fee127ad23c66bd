"""The entry point of the `mlpack` command."""

import os
import signal
import sys


def main() -> None:
    """Run the command; `--version` alone is handled before the slow imports."""
    if sys.argv[1:] in (["--version"], ["-V"]):
        from mlpack.version import __version__

        sys.stdout.write(f"mlpack {__version__}\n")
        return
    # pydantic's plugin search reads the metadata of all installed packages: a sixth of the time of a short command.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    from mlpack.cli.app import run

    code = run(sys.argv[1:])
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the work is done: ignore Ctrl-C while the interpreter shuts down
    # If Ctrl-C interrupted an exec() (dataclasses use it), the interpreter stores that until the next exec(). Under
    # `python -m` it would end itself with SIGINT at exit, although the exception was handled. An empty exec() resets it.
    exec("")  # noqa: S102
    sys.exit(code)


if __name__ == "__main__":
    main()
