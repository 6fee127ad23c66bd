"""Opcodes that refer to objects outside the stream: persistent ids, extension codes, buffers."""

from __future__ import annotations

from typing import Any

from mlpack.readers.pickles.bytewindow import StuckError
from mlpack.readers.pickles.objects import call, look_up
from mlpack.readers.pickles.opcodes import Machine, handles
from mlpack.readers.pickles.values import Blob, Global, PersistentId


@handles(b"P")
def _persid(m: Machine) -> None:
    _persistent(m, m.line().decode("latin-1"))


@handles(b"Q")
def _binpersid(m: Machine) -> None:
    _persistent(m, m.stack.pop())


def _persistent(m: Machine, pid: Any) -> None:
    m.made += 1
    if m.other:
        raise StuckError("it refers to objects that are stored elsewhere, which no plain loader has")
    kind = pid[0] if isinstance(pid, tuple) and pid else None
    if kind == "reduce_package" and len(pid) > 2 and isinstance(pid[-2], Global) and isinstance(pid[-1], tuple):
        m.stack.append(call(m, pid[-2], pid[-1]))  # torch.package's call of an object that it stored as code
        return
    if kind == "module" and len(pid) > 1 and isinstance(pid[1], Global):
        m.stack.append(
            pid[1]
        )  # torch before 1.6 wrote a class with its source code in this form; the source is never run
        return
    if kind not in ("storage", "module"):  # torch's own
        m.record.outside["it refers to objects that are stored elsewhere (a persistent id)"] = None
    m.stack.append(PersistentId(pid))


@handles(b"\x82")
def _ext1(m: Machine) -> None:
    _extension(m, 1)


@handles(b"\x83")
def _ext2(m: Machine) -> None:
    _extension(m, 2)


@handles(b"\x84")
def _ext4(m: Machine) -> None:
    _extension(m, 4)


def _extension(m: Machine, width: int) -> None:
    code = int.from_bytes(m.take(width), "little")
    if m.other:
        raise StuckError(f"it uses extension code {code}, which no plain loader has")
    m.record.outside[f"it uses extension code {code}, which is defined only in the program that wrote it (copyreg)"] = (
        None
    )
    m.stack.append(look_up(m, "copyreg", f"extension_{code}"))


@handles(b"\x97")
def _next_buffer(m: Machine) -> None:
    if m.other:
        raise StuckError("it refers to buffers that are stored elsewhere, which no plain loader has")
    m.record.outside["it refers to buffers that are stored elsewhere (protocol 5, out of band)"] = None
    m.stack.append(Blob(kind="bytes", size=0))


@handles(b"\x98")
def _readonly_buffer(m: Machine) -> None:
    m.stack[-1]  # the stack must not be empty; making the buffer read-only has no effect here
