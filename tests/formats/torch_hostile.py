"""Hostile and broken files of torch's kinds, written by hand: every payload is harmless, and none may ever run."""

from __future__ import annotations

import io
import json
import pickle
import struct
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_MAGIC = 0x1950A86A20F9469CFC6C


@dataclass(frozen=True, kw_only=True)
class Case:
    """A file and its truth: the verdict, or the error's code where it is no model, and a word that must be said."""

    name: str
    data: bytes
    verdict: str = ""
    code: str = ""
    says: str = ""


class Payload:
    """Calls something when it is unpickled."""

    def __init__(self, call: Any, *args: Any) -> None:
        self._call, self._args = call, args

    def __reduce__(self) -> Any:
        return self._call, self._args


def cases(canary: Path) -> list[Case]:
    """Every case; a payload that ran would make the file `canary`."""
    import os

    evil = pickle.dumps(Payload(os.system, f"touch {canary}"), 2)
    plain = pickle.dumps({"a": 1}, 2)
    nested = b"\x80\x02ctorch\nload\nX\x05\x00\x00\x00other\x85R."
    legacy = [pickle.dumps(one, 2) for one in (_MAGIC, 1001, {"little_endian": True})]
    empty = pickle.dumps([], 2)
    return [
        Case(name="data.pt", data=archive({"a/data.pkl": evil, "a/version": b"3"}), verdict="dangerous", says="system"),
        Case(
            name="extra.pt",
            data=archive({"a/data.pkl": plain, "a/version": b"3", "a/notes.txt": evil}),
            verdict="dangerous",
            says="system",
        ),
        Case(
            name="script.pt",
            data=archive({"a/data.pkl": plain, "a/constants.pkl": evil, "a/code/__torch__.py": b"", "a/version": b"3"}),
            verdict="dangerous",
            says="system",
        ),
        Case(
            name="nested.pt",
            data=archive({"a/data.pkl": nested, "a/version": b"3"}),
            verdict="dangerous",
            says="torch.load",
        ),
        Case(
            name="inner.pt2",
            data=archive(
                {
                    "a/archive_format": b"pt2",
                    "a/models/model.json": b"{}",
                    "a/data/sample_inputs/model.pt": archive({"b/data.pkl": evil}),
                }
            ),
            verdict="dangerous",
            says="system",
        ),
        Case(
            name="package.pt",
            data=archive({"a/.data/extern_modules": b"os", "a/model/model.pkl": evil, "a/version": b"3"}),
            verdict="dangerous",
            says="system",
        ),
        Case(
            name="crc.pt",
            data=spoilt(archive({"a/data.pkl": evil, "a/version": b"3"}), evil),
            verdict="dangerous",
            says="system",
        ),
        Case(
            name="second.pth",
            data=b"".join([*legacy[:1], evil, *legacy[2:], empty, empty]),
            verdict="dangerous",
            says="system",
        ),
        Case(name="object.pth", data=b"".join([*legacy, evil, empty]), verdict="dangerous", says="system"),
        Case(name="keys.pth", data=b"".join([*legacy, plain, evil]), verdict="dangerous", says="system"),
        Case(name="short.pth", data=b"".join([*legacy, plain[:-4]]), code="unreadable", says="torch's pickle 4"),
        Case(name="three.pth", data=b"".join(legacy), code="unreadable", says="3 of torch's 5"),
        Case(
            name="traversal.pt",
            data=archive({"../../out/data.pkl": plain, "a/version": b"3"}),
            verdict="dangerous",
            says="../",
        ),
        Case(
            name="cut.pt",
            data=archive({"a/data.pkl": plain, "a/version": b"3"})[:-30],
            code="unreadable",
            says="cut off",
        ),
        Case(name="huge.safetensors", data=struct.pack("<Q", 1 << 62) + b'{"a": 1}', code="unreadable", says="header"),
        Case(name="cut.safetensors", data=tensors({"a": [0, 8]}, b"1234"), code="unreadable", says="cut off"),
        Case(name="negative.safetensors", data=tensors({"a": [8, 0]}, b""), code="unreadable", says="'a'"),
        Case(name="text.safetensors", data=struct.pack("<Q", 4) + b"{abc", code="unreadable", says="JSON"),
        Case(name="deep.safetensors", data=struct.pack("<Q", 400_000) + b'{"a":' + b"[" * 399_995, code="unreadable"),
        Case(
            name="garbage.pt2",
            data=archive(
                {"a/archive_format": b"pt2", "a/models/model.json": b'{"graph_module": 7}', "a/version": b"1"}
            ),
            code="unreadable",
            says="program",
        ),
        Case(name="deep.pt", data=archive(script("(" * 60_000)), code="", verdict="safe"),
        Case(name="loop.pt", data=archive(script("(self).forward(x, )")), code="", verdict="safe"),
    ]


def script(expression: str) -> dict[str, bytes]:
    """A TorchScript archive whose forward answers that."""
    text = (
        f"class Net(Module):\n  def forward(self: __torch__.Net,\n    x: Tensor) -> Tensor:\n    return {expression}\n"
    )
    root = b"\x80\x02c__torch__\nNet\n)\x81}b."
    return {
        "a/data.pkl": root,
        "a/constants.pkl": b"\x80\x02).",
        "a/code/__torch__.py": text.encode(),
        "a/version": b"3",
    }


def archive(members: dict[str, bytes]) -> bytes:
    """A zip with these members, stored."""
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as made:
        for name, data in members.items():
            made.writestr(name, data)
    return held.getvalue()


def spoilt(data: bytes, member: bytes) -> bytes:
    """The archive with a wrong checksum of that member: a reader that obeys it would look no further."""
    import zlib

    right = struct.pack("<I", zlib.crc32(member))
    return data.replace(right, b"\x01\x02\x03\x04")


def tensors(places: dict[str, list[int]], body: bytes) -> bytes:
    """A safetensors file with tensors of FP32 at these places."""
    header = {name: {"dtype": "F32", "shape": [2], "data_offsets": place} for name, place in places.items()}
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + body
