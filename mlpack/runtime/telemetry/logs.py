"""The log: one JSON object a line on stdout, formatted and written by a thread of its own, off the requests' path."""

from __future__ import annotations

import io
import json
import logging
import os
import sys
import threading
import time
import traceback
import warnings
from collections import deque
from functools import lru_cache
from typing import Any, Deque, Dict, Optional, Protocol, TextIO, Union

SEVERITIES = {"debug": 10, "info": 20, "warning": 30, "error": 40, "critical": 50}
_MOST_WAITING = 20_000  # lines; when stdout is stuck, further access lines are counted, not kept
_AT_ONCE = 32  # lines formatted in one go: meanwhile the requests wait for the interpreter
_LONGEST_PRINT = 8000  # characters of one printed line
_REST_S = 0.05  # between two writes, so that many lines share one system call


class Log:
    """Writes lines to one file descriptor. `level` is the least severity written, a number as in `logging`.

    A line holds severity, time (RFC 3339, UTC), message, and whatever fields it was given; never a payload.
    """

    def __init__(self, fd: int, level: str = "info") -> None:
        self.level = SEVERITIES[level]
        self._fd = fd
        self._items: Deque[Union[Line, Dict[str, Any]]] = deque()
        self._wake = threading.Event()
        self._closing = threading.Event()
        self._writing = threading.Lock()
        self._dropped = 0
        threading.Thread(target=self._run, name="mlpack-log", daemon=True).start()

    def write(self, severity: str, message: str, **fields: Any) -> None:
        """One line; `severity` is debug, info, warning, error or critical."""
        if SEVERITIES[severity] >= self.level:
            head = {"severity": severity.upper(), "time": time.time(), "message": message}
            self._items.append({**head, **fields})
            self._wake.set()

    def failure(self, message: str, error: BaseException, *, severity: str = "error", **fields: Any) -> None:
        """One line that holds the error's trace."""
        trace = "".join(traceback.format_exception(type(error), error, error.__traceback__))
        self.write(severity, message, **fields, stack_trace=trace[-16_000:])

    def access(self, line: Line) -> None:
        """One line for one request; the caller only pays for an append."""
        if len(self._items) >= _MOST_WAITING:
            self._dropped += 1
            return
        self._items.append(line)
        if not self._wake.is_set():
            self._wake.set()

    def flush(self) -> None:
        """Write all that waits, now, in the calling thread."""
        with self._writing:
            while self._items:
                count = min(_AT_ONCE, len(self._items))
                self._send("".join([_format(self._items.popleft()) for _ in range(count)]).encode())
            if self._dropped:
                head = {
                    "severity": "WARNING",
                    "time": time.time(),
                    "message": "access lines were dropped: stdout is slow",
                }
                self._send(_format({**head, "dropped": self._dropped}).encode())
                self._dropped = 0

    def close(self) -> None:
        """Write all that waits, and wait no more between lines."""
        self._closing.set()
        self._wake.set()
        self.flush()

    def _run(self) -> None:
        while True:
            self._wake.wait()
            self._wake.clear()
            self.flush()
            if self._closing.wait(_REST_S):
                self.flush()
                return

    def _send(self, data: bytes) -> None:
        while data:
            try:
                data = data[os.write(self._fd, data) :]
            except BlockingIOError:  # noqa: PERF203 - a write may be cut anywhere
                time.sleep(_REST_S)
            except OSError:
                return  # the reader of the log is gone: serving goes on


class Line(Protocol):
    """A line that is formatted only when it is written."""

    def line(self) -> str:
        """JSON and a newline."""


class LogHandler(logging.Handler):
    """Writes the records of Python's logging (asyncio's, the model's) to the log."""

    def __init__(self, log: Log) -> None:
        super().__init__()
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        """Write the record as a line."""
        severity = next((name for name, level in reversed(SEVERITIES.items()) if record.levelno >= level), "debug")
        try:
            message = record.getMessage()
        except Exception:  # noqa: BLE001 - a library's record whose arguments do not fit its text
            message = str(record.msg)
        if record.exc_info and record.exc_info[1] is not None:
            self._log.failure(message.strip(), record.exc_info[1], logger=record.name)
        else:
            self._log.write(severity, message, logger=record.name)


class Printed(io.TextIOBase):
    """A text stream that turns what the model's code prints into lines of the log; never a terminal, so no progress bars."""

    def __init__(self, log: Log, severity: str, logger: str, fd: int) -> None:
        self._log = log
        self._severity = severity
        self._logger = logger
        self._fd = fd
        self._rest = ""

    def write(self, text: str) -> int:
        """Log every whole line; keep the rest until its end comes."""
        *lines, self._rest = (self._rest + text).split("\n")
        for line in lines:
            self._tell(line)
        return len(text)

    def flush(self) -> None:
        """Log the unfinished line."""
        line, self._rest = self._rest, ""
        self._tell(line)

    def fileno(self) -> int:
        """The descriptor that this stream stands for, for code that wants one."""
        return self._fd

    def writable(self) -> bool:
        """Always."""
        return True

    def _tell(self, line: str) -> None:
        if line.strip():
            self._log.write(self._severity, line.rstrip()[:_LONGEST_PRINT], logger=self._logger)


def start_log(level: str) -> Log:
    """The process's log on stdout, which also gets Python's logging, warnings and prints."""
    log = Log(1, level)
    root = logging.getLogger()
    root.handlers[:] = [LogHandler(log)]
    root.setLevel(logging.WARNING)  # libraries log much below that

    def show(  # the signature is the standard library's
        message: Union[Warning, str],
        category: type,
        filename: str,
        lineno: int,
        file: Optional[TextIO] = None,  # noqa: ARG001 - named so by the standard library
        line: Optional[str] = None,  # noqa: ARG001 - named so by the standard library
    ) -> None:
        where = f"{os.path.basename(filename)}:{lineno}"  # noqa: PTH119 - a path object for two words is too much
        log.write("warning", str(message), logger="warnings", category=category.__name__, where=where)

    warnings.showwarning = show
    sys.stdout = Printed(log, "info", "stdout", 1)
    sys.stderr = Printed(log, "warning", "stderr", 2)
    return log


def _format(item: Union[Line, Dict[str, Any]]) -> str:
    if isinstance(item, dict):
        return json.dumps({**item, "time": rfc3339(item["time"])}, default=str) + "\n"
    try:
        return item.line()
    except Exception as error:  # noqa: BLE001 - a value that cannot be written must not end the log
        line = {"severity": "ERROR", "time": rfc3339(time.time()), "message": f"a line of the log failed: {error!r}"}
        return json.dumps(line) + "\n"


def rfc3339(when: float) -> str:
    """The time in UTC, to the millisecond."""
    return f"{_second(int(when))}.{int(when % 1 * 1000):03d}Z"


@lru_cache(maxsize=4)
def _second(when: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(when))
