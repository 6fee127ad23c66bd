"""Hostile and broken models of every format, files and folders, with what inspecting each may say; every payload is harmless."""

from __future__ import annotations

import gzip
import io
import json
import os
import pickle
import struct
import tarfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.hostile import CANARY, P2, call
from tests.messages import field

_MIB = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Hostile:
    """A file or folder, and what it may be said to be: error codes, or the verdict of what is read all the same."""

    path: Path
    may_be: frozenset[str]


def make_hostile_models(dest: Path) -> list[Hostile]:
    """Write everything below `dest` and say what each must yield: `unreadable`, `unknown_format`, `unsafe`, `dangerous`..."""
    dest.mkdir(parents=True, exist_ok=True)
    made = []
    for name, (make, may_be) in {**_broken(), **_malicious(dest), **_bombs(), **_links()}.items():
        path = dest / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if callable(make):
            make(path)
        else:
            path.write_bytes(make)
        shown = path.parent if path.name == "saved_model.pb" else path
        made.append(Hostile(path=shown, may_be=frozenset(may_be.split())))
    return made


Row = tuple[bytes | Callable[[Path], None], str]


def _broken() -> dict[str, Row]:
    lfs = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 12345\n"
    return {
        "cut.onnx": (b"\x08\x08\x12\x07pytorch\x3a\xff\xff\xff\x0f", "unreadable"),
        "deep.onnx": (_deep_onnx(), "unreadable"),
        "long_name.onnx": (b"\x08\x08\x12\x07pytorch\x3a\xff\xff\x3f\x12\xf0\xff\x3f" + bytes(_MIB), "unreadable"),
        "lfs.onnx": (lfs, "unreadable"),
        "page.tflite": (b"<!DOCTYPE html><html></html>", "unreadable"),
        "cut.tflite": (b"\x1c\0\0\0TFL3" + bytes(8), "unreadable"),
        "in_circles.tflite": (_circling_tflite(), "unreadable"),
        "cut.h5": (b"\x89HDF\r\n\x1a\n" + bytes(40), "unreadable"),
        "no_graph/saved_model.pb": (b"", "unreadable"),
        "no_message/saved_model.pb": (b"\xff" * 64, "unreadable"),
        "cut_trees.json": (b'{"learner": {"gradient_booster": ', "unreadable"),
        "no_model.json": (b'{"name": "x", "version": 1}', "unknown_format"),
        "deep.json": (b'{"learner": ' + b"[" * 200_000, "unreadable unknown_format"),
        "long_header.safetensors": (struct.pack("<Q", 1 << 62) + b"{}", "unreadable"),
        "bad_header.safetensors": (struct.pack("<Q", 5) + b"{abc}", "unreadable"),
        "deep_header.safetensors": (_safetensors(b'{"a": ' + b"[" * 200_000), "unreadable"),
        "outside.safetensors": (_safetensors(b'{"a": {"dtype": "F32", "shape": [4], "data_offsets": [0, 99999]}}'), "unreadable"),
        "cut.cbm": (b"CBM1" + b"\xff" * 8, "unreadable"),
        "cut.gguf": (b"GGUF" + struct.pack("<IQQ", 3, 1 << 60, 1 << 60), "unknown"),
        "cut.ubj": (b"{L" + struct.pack(">q", 7) + b"learner{L" + b"\x7f" * 8, "unreadable unknown_format"),
        "trees.txt": (b"tree\nversion=v4\nnum_class=1\n", "unreadable"),
        "MLmodel": (b"flavors:\n  python_function:\n    loader_module: &a [*a, *a]\n", "unreadable unknown_format unknown"),
        "cut.zip": (b"PK\x03\x04" + bytes(30), "unreadable"),
        "cut.tar.gz": (gzip.compress(b"x" * 257 + b"ustar" + bytes(3000))[:60], "unreadable unknown_format"),
        "empty.onnx": (b"", "unreadable"),
    }  # fmt: skip


