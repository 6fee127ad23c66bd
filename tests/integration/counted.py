"""A socket before the engine's own, that counts what a client sends, and can stop it in the middle."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(kw_only=True)
class Counted:
    """`url` is a DOCKER_HOST; `sent` the bytes that went to the engine since it was last set to 0.

    Once those are `most`, nothing more goes there, for as long as the `with` lasts.
    """

    url: str
    sent: int = 0
    most: int | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)
    over: threading.Event = field(default_factory=threading.Event)


@contextmanager
def counted(engine: str, socket_path: Path) -> Iterator[Counted]:
    """Passes connections on to the engine at `unix://...` for as long as the `with` lasts."""
    found = Counted(url=f"unix://{socket_path}")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(socket_path))
        server.listen(16)
        threading.Thread(target=_accept, args=(server, engine.removeprefix("unix://"), found), daemon=True).start()
        try:
            yield found
        finally:
            found.over.set()
            server.shutdown(socket.SHUT_RDWR)


def _accept(server: socket.socket, engine: str, found: Counted) -> None:
    while True:
        try:
            client, _ = server.accept()
        except OSError:
            return
        threading.Thread(target=_serve, args=(client, engine, found), daemon=True).start()


def _serve(client: socket.socket, engine: str, found: Counted) -> None:
    """One connection, both ways, to the end of both."""
    with client, socket.socket(socket.AF_UNIX) as behind:
        behind.connect(engine)
        back = threading.Thread(target=_pass, args=(behind, client, None), daemon=True)
        back.start()
        _pass(client, behind, found)
        back.join()


def _pass(source: socket.socket, target: socket.socket, found: Counted | None) -> None:
    with contextlib.suppress(OSError):
        while chunk := source.recv(1 << 20):
            target.sendall(chunk)
            if found is not None:
                with found.lock:
                    found.sent += len(chunk)
                if found.most is not None and found.sent >= found.most:
                    found.over.wait()
    # An end is passed on as an end: the other side may still have something to say.
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)
