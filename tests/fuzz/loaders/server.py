"""A server of loaders: `python -m tests.fuzz.loaders.server GROUP MODULES...` answers requests, one line of JSON each.

A parent process imports what the group needs and forks the one that serves; when a loader crashes that one, the parent
says which signal ended it and forks the next.
"""

from __future__ import annotations

import contextlib
import faulthandler
import gc
import json
import os
import signal
import sys
import warnings
from typing import Any, BinaryIO

from tests.fuzz.loaders import sandbox
from tests.fuzz.loaders.events import Events, StoppedError
from tests.fuzz.loaders.groups import GROUPS, Loader
from tests.fuzz.loaders.standins import preload


def main() -> None:
    """Serve until the input ends."""
    sandbox.end_with_parent()
    warnings.simplefilter("ignore")
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    requests, answers = os.fdopen(os.dup(0), "rb", buffering=0), os.fdopen(os.dup(1), "wb", buffering=0)
    null = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(null, standard)
    events = Events()
    try:
        loaders = GROUPS[sys.argv[1]](events)
        preload(sys.argv[2:])
        gc.freeze()
    except ImportError as error:
        _say(answers, missing=str(error))
        return
    while True:
        child = os.fork()
        if not child:
            _serve(requests, answers, events, loaders)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if status == 0:
            return
        # An alarm that comes late, outside of the loader, ends the process with an exception: it counts like an abort.
        _say(answers, died=os.WTERMSIG(status) if os.WIFSIGNALED(status) else int(signal.SIGABRT))


def _serve(requests: BinaryIO, answers: BinaryIO, events: Events, loaders: dict[str, Loader]) -> None:
    sandbox.enter()
    faulthandler.disable()
    sys.unraisablehook = lambda _: None  # Python's own opens the source to show a line of it: no effect of the file
    warnings.showwarning = lambda *_args, **_more: None  # nor is the source that Python shows with a warning
    sys.setrecursionlimit(1000)
    events.watch()
    _say(answers, ready=os.getpid())
    while line := requests.readline():
        try:
            request = json.loads(line)
        except ValueError:  # the rest of a line that an earlier process began to read, and which is sent again
            continue
        for name in request["loaders"]:
            if name in loaders:
                _say(answers, number=request["number"], begins=name)
                _say(answers, number=request["number"], ended=name, **_run(loaders[name], events, request))
        _say(answers, number=request["number"], done=True)


def _run(loader: Loader, events: Events, request: dict[str, Any]) -> dict[str, Any]:
    """Run one loader on one file: how it ended, what it reached, what it returned to be compared."""
    found: Any = None
    events.begin(frozenset([os.path.realpath(request["path"])]))
    try:
        signal.setitimer(signal.ITIMER_REAL, sandbox.LONGEST)
        found = loader(request["path"], request)
        status = "loaded"
    except StoppedError as stopped:
        status = f"stopped: {stopped}"
    except sandbox.TooLongError:
        status = "too long"
    except MemoryError:
        status = "out of memory"
    except BaseException as error:  # noqa: BLE001 - a loader raises what it likes
        status = f"failed: {type(error).__name__}: {ascii(error)[:200]}"
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    with contextlib.suppress(StoppedError):
        gc.collect(0)
    return {"status": status, "events": events.end(), "found": found}


def _say(answers: BinaryIO, **what: Any) -> None:
    answers.write(json.dumps(what).encode() + b"\n")


if __name__ == "__main__":
    main()