def _malicious(dest: Path) -> dict[str, Row]:
    order = f"touch {dest / CANARY}"
    run = P2 + call(b"cos\nsystem\n", b"X" + struct.pack("<I", len(order)) + order.encode()) + b"."
    sound = pickle.dumps({"w": 1}, 2)
    lambdas = {"class_name": "Sequential", "config": {"layers": [{"class_name": "Lambda", "module": "keras.layers", "config": {"function": {"class_name": "__lambda__", "config": {"code": "4wEAAAA=", "defaults": None, "closure": None}}}}]}}  # fmt: skip
    return {
        "checkpoint.pt": (_zip({"archive/data.pkl": run, "archive/version": b"3\n"}), "dangerous unsafe unknown_format"),
        "extra.pt": (_zip({"archive/data.pkl": sound, "archive/extra.pkl": run}), "dangerous unsafe unknown_format"),
        "named.onnx": (run, "dangerous unsafe unknown_format"),
        "named.h5": (run, "dangerous unsafe unknown_format"),
        "named.safetensors": (run, "dangerous unsafe unknown_format"),
        "inside.zip": (_zip({"clf.pkl": run}), "dangerous unsafe unknown_format"),
        "inside.tar.gz": (_tar({"clf.pkl": run}), "dangerous unsafe unknown_format"),
        "lambda.keras": (_zip({"config.json": json.dumps(lambdas).encode(), "metadata.json": b'{"keras_version": "3.0.0"}'}), "dangerous"),
        "traversal.pt": (_zip({"../../../mlpack-out": b"x", "archive/data.pkl": sound}), "dangerous unsafe"),
        "traversal.zip": (_zip({"../m.onnx": b"\x08\x08", "m.onnx": b"\x08\x08\x12\x01x"}), "unsafe"),
        "absolute.zip": (_zip({"/tmp/mlpack-out": b"x", "m.tflite": b"\x1c\0\0\0TFL3"}), "unsafe"),
        "traversal.tar": (_tar({"../../m.onnx": b"\x08\x08"}, mode="w"), "unsafe"),
        "elsewhere.onnx": (_onnx_with_data("../../../etc/passwd"), "unsafe"),
        "python.onnx": (_onnx_with_operator(b"PythonOp", b"com.microsoft"), "dangerous"),
    }  # fmt: skip


def _bombs() -> dict[str, Row]:
    zeros = gzip.compress(bytes(64 * _MIB))
    for _ in range(2):
        zeros = gzip.compress(zeros)
    return {
        "zeros.onnx.gz": (_gzip(b"\x08\x08\x12\x07pytorch\x3a\xff\xff\xff\xff\x07", 700), "unreadable unknown_format"),
        "zeros.tflite.gz": (_gzip(b"\x1c\0\0\0TFL3", 700), "unreadable unknown_format"),
        "gzip_in_gzip.gz": (zeros, "unreadable unknown_format"),
        "many.zip": (_zip({f"{place}.onnx": b"" for place in range(5000)}), "unreadable unknown_format"),
        "fields.onnx": (b"\x08\x08\x12\x01x" + b"\x28\x01" * 3_000_000, "unreadable"),
    }


def _links() -> dict[str, Row]:
    return {
        "itself.onnx": (lambda path: path.symlink_to(path.name), "unreadable"),
        "nowhere.onnx": (lambda path: path.symlink_to("missing.onnx"), "unreadable"),
        "pipe.onnx": (os.mkfifo, "unreadable"),
        "circle/itself": (lambda path: path.symlink_to("."), "unreadable"),
        "-rf $(touch x) &.onnx": (b"\x08\x08\x12\x07pytorch\x3a\xff", "unreadable"),
    }


def _deep_onnx() -> bytes:
    """Graphs in graphs: each node's attribute holds the next."""
    graph = b""
    for _ in range(200):
        attribute = field(1, b"body") + field(6, graph)
        graph = field(1, field(4, b"Loop") + field(5, attribute))
    return b"\x08\x08\x12\x01x" + field(7, graph)


def _onnx_with_data(location: str) -> bytes:
    tensor = b"\x08\x02\x10\x01" + field(8, b"W") + field(13, field(1, b"location") + field(2, location.encode()))
    return b"\x08\x08\x12\x01x" + field(7, field(5, tensor + b"\x70\x01"))


def _onnx_with_operator(name: bytes, domain: bytes) -> bytes:
    value = field(1, b"x") + field(2, field(1, b"\x08\x01" + field(2, field(1, field(2, b"N")))))
    node = field(1, b"x") + field(2, b"x") + field(4, name) + field(7, domain)
    return b"\x08\x08\x12\x01x" + field(7, field(1, node) + field(11, value) + field(12, value))


def _circling_tflite() -> bytes:
    """A table whose vector of subgraphs holds itself, a hundred thousand times."""
    count = 100_000
    names = struct.pack("<HHHHH", 10, 12, 0, 0, 4)
    table = struct.pack("<iI", 12, 4) + struct.pack("<I", count)
    entries = b"".join(struct.pack("<I", (1 << 32) - (4 * place + 8 + 4) & 0xFFFFFFFF) for place in range(count))
    return struct.pack("<I", 20) + b"TFL3" + names + bytes(2) + table + entries


def _safetensors(header: bytes) -> bytes:
    return struct.pack("<Q", len(header)) + header + bytes(16)


def _zip(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def _tar(members: dict[str, bytes], mode: str = "w:gz") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as archive:  # type: ignore[call-overload]  # the mode is one of two words
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def _gzip(start: bytes, mebibytes: int) -> bytes:
    buffer = io.BytesIO()
    with gzip.GzipFile(fileobj=buffer, mode="wb", compresslevel=1) as out:
        out.write(start)
        for _ in range(mebibytes):
            out.write(bytes(_MIB))
    return buffer.getvalue()
