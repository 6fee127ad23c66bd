"""Code by value: which Python compiled what cloudpickle and dill put into a file, told from real files of several Pythons."""

from __future__ import annotations

import base64
import pickle
import sys
from pathlib import Path

import cloudpickle  # type: ignore[import-untyped]  # it has no types
import dill  # type: ignore[import-untyped]  # it has no types
import pytest

from mlpack.readers.pickles.bytecode import compilers, tool_of
from mlpack.readers.pickles.files import read_pickles
from mlpack.readers.pickles.values import PickleFile

HERE = f"{sys.version_info.major}.{sys.version_info.minor}"
# cloudpickle 3.1.2 of `lambda x, y: x in y and x is not None` as a def, and of a class with one method, under two Pythons.
FUNCTION_39 = (
    "gAWVpQEAAAAAAACMF2Nsb3VkcGlja2xlLmNsb3VkcGlja2xllIwOX21ha2VfZnVuY3Rpb26Uk5QoaACMDV9idWlsdGluX3R5cGWUk5SMCENvZGVU"
    "eXBllIWUUpQoSwJLAEsASwJLAktDQxB8AHwBdgBvDnwAZAB1AVMAlE6FlCmMAXiUjAF5lIaUjAYvbWsucHmUjANjbXCUSwVDAJQpKXSUUpR9lCiM"
    "C19fcGFja2FnZV9flE6MCF9fbmFtZV9flIwIX19tYWluX1+UjAhfX2ZpbGVfX5RoDXVOTk50lFKUaACMEl9mdW5jdGlvbl9zZXRzdGF0ZZSTlGgY"
    "fZR9lChoFIwDY21wlIwMX19xdWFsbmFtZV9flIwDY21wlIwPX19hbm5vdGF0aW9uc19flH2UjA5fX2t3ZGVmYXVsdHNfX5ROjAxfX2RlZmF1bHRz"
    "X1+UTowKX19tb2R1bGVfX5RoFYwHX19kb2NfX5ROjAtfX2Nsb3N1cmVfX5ROjBdfY2xvdWRwaWNrbGVfc3VibW9kdWxlc5RdlIwLX19nbG9iYWxz"
    "X1+UfZR1hpSGUjAu"
)
CLASS_39 = (
    "gAWVvwIAAAAAAACMF2Nsb3VkcGlja2xlLmNsb3VkcGlja2xllIwUX21ha2Vfc2tlbGV0b25fY2xhc3OUk5QojAhidWlsdGluc5SMBHR5cGWUk5SM"
    "AUOUaAOMBm9iamVjdJSTlIWUfZSMCl9fbW9kdWxlX1+UjAhfX21haW5fX5RzjCA4MGMwYmI1Yjg1Y2Y0MWZhYjEwYzU4MTQ1ODA1NzBiZJROdJRS"
    "lGgAjA9fY2xhc3Nfc2V0c3RhdGWUk5RoD32UKIwHX19kb2NfX5ROjApfX21vZHVsZV9flGgMjAFmlGgAjA5fbWFrZV9mdW5jdGlvbpSTlChoAIwN"
    "X2J1aWx0aW5fdHlwZZSTlIwIQ29kZVR5cGWUhZRSlChLAUsASwBLAUsDS0NDEmQBZAKEAHQAZAODAUQAgwFTAJQoTmgcKEsBSwBLAEsCSwNLU0MQ"
    "ZwB8AF0IfQF8AZECcQRTAJQpKYwCLjCUjAFplIaUjAYvbWsucHmUjAo8bGlzdGNvbXA+lEsNQwCUKSl0lFKUjBdDLmYuPGxvY2Fscz4uPGxpc3Rj"
    "b21wPpRLA3SUjAVyYW5nZZSFlIwEc2VsZpSFlGgiaBVLDWgkKSl0lFKUfZQojAtfX3BhY2thZ2VfX5ROjAhfX25hbWVfX5RoDIwIX19maWxlX1+U"
    "aCJ1Tk5OdJRSlGgAjBJfZnVuY3Rpb25fc2V0c3RhdGWUk5RoNH2UfZQoaDFoFYwMX19xdWFsbmFtZV9flIwDQy5mlIwPX19hbm5vdGF0aW9uc19f"
    "lH2UjA5fX2t3ZGVmYXVsdHNfX5ROjAxfX2RlZmF1bHRzX1+UTmgLaAyMB19fZG9jX1+UTowLX19jbG9zdXJlX1+UTowXX2Nsb3VkcGlja2xlX3N1"
    "Ym1vZHVsZXOUXZSMC19fZ2xvYmFsc19flH2UdYaUhlIwdX2UhpSGUjAu"
)
FUNCTION_313 = (
    "gAWV0AEAAAAAAACMF2Nsb3VkcGlja2xlLmNsb3VkcGlja2xllIwOX21ha2VfZnVuY3Rpb26Uk5QoaACMDV9idWlsdGluX3R5cGWUk5SMCENvZGVU"
    "eXBllIWUUpQoSwJLAEsASwJLAksDQyCVAFgBOwAAAD0BKAAAAAAAAABhBAAAIABVAFMATAEkAJROhZQpjAF4lIwBeZSGlIwGL21rLnB5lIwDY21w"
    "lIwDY21wlEsFQxKAAJBRkVbXFS2gAagUoA3QDi2UQwCUKSl0lFKUfZQojAtfX3BhY2thZ2VfX5ROjAhfX25hbWVfX5SMCF9fbWFpbl9flIwIX19m"
    "aWxlX1+UaA11Tk5OdJRSlGgAjBJfZnVuY3Rpb25fc2V0c3RhdGWUk5RoGn2UfZQoaBaMA2NtcJSMDF9fcXVhbG5hbWVfX5SMA2NtcJSMD19fYW5u"
    "b3RhdGlvbnNfX5R9lIwOX19rd2RlZmF1bHRzX1+UTowMX19kZWZhdWx0c19flE6MCl9fbW9kdWxlX1+UaBeMB19fZG9jX1+UTowLX19jbG9zdXJl"
    "X1+UTowXX2Nsb3VkcGlja2xlX3N1Ym1vZHVsZXOUXZSMC19fZ2xvYmFsc19flH2UdYaUhlIwLg=="
)
CLASS_313 = (
    "gAWV5wIAAAAAAACMF2Nsb3VkcGlja2xlLmNsb3VkcGlja2xllIwUX21ha2Vfc2tlbGV0b25fY2xhc3OUk5QojAhidWlsdGluc5SMBHR5cGWUk5SM"
    "AUOUaAOMBm9iamVjdJSTlIWUfZSMCl9fbW9kdWxlX1+UjAhfX21haW5fX5RzjCAzYWY4NWE5ZTI3MGQ0ZjU5OGUzZDI3MDBiYTY5MjZkOJROdJRS"
    "lGgAjA9fY2xhc3Nfc2V0c3RhdGWUk5RoD32UKIwHX19kb2NfX5ROjA9fX2ZpcnN0bGluZW5vX1+USwyMCl9fbW9kdWxlX1+UaAyMFV9fc3RhdGlj"
    "X2F0dHJpYnV0ZXNfX5QpjAFmlGgAjA5fbWFrZV9mdW5jdGlvbpSTlChoAIwNX2J1aWx0aW5fdHlwZZSTlIwIQ29kZVR5cGWUhZRSlChLAUsASwBL"
    "AksESwNDQpUAWwEAAAAAAAAAAFMBNQEAAAAAAAATAFYBcwIvAHMCEwBIBAAAbxFQAk0GAAALACAAcwJuASQAcwIgAHMCbgFmAJROSwOGlIwFcmFu"
    "Z2WUhZSMBHNlbGaUjAFplIaUjAYvbWsucHmUaBeMA0MuZpRLDUMdgACkRaghpEjTGC2iSJhxmhGhSNEYLdARLfnSGC2UQwSOCxwElCkpdJRSlH2U"
    "KIwLX19wYWNrYWdlX1+UTowIX19uYW1lX1+UaAyMCF9fZmlsZV9flGgmdU5OTnSUUpRoAIwSX2Z1bmN0aW9uX3NldHN0YXRllJOUaDF9lH2UKGgu"
    "aBeMDF9fcXVhbG5hbWVfX5SMA0MuZpSMD19fYW5ub3RhdGlvbnNfX5R9lIwOX19rd2RlZmF1bHRzX1+UTowMX19kZWZhdWx0c19flE5oC2gMjAdf"
    "X2RvY19flE6MC19fY2xvc3VyZV9flE6MF19jbG91ZHBpY2tsZV9zdWJtb2R1bGVzlF2UjAtfX2dsb2JhbHNfX5R9lHWGlIZSMHV9lIaUhlIwLg=="
)


