"""Streams that loaders read differently, and allowed objects that call each other; every payload is harmless.

Each file is one dict value of a fitted model's pickle or stands before it, and names only what is allowed: without a rule
for its kind it would be safe.
"""

from __future__ import annotations

import struct

from tests.hostile import P4, call, text

NDARRAY, DTYPE = b"cnumpy\nndarray\n", b"cnumpy\ndtype\n"
WRAPPER = b"cjoblib.numpy_pickle\nNumpyArrayWrapper\n"
RECONSTRUCT = b"cnumpy._core.multiarray\n_reconstruct\n" + NDARRAY + b"K\x00\x85C\x01b\x87R"
EVIL = b"cos\nsystem\n" + text("true") + b"\x85R"
DATE = call(b"cdatetime\ndate\n", b"C\x04\x07\xe8\x01\x01")
FRAME = b"cpandas\nDataFrame\n)\x81"
MODEL = b"csklearn.linear_model._base\nLinearRegression\n)\x81"
SCORE = b"csklearn.metrics._classification\naccuracy_score\n"
SCORER = b"csklearn.metrics._scorer\n_Scorer\n)\x81"


def frame(content: bytes) -> bytes:
    """FRAME."""
    return b"\x95" + struct.pack("<Q", len(content)) + content


def of_type(kind: str, state: bytes = b"") -> bytes:
    """numpy.dtype, with a state if one is given."""
    return DTYPE + text(kind) + b"\x89\x88\x87R" + (b"(" + state + b"tb" if state else b"")


def type_state(flags: int, *, version: int = 3, names: bytes = b"N", fields: bytes = b"N", size: int = -1) -> bytes:
    """The state of a dtype, without its mark and tuple."""
    return (
        b"K" + bytes([version]) + text("|") + b"N" + names + fields + b"J" + struct.pack("<i", size)
        + b"J" + struct.pack("<i", 1 if size >= 0 else -1) + b"K" + bytes([flags])
    )  # fmt: skip


def array(dtype: bytes, content: bytes, *shape: int, order: bytes = b"\x89") -> bytes:
    """An array as numpy pickles it."""
    extents = b"(" + b"".join(b"J" + struct.pack("<i", extent) for extent in shape) + b"t"
    return RECONSTRUCT + b"(K\x01" + extents + dtype + order + content + b"tb"


def state_of(**state: bytes) -> bytes:
    """A dict."""
    return b"}(" + b"".join(text(key) + value for key, value in state.items()) + b"u"


def wrapped(size: int, made: bytes = WRAPPER + b")\x81", dtype: bytes = b"", **more: bytes) -> bytes:
    """joblib's wrapper of an array of so many bytes, which follow it."""
    state = {"subclass": NDARRAY, "shape": b"K" + bytes([size]) + b"\x85", "order": text("C")}
    return made + state_of(**{**state, "dtype": dtype or of_type("u1"), "allow_mmap": b"\x89", **more}) + b"b"


def partial(function: bytes, arguments: bytes = b")") -> bytes:
    """functools.partial with its state."""
    return b"cfunctools\npartial\n" + function + b"\x85R(" + function + arguments + b"}Ntb"


