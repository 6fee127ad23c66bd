"""Hostile and broken files of our own making, with what the reader must say of each; every payload is harmless."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import pickle
import struct
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

CANARY = "mlpack-hostile-canary"  # a payload that ran would leave a file of this name beside the hostile ones
P0, P2, P4 = b"", b"\x80\x02", b"\x80\x04"
_MIB = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Case:
    """A file and its truth: `verdict` that it must have, `callable` that must be named, `problem` that must be told.

    `verdict` None means that, by content, it is no pickle at all.
    """

    path: Path
    verdict: str | None
    callable: str = ""
    problem: str = ""


def make_hostile(dest: Path) -> list[Case]:
    """Write every case below `dest` and say what each must yield."""
    dest.mkdir(parents=True, exist_ok=True)
    cases: list[Case] = []
    for name, (data, verdict, callable_, problem) in {**_calls(dest), **_broken(), **_bombs()}.items():
        path = dest / name
        path.write_bytes(data)
        cases.append(Case(path=path, verdict=verdict, callable=callable_, problem=problem))
    return cases


def text(value: str) -> bytes:
    """SHORT_BINUNICODE or BINUNICODE."""
    data = value.encode()
    return (b"\x8c" + bytes([len(data)]) if len(data) < 256 else b"X" + struct.pack("<I", len(data))) + data


def look_up(module: str, name: str) -> bytes:
    """STACK_GLOBAL."""
    return text(module) + text(name) + b"\x93"


def call(callable_: bytes, *args: bytes) -> bytes:
    """REDUCE."""
    return callable_ + b"(" + b"".join(args) + b"tR"


Row = tuple[bytes, str | None, str, str]


def _bad(data: bytes, callable_: str) -> Row:
    return data, "dangerous", callable_, ""


def _calls(dest: Path) -> dict[str, Row]:
    order = f"touch {dest / CANARY}"
    run = call(look_up("os", "system"), text(order))
    whole = P4 + run + b"."
    old = b"cos\nsystem\n(S'" + order.encode() + b"'\ntR."
    return {
        "reduce0.pkl": _bad(old, "os.system"),
        "reduce4.pkl": _bad(whole, "os.system"),
        "no_extension": _bad(whole, "os.system"),
        "looks_like.csv": _bad(whole, "os.system"),
        "inst.pkl": _bad(b"(S'true'\nios\nsystem\n.", "os.system"),
        "obj.pkl": _bad(b"\x80\x01(cos\nsystem\nU\x04trueo.", "os.system"),
        "newobj.pkl": _bad(P4 + look_up("subprocess", "Popen") + b"(" + text("true") + b"t\x81.", "subprocess.Popen"),
        "newobj_ex.pkl": _bad(P4 + look_up("subprocess", "Popen") + b"(" + text("true") + b"t}\x92.", "subprocess.Popen"),
        "only_named.pkl": _bad(P4 + look_up("os", "system") + b".", "os.system"),
        "popped.pkl": _bad(P4 + run + b"0N.", "os.system"),
        "memo_names.pkl": _bad(P4 + text("os") + b"\x940" + text("system") + b"\x940h\x00h\x01\x93(" + text(order) + b"tR.", "os.system"),
        "sparse_memo.pkl": _bad(P4 + text("os") + b"r\xff\xff\xff\x7f0j\xff\xff\xff\x7f" + text("system") + b"\x93(" + text(order) + b"tR.", "os.system"),
        "dup.pkl": _bad(P4 + look_up("os", "system") + b"20(" + text(order) + b"tR.", "os.system"),
        "python2_names.pkl": _bad(b"c__builtin__\neval\n(S'1'\ntR.", "__builtin__.eval"),
        "python2_commands.pkl": _bad(b"ccommands\ngetoutput\n(S'true'\ntR.", "commands.getoutput"),
        "nt.pkl": _bad(b"cnt\nsystem\n(S'true'\ntR.", "nt.system"),
        "dotted.pkl": _bad(P4 + call(look_up("shutil", "os.system"), text(order)) + b".", "shutil.os.system"),
        "dotted_through_stranger.pkl": _bad(P4 + call(look_up("somepackage", "helpers.os.system"), text("true")) + b".", "somepackage.helpers.os.system"),
        "dunder_path.pkl": _bad(P4 + call(look_up("collections", "OrderedDict.__init__.__globals__"), b"") + b".", "OrderedDict.__init__.__globals__"),
        "six_moves.pkl": _bad(P4 + call(look_up("six.moves.builtins", "eval"), text("1")) + b".", "six.moves.builtins.eval"),
        "setstate.pkl": _bad(P4 + look_up("collections", "OrderedDict") + b")\x81}" + text("__setstate__") + look_up("os", "system") + b"sb" + text(order) + b"b.", "os.system"),
        "build_on_class.pkl": _bad(P4 + look_up("collections", "OrderedDict") + b"}" + text("x") + b"K\x01sb.", "collections.OrderedDict"),
        "itemgetter_called.pkl": _bad(P4 + call(call(look_up("operator", "itemgetter"), b"K\x00"), b"]") + b".", "operator.itemgetter"),
        "getattr_called.pkl": _bad(P4 + call(call(look_up("builtins", "getattr"), call(look_up("collections", "OrderedDict")), text("clear"))) + b".", "builtins.getattr"),
        "second_of_stream.pkl": _bad(pickle.dumps({"a": 1}) + whole, "os.system"),
        "behind_garbage_header.pkl": _bad(pickle.dumps([1]) + old, "os.system"),
        "before_cut.pkl": _bad(whole[:-1], "os.system"),
        "before_garbage.pkl": _bad(P4 + run + b"\xff\xff\xff", "os.system"),
        "loads_in_loads.pkl": _bad(P4 + call(look_up("_pickle", "loads"), b"C\x02N.") + b".", "_pickle.loads"),
        "numpy_load.pkl": _bad(P4 + call(look_up("numpy", "load"), text("x.npy")) + b".", "numpy.load"),
        "numpy_runstring.pkl": _bad(P4 + call(look_up("numpy.testing._private.utils", "runstring"), text("1"), b"}") + b".", "numpy.testing._private.utils.runstring"),
        "ufunc_reconstruct.pkl": _bad(P4 + call(look_up("numpy.core", "_ufunc_reconstruct"), text("os"), text("system")) + b".", "numpy.core._ufunc_reconstruct"),
        "deep_in_values.pkl": _bad(P4 + b"}" + text("model") + b"](N" + run + b"es.", "os.system"),
        "zlib.joblib": _bad(zlib.compress(whole), "os.system"),
        "gzip.joblib": _bad(gzip.compress(whole), "os.system"),
        "bz2.joblib": _bad(bz2.compress(whole), "os.system"),
        "xz.joblib": _bad(lzma.compress(whole), "os.system"),
        "lzma.joblib": _bad(lzma.compress(whole, lzma.FORMAT_ALONE), "os.system"),
        "twice.gz.gz": _bad(gzip.compress(gzip.compress(whole)), "os.system"),
        "two_members.gz": _bad(gzip.compress(whole[:9]) + gzip.compress(whole[9:]), "os.system"),
        "object_array.npy": _bad(_npy(whole), "os.system"),
        "object_array.npz": _bad(_zip({"a.npy": _npy(whole)}), "os.system"),
        "data.pt": _bad(_zip({"archive/data.pkl": whole, "archive/version": b"3\n"}), "os.system"),
        "extra_member.pt": _bad(_zip({"archive/data.pkl": P2 + b"N.", "archive/data/7": whole}), "os.system"),
        "deflated.pt": _bad(_zip({"archive/data.pkl": whole}, zipfile.ZIP_DEFLATED), "os.system"),
        "broken_checksum.pt": _bad(_with_broken_checksum(_zip({"archive/data.pkl": whole})), "os.system"),
        "encrypted_flag.pt": _bad(_with_flag(_zip({"archive/data.pkl": whole})), "os.system"),
        "traversal.pt": _bad(_zip({"../../outside": b"x", "archive/data.pkl": P2 + b"N."}), "../../outside"),
        "absolute.pt": _bad(_zip({"/outside": b"x"}), "/outside"),
        "joblib_side_file.pkl": _bad(_side_file("../elsewhere.npy"), "joblib.numpy_pickle.NDArrayWrapper"),
        "polyglot.joblib": _bad(_polyglot(run), "os.system"),
        "polyglot_inside.joblib": _bad(_object_array(whole), "os.system"),
        "dill_import.pkl": _bad(P4 + call(call(look_up("dill._dill", "_import_module"), text("os.system")), text("true")) + b".", "os.system"),
        "cloudpickle_import.pkl": _bad(P4 + call(look_up("cloudpickle.cloudpickle", "subimport"), text("subprocess")) + b".", "subprocess"),
        "scipy_template.pkl": _bad(P4 + look_up("scipy.stats._continuous_distns", "norm_gen") + b")\x81}" + text("_parse_arg_template") + text("import os") + b"sb.", "scipy.stats._continuous_distns.norm_gen"),
        "code.pkl": _bad(P4 + look_up("types", "CodeType") + b".", "types.CodeType"),
        "own_code.pkl": (P4 + look_up("__main__", "Model") + b")\x81.", "unknown", "__main__.Model", ""),
        "stranger.pkl": (P4 + look_up("feature_engine.imputation", "Imputer") + b")\x81.", "unknown", "feature_engine.imputation.Imputer", ""),
        "trusted_root.pkl": (P4 + call(look_up("sklearn.utils.nowhere", "helper")) + b".", "unknown", "sklearn.utils.nowhere.helper", ""),
        "bound_method.pkl": (P4 + call(look_up("builtins", "getattr"), call(look_up("collections", "OrderedDict")), text("get")) + b".", "unknown", "builtins.getattr", ""),
        "persistent.pkl": (P2 + b"X\x01\0\0\0xQ.", "unknown", "", "plain pickle"),
        "extension.pkl": (P2 + b"\x82\x07.", "unknown", "", "plain pickle"),
        "out_of_band.pkl": (b"\x80\x05\x97.", "unknown", "", "plain pickle"),
    }  # fmt: skip


def _broken() -> dict[str, Row]:
    good = pickle.dumps({"weights": list(range(50)), "name": "m"}, 4)
    lfs = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 9\n"
    return {
        "truncated.pkl": (good[:-5], "unknown", "", "cut off"),
        "no_stop.pkl": (good[:-1], "unknown", "", "cut off"),
        "length_claim.pkl": (P4 + b"\x8e" + struct.pack("<Q", 1 << 60) + b"abc", "unknown", "", "cut off"),
        "protocol_99.pkl": (b"\x80\x63N.", "unknown", "", "protocol 99"),
        "unbalanced.pkl": (P4 + b"R.", "unknown", "", "valid pickle"),
        "memo_missing.pkl": (P4 + b"h\x05.", "unknown", "", "memo entry"),
        "calls_a_string.pkl": (P4 + text("os") + b")R.", "unknown", "", "calls a str"),
        "marks.pkl": (P4 + b"(" * 200_000 + b"l.", "unknown", "", "deep"),
        "lists.pkl": (P4 + b"]" * 100_000 + b"a" * 99_999 + b".", "unknown", "", "deep"),
        "tuples_in_tuples.pkl": (P4 + b"N" + b"\x85" * 300_000 + b".", "safe", "", ""),
        "gzip_cut.joblib": (gzip.compress(good)[:40], "unknown", "", "cut off"),
        "zip_cut.pt": (b"PK\x03\x04" + bytes(30), "unknown", "", "zip"),
        "zip_empty.pt": (b"PK\x05\x06" + bytes(18), "unknown", "", "empty"),
        "npy_cut.npy": (_npy(b"")[:40], "unknown", "", "cut off"),
        "empty.pkl": (b"", None, "", ""),
        "text.pkl": (b"this is not a pickle\n", None, "", ""),
        "html.pkl": (b"<!DOCTYPE html><html></html>", None, "", ""),
        "json.pkl": (b'{"a": 1}', None, "", ""),
        "csv.pkl": (b"cat,dog\n1,2\n", None, "", ""),
        "lfs.pkl": (lfs, None, "", ""),
    }


def _bombs() -> dict[str, Row]:
    claim = _zlib(P4 + b"\x8e" + struct.pack("<Q", 1 << 31), bytes(_MIB), 600)
    lists = _zlib(P4, b"]0" * (_MIB // 2), 40)
    doubling = b"]\x94" + b"".join(b"](h" + bytes([i]) + b"h" + bytes([i]) + b"e\x94" for i in range(40))
    tuples = b"N\x94" + b"".join(b"h" + bytes([i]) + b"h" + bytes([i]) + b"\x86\x94" for i in range(60))
    return {
        "zeros.joblib": (claim, "unknown", "", "bomb"),
        "opcodes.joblib": (lists, "unknown", "", "objects"),
        "many_members.pt": (_zip({f"archive/data/{i}": b"" for i in range(20_000)}), None, "", ""),
        "doubling.pkl": (P4 + doubling + b".", "safe", "", ""),
        "doubling_as_key.pkl": (P4 + tuples + b"}h\x3cNs.", "safe", "", ""),
        "one_hash.pkl": (P4 + b"}(" + b"".join(_number(((1 << 61) - 1) * i) + b"N" for i in range(1, 20_000)) + b"u.", "safe", "", ""),
        "sets.pkl": (P4 + b"\x8f" * 3_000_000 + b".", "unknown", "", "deep"),
    }  # fmt: skip


def _zlib(start: bytes, repeated: bytes, times: int) -> bytes:
    packer = zlib.compressobj(1)
    return packer.compress(start) + b"".join(packer.compress(repeated) for _ in range(times)) + packer.flush()


def _number(value: int) -> bytes:
    data = value.to_bytes((value.bit_length() + 8) // 8, "little", signed=True)
    return b"\x8a" + bytes([len(data)]) + data


def _zip(members: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def _with_broken_checksum(archive: bytes) -> bytes:
    place = archive.rfind(b"PK\x01\x02") + 16
    return archive[:place] + b"\0\0\0\0" + archive[place + 4 :]


def _with_flag(archive: bytes) -> bytes:
    place = archive.rfind(b"PK\x01\x02") + 8
    return archive[:place] + b"\x01" + archive[place + 1 :]


def _npy(elements: bytes) -> bytes:
    header = b"{'descr': '|O', 'fortran_order': False, 'shape': (1,), }\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + elements


def _wrapper(dtype: bytes, shape: int, **more: bytes) -> bytes:
    state: dict[str, bytes] = {
        "subclass": look_up("numpy", "ndarray"),
        "shape": b"K" + bytes([shape]) + b"\x85",
        "order": text("C"),
        "dtype": call(look_up("numpy", "dtype"), dtype, b"\x89", b"\x88"),
        **more,
    }
    pairs = b"".join(text(key) + value for key, value in state.items())
    return look_up("joblib.numpy_pickle", "NumpyArrayWrapper") + b")\x81}(" + pairs + b"ub"


def _polyglot(run: bytes) -> bytes:
    # For joblib the bytes behind the wrapper are an array; any other loader runs them.
    return P4 + b"](" + _wrapper(text("i1"), len(run) + 2) + run + b"e." + b"e."


def _object_array(inner: bytes) -> bytes:
    return P4 + b"](" + _wrapper(text("O8"), 1) + inner + b"e."


def _side_file(name: str) -> bytes:
    state = text("filename") + text(name) + text("subclass") + look_up("numpy", "ndarray")
    return P4 + look_up("joblib.numpy_pickle", "NDArrayWrapper") + b")\x81}(" + state + b"ub."
