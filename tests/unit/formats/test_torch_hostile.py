"""Hostile and broken files of torch's kinds are judged as data: the verdict, no run, no traceback, nothing written."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest

from mlpack.errors import ModelError
from mlpack.formats.pytorch import TorchFormat
from mlpack.pipeline.inspect import inspect
from tests.formats.torch_hostile import Case, archive, cases, script, tensors

CASES = cases(Path("mlpack-torch-canary"))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_hostile_files_are_judged(case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Dangerous is said with the callable, unreadable with the reason; never safe, and nothing of it ran."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / case.name
    path.write_bytes(case.data)
    try:
        info = inspect(path, formats=[TorchFormat()])
    except ModelError as error:
        verdict = (error.info.get("safety") or {}).get("verdict", "")
        said = f"{error.message} {json.dumps(error.info)}"
        code = error.code
    else:
        verdict, code = info.safety.verdict, ""
        said = " ".join(one.callable for one in info.safety.findings)
    if case.verdict:
        assert verdict == case.verdict or (case.name == "traversal.pt" and code == "unsafe_model"), (
            verdict,
            code,
            said,
        )
    else:
        assert code == case.code, (verdict, code, said)
        assert verdict != "safe"
    assert case.says in said
    assert [one.name for one in tmp_path.iterdir()] == [case.name]


def test_two_gigabytes_are_not_read(tmp_path: Path) -> None:
    """A header that names 2 GiB of tensors, and an archive that holds them, are told from their first and last bytes."""
    size = 2 << 30
    path = tmp_path / "model.safetensors"
    header = tensors({"weight": [0, size]}, b"").replace(b'"shape": [2]', f'"shape": [{size // 4}]'.encode())
    text = header[8:]
    path.write_bytes(len(text).to_bytes(8, "little") + text)
    with path.open("r+b") as file:
        file.truncate(8 + len(text) + size)
    info = inspect(path, formats=[TorchFormat()])
    assert info.details["parameters"] == size // 4
    assert info.safety.verdict == "safe"


def test_two_gigabytes_of_an_archive_are_not_read(tmp_path: Path) -> None:
    """A state dict in a zip whose storage takes 2 GiB: the storage is stepped over."""
    size = 2 << 30
    path = tmp_path / "model.pt"
    tensor = b"ctorch._utils\n_rebuild_tensor_v2\n((X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpu"
    count = b"\x8a\x05" + (size // 4).to_bytes(5, "little")
    tensor += count + b"tQK\x00" + count + b"\x85K\x01\x85\x89ccollections\nOrderedDict\n)RtR"
    root = b"\x80\x02}X\x01\x00\x00\x00w" + tensor + b"s."
    whole = archive({"a/data.pkl": root, "a/version": b"3", "a/data/0": b""})
    end = whole.index(b"PK\x01\x02")
    directory = bytearray(whole[end:])
    last = directory.rindex(b"PK\x01\x02")
    directory[last + 20 : last + 28] = struct.pack("<LL", size, size)
    directory[-6:-2] = struct.pack("<L", end + size)
    local = whole.rindex(b"PK\x03\x04")
    path.write_bytes(whole[: local + 18] + struct.pack("<LL", size, size) + whole[local + 26 : end])
    with path.open("r+b") as file:
        file.truncate(end + size)
        file.seek(end + size)
        file.write(directory)
    info = inspect(path, formats=[TorchFormat()])
    assert (info.details["parameters"], info.safety.verdict) == (size // 4, "safe")


def test_a_script_without_its_class_is_unknown(tmp_path: Path) -> None:
    """A class whose code is not in the archive cannot be judged by it."""
    members = {**script("x"), "a/code/__torch__.py": b"class Other(Module):\n  pass\n"}
    path = tmp_path / "model.pt"
    path.write_bytes(archive(members))
    info = inspect(path, formats=[TorchFormat()])
    assert info.safety.verdict == "unknown"
    assert [one.callable for one in info.safety.findings] == ["__torch__.Net"]


@pytest.mark.parametrize("length", [93, 376, 24184])
def test_a_header_length_that_looks_compressed(length: int, tmp_path: Path) -> None:
    """The first bytes of some lengths are those of zlib and lzma: it is safetensors all the same."""
    header = tensors({"weight": [0, 8]}, b"")[8:]
    text = header + b" " * (length - len(header))
    path = tmp_path / "model.safetensors"
    path.write_bytes(length.to_bytes(8, "little") + text + b"12345678")
    assert inspect(path, formats=[TorchFormat()]).details["parameters"] == 2
