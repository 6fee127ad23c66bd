"""A model that is busy for as long as a test wants, and requests that wait for it meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

from tests.contract.served import BUSY, HELD, Answer, Server, within

HOLDS = 10  # the code of a row that keeps the model busy while the server's folder has the file HELD


class Crowd:
    """Requests that all wait while the model is busy with one. Nothing here depends on how quick the machine is."""

    def __init__(self, server: Server, pool: ThreadPoolExecutor, rows: int) -> None:
        self._server = server
        self._pool = pool
        self._rows = 0
        self.busy = self.ask(*[[HOLDS, 0.0]] * rows)
        self.all_wait()
        # A request that comes before the model begins would be answered by the same call.
        within((server.folder / BUSY).exists, server.text)

    def ask(self, *rows: list[float], method: str = "", headers: dict[str, str] | None = None) -> Future[Answer]:
        """One more."""
        self._rows += len(rows)
        return self._pool.submit(self._server.predict, {"instances": list(rows)}, method, headers=headers)

    def all_wait(self) -> None:
        """Returns once everybody has come."""
        self._server.until_waiting(self._rows)

    def go(self) -> None:
        """Once everybody has come, the model goes on."""
        self.all_wait()
        self.let_go()

    def let_go(self) -> None:
        """The model goes on."""
        (self._server.folder / HELD).unlink(missing_ok=True)


@contextmanager
def crowd(server: Server, rows: int = 1) -> Iterator[Crowd]:
    """The model is busy with a request of so many rows until the crowd goes, or the `with` is left."""
    (server.folder / BUSY).unlink(missing_ok=True)
    (server.folder / HELD).touch()
    with ThreadPoolExecutor(40) as pool:
        try:
            yield Crowd(server, pool, rows)
        finally:
            (server.folder / HELD).unlink(missing_ok=True)