def read(path: Path, content: bytes) -> PickleFile:
    path.write_bytes(content)
    found = read_pickles(path)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("content", "pythons"),
    [
        (FUNCTION_39, ("3.9",)),
        (CLASS_39, ("3.8", "3.9")),
        (FUNCTION_313, ("3.13",)),
        (CLASS_313, ("3.13",)),
    ],
)
def test_files_of_other_pythons(tmp_path: Path, content: str, pythons: tuple[str, ...]) -> None:
    """The bytecode tells the minor version, or the two that it may be of; a class counts as its methods do."""
    found = read(tmp_path / "f.pkl", base64.b64decode(content))
    assert (found.pythons, tool_of(found.globals)) == (pythons, "cloudpickle")


def made(name: str) -> object:
    space: dict[str, object] = {"__name__": "__main__"}
    exec(
        f"import math\ndef {name}(x, *rest):\n    for one in rest:\n        x += len(str(one)) if one else math.pi\n    return x",
        space,
    )
    return space[name]


@pytest.mark.parametrize("tool", ["cloudpickle", "dill"])
def test_files_of_this_python(tmp_path: Path, tool: str) -> None:
    """What this interpreter writes is told as its own, by both tools; by-reference pickles carry no code."""
    write = {"cloudpickle": cloudpickle.dumps, "dill": lambda value: dill.dumps(value, recurse=True)}[tool]
    found = read(tmp_path / "f.pkl", write(made("scale")))
    assert found.pythons is not None
    assert HERE in found.pythons
    assert len(found.pythons) == 1
    assert tool_of(found.globals) == tool
    plain = read(tmp_path / "g.pkl", pickle.dumps({"a": len, "b": [1.0] * 20}))
    assert (plain.pythons, tool_of(plain.globals)) == (None, None)


def test_arguments_that_make_no_code() -> None:
    """A call with many arguments is no code object; one of a Python that nobody knows here fits none."""
    assert compilers(tuple(range(20))) is None
    assert compilers((1, 2, 3)) is None
    assert compilers((0, 0, 0, 0, 0, 0, b"\xff\x00", (), (), (), "", "", "", 1, b"", b"", (), ())) == frozenset()