STREAMS = {
    "an array's bytes before the frame's end": P4 + frame(wrapped(1)) + b"\xff0" + frame(wrapped(3) + EVIL) + b"N0" * 30,
    "a frame ends within an opcode": P4 + b"\x95" + struct.pack("<Q", 3) + text("abcdef") + b".",
    "a frame in a frame": P4 + frame(frame(b"N") + b"0N") + b".",
    "a frame behind the end": P4 + b"\x95" + struct.pack("<Q", 9) + b"N." + EVIL + b".",
    "a wrapper made by _new_Index": P4 + wrapped(5, b"cpandas.core.indexes.base\n_new_Index\n" + WRAPPER + b"}\x86R") + EVIL + b".",
    "a wrapper made by newObj": P4 + wrapped(5, b"csklearn.metrics._dist_metrics\nnewObj\n" + WRAPPER + b"\x85R") + EVIL + b".",
    "arguments that are no tuple": P4 + b"ccopyreg\n_reconstructor\n](" + WRAPPER + b"cbuiltins\nobject\nNeR.",
    "a wrapper by a dotted name": P4 + wrapped(1, b"cjoblib\nnumpy_pickle.NumpyArrayWrapper\n)\x81") + b"\xff.",
    "a wrapper in a module that has it not": P4 + wrapped(1, b"cjoblib.numpy_pickle_compat\nNumpyArrayWrapper\n)\x81") + b"\xff.",
    "a wrapper's name in escapes": P4 + text("joblib.numpy_pickle") + b"V\\u004eumpyArrayWrapper\n\x93)\x810N.",
    "a name in octal escapes": P4 + b"S'\\157s'\n0N.",
    "a wrapper with another state": P4 + wrapped(1, more=b"N") + b"\xff.",
    "a wrapper that gets its state twice": P4 + WRAPPER + b")\x81\x94" + wrapped(1, b"2")[1:] + b"\xff0h\x00}b.",
    "a wrapper used before its state": P4 + WRAPPER + b")\x81\x94" + call(b"ctorch.jit._pickle\nrestore_type_tag\n", b"h\x00", text("x")) + b".",
    "a wrapper with a list for its shape": P4 + wrapped(1, shape=b"](K\x01e") + b"\xff.",
    "a wrapper with flags that lie": P4 + wrapped(8, dtype=of_type("O8", type_state(1))) + b"A" * 8 + b".",
    "an object's array that holds none": P4 + wrapped(1, dtype=of_type("O8")) + b"\x80\x02N.0N.",
    "fields in an OrderedDict": P4 + wrapped(8, dtype=of_type("V8", type_state(
        0, names=text("a") + b"\x85", fields=b"ccollections\nOrderedDict\n)R(" + text("a") + of_type("O8") + b"K\x00\x86u", size=8
    ))) + b"\x80\x02N.0N.",
    "an object as the 1001st field": P4 + array(of_type("V8", type_state(
        0, names=b"(" + b"".join(text(f"f{n}") for n in range(1001)) + b"t", size=8,
        fields=b"}(" + b"".join(text(f"f{n}") + of_type("O8" if n == 1000 else "u1") + b"K\x00\x86" for n in range(1001)) + b"u",
    )), b"C\x08" + b"A" * 8, 1) + b".",
    "a field outside of its element": P4 + array(of_type("V8", type_state(
        0, names=text("a") + b"\x85", fields=state_of(a=of_type("u8") + b"K\x04\x86"), size=8
    )), b"C\x08" + b"A" * 8, 1) + b".",
    **{f"a field that is {what}": P4 + array(of_type("V8", type_state(
        0, names=text("a") + b"\x85", fields=state_of(a=part + b"K\x00\x86"), size=8
    )), b"C\x08" + b"A" * 8, 1) + b"." for what, part in {"a class": b"cnumpy\nfloat64\n", "a text": text("f8")}.items()},
    "a base that is a class": P4 + array(
        of_type("V8", type_state(0, size=8).replace(b"N", b"cnumpy\nfloat64\nK\x01\x86", 1)), b"C\x08" + b"A" * 8, 1
    ) + b".",
    "fields over each other": P4 + array(of_type("V8", type_state(
        27, names=text("a") + text("b") + b"\x86", fields=state_of(a=of_type("O8") + b"K\x00\x86", b=of_type("u8") + b"K\x00\x86"),
        size=8,
    )), b"]Na", 1) + b".",
    "a dtype of a version of its own": P4 + array(of_type("V8", type_state(0, version=2, size=8)), b"C\x08" + b"A" * 8, 1) + b".",
    "a dtype that changes after its use": P4 + of_type("f8") + b"\x94" + array(b"h\x00", b"C\x08" + b"A" * 8, 1)
    + b"0(" + type_state(63) + b"tb.",
    "numpy's own dtype changed": P4 + DTYPE + text("O8") + b"\x89\x89\x87R(" + type_state(63) + b"tb.",
    "an array that gets its content twice": P4 + array(of_type("u1"), b"C\x01A", 1) + b"(K\x01K\x01\x85" + of_type("u1") + b"\x89C\x01Btb.",
    "an array that is not empty as it is made": P4 + b"cnumpy._core.multiarray\n_reconstruct\n" + NDARRAY + b"K\x09\x85C\x01O\x87R.",
    "a frozen buffer of another array": P4 + b"cnumpy._core.numeric\n_frombuffer\n(" + RECONSTRUCT + of_type("u1") + b"K\x00\x85" + text("C") + b"tR.",
    "an old wrapper that calls another class": P4
    + b"cjoblib.numpy_pickle_compat\nZNDArrayWrapper\n)\x81"
    + state_of(filename=text("x"), init_args=b"cpathlib\nPosixPath\nK\x00\x85" + text("b") + b"\x87", state=b")")
    + b"b.",
    "a memo number without end": P4 + b"Nr\xff\xff\xff\x7f.",
}  # fmt: skip
UNIT = {
    "a date without a unit": b"K\x03" + text("<") + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00",
    **{
        f"a date with {what}": b"K\x04" + text("<") + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00" + metadata
        for what, metadata in {
            "no metadata": b"N",
            "an unknown unit": b"N(" + text("q") + b"K\x01K\x01K\x01t\x86",
            "a unit of two parts": b"N" + text("ns") + b"K\x01\x86\x86",
            "no steps": b"N(" + text("ns") + b"K\x00K\x01K\x01t\x86",
            "a divisor": b"N(" + text("ns") + b"K\x01K\x02K\x01t\x86",
            "metadata that are no dict": b"K\x01(" + text("ns") + b"K\x01K\x01K\x01t\x86",
        }.items()
    },
}
STREAMS |= {why: P4 + array(of_type("M8", state), b"C\x08" + bytes(8), 1) + b"." for why, state in UNIT.items()}
STREAMS |= {
    f"flags {flags} of an object": P4 + array(of_type("O8", type_state(flags)), b"C\x08" + b"A" * 8, 1) + b"."
    for flags in (0, 1, 3, 5, 17, 61)
}

