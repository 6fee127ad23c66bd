"""A program: gives up what a model's process needs not, binds its life to its parent's, and becomes the command it is given.

`python -I -S confined.py PARENT THREADS FILES COMMAND...`, in the new process itself. It runs under the model's Python,
3.9 and up, and is no part of mlpack there.
"""

import ctypes
import os
import resource
import signal
import sys

# include/uapi/linux/prctl.h
_PR_SET_PDEATHSIG = 1
_PR_SET_NO_NEW_PRIVS = 38


def main(words: list) -> None:  # type: ignore[type-arg]  # 3.9
    """Limits first, then no way to new rights, then the end with the parent; exec keeps them all."""
    parent, threads, files = (int(word) for word in words[:3])
    _limit(resource.RLIMIT_CORE, 0)  # a dump would hold the model and its users' data
    _limit(resource.RLIMIT_NPROC, threads)
    _limit(resource.RLIMIT_NOFILE, files)
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)  # after the change of user, which would undo it
    if os.getppid() != parent:  # it died before the line above
        os._exit(1)
    os.execv(words[3], words[3:])  # noqa: S606 - its parent wrote the words


def _limit(which: int, most: int) -> None:
    """Lower the limit; an already lower one stays."""
    _, hard = resource.getrlimit(which)
    least = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(which, (least, least))


def _prctl(option: int, value: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, ctypes.c_ulong(value), 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl " + str(option))


if __name__ == "__main__":
    main(sys.argv[1:])