CALLS = {
    "items put into an estimator": P4 + MODEL + b"(K\x01e.",
    "an item put into an estimator": P4 + MODEL + b"K\x01a.",
    "elements put into an estimator": P4 + MODEL + b"(K\x01\x90.",
    "a key put into a table": P4 + FRAME + partial(b"cnumpy\nlog1p\n") + b"K\x01s.",
    "keys put into a table": P4 + FRAME + b"(K\x01K\x01u.",
    "items put into a class": P4 + b"cnumpy\nndarray\n(K\x01e.",
    "a scorer that calls eval": P4 + SCORER + state_of(_score_func=SCORE, _sign=b"K\x01", _kwargs=b"}", _response_method=text("eval")) + b"b.",
    "a scorer that calls one of eval": P4 + SCORER + state_of(_score_func=SCORE, _response_method=text("predict") + text("eval") + b"\x86") + b"b.",
    "a scorer of another function": P4 + SCORER + state_of(_score_func=b"cnumpy\nmaximum\n") + b"b.",
    "a scorer of a partial": P4 + SCORER + state_of(_score_func=partial(SCORE)) + b"b.",
    "a stack that calls eval": P4 + b"csklearn.ensemble._stacking\nStackingClassifier\n)\x81" + state_of(stack_method_=b"](" + text("eval") + b"e") + b"b.",
    "a chain that calls eval": P4 + b"csklearn.multioutput\nClassifierChain\n)\x81" + state_of(chain_method_=text("eval")) + b"b.",
    "a partial of a scorer": P4 + b"cfunctools\npartial\n" + SCORER + b"\x85R.",
    "a partial of another function than it says": P4 + b"cfunctools\npartial\ncnumpy\nlog1p\n\x85R(" + SCORER + b")}Ntb.",
    "a partial that is given a function": P4 + partial(b"cnumpy\nlog1p\n", b"cnumpy\nlog\n\x85") + b".",
    "a generator of another maker": P4 + call(b"cnumpy.random._pickle\n__generator_ctor\n", text("MT19937"), partial(b"cnumpy\nlog1p\n")) + b".",
    "a default of a partial": P4 + call(b"ccollections\ndefaultdict\n", partial(b"cnumpy\nlog1p\n")) + b".",
    "predict in the state": P4 + MODEL + state_of(predict=partial(b"cnumpy\nlog1p\n")) + b"b.",
    "a function of the library as predict": P4 + MODEL + state_of(predict=SCORER) + b"b.",
    "a dunder in the state": P4 + MODEL + state_of(__sklearn_tags__=b"N") + b"b.",
    "a dunder put into the state later": P4 + MODEL + b"}\x94bh\x00" + text("__sklearn_tags__") + b"Ns.",
    "predict put into the state later": P4 + MODEL + b"}\x94bh\x00" + text("predict") + SCORER + b"s.",
    "a slot that is a method": P4 + MODEL + b"N" + state_of(predict=SCORER) + b"\x86b.",
    "a text from another codec": P4 + call(b"c_codecs\nencode\n", text("bf"), text("rot13")) + b".",
    "a name from another codec": P4 + call(b"c_codecs\nencode\n", text("bf"), text("rot13")) + text("system") + b"\x93.",
    "a name that a function gives back": P4 + call(b"ctorch.jit._pickle\nrestore_type_tag\n", text("os"), text("x")) + text("system") + b"\x93.",
    "a state for what a function gives back": P4 + call(b"ctorch.jit._pickle\nrestore_type_tag\n", MODEL, text("x")) + b"}b.",
    "a reconstructor of a base of its own": P4 + b"ccopyreg\n_reconstructor\ncbuiltins\nint\n" + b"cpathlib\nPosixPath\n" + text("x") + b"\x87R.",
    "an index of a scorer": P4 + b"cpandas.core.indexes.base\n_new_Index\ncpandas\nIndex\n" + state_of(data=SCORER) + b"\x86R.",
    "arguments by name": P4 + b"ccollections\ndefaultdict\n)" + state_of(x=partial(b"cnumpy\nlog1p\n")) + b"\x92.",
    "a called estimator": P4 + MODEL + b")R.",
    "an itemgetter that is called": P4 + call(b"coperator\nitemgetter\n", b"K\x00") + b"](K\x01e\x85R.",
}  # fmt: skip
