"""The verdict on functions by value in Lambda layers: unknown, with their names and constants shown, or dangerous."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from typing import Any

from mlpack.artifacts.model import Finding
from mlpack.readers.limits import CutOffError
from mlpack.readers.pickles.marshalled import Code, read_code

_MOST_CODE = 1 << 20  # bytes of all functions of a file
_SHOWN = 240
_HARMLESS = frozenset({"__name__", "__doc__", "__module__", "__qualname__"})
_SPECIAL = re.compile(r"__\w+__")
_REASONS = {
    "runs other code": (
        "eval exec execfile compile breakpoint runpy codeop pty func_load marshal ast enable_unsafe_deserialization "
    ),
    "imports modules": ("__import__ importlib imp import_module builtins modules pkgutil zipimport "),
    "reaches any attribute": (
        "getattr setattr delattr globals locals vars inspect gc attrgetter methodcaller python_utils generic_utils "
        "python_types serialization_lib f_globals f_locals f_builtins f_back f_code gi_frame gi_code cr_frame "
        "ag_frame tb_frame tb_next co_code co_consts func_globals func_code mro "
    ),
    "starts other programs or threads": (
        "os posix nt subprocess system popen multiprocessing threading _thread concurrent asyncio fork spawnl spawnv "
        "execv execve execl kill ctypes cffi ctypeslib f2py load_op_library load_library load_file_system_library "
        "py_func py_function numpy_function custom_op xla_custom_call raw_ops import_graph_def "
    ),
    "reads or writes files": (
        "open io sys pathlib shutil tempfile glob fileinput linecache codecs zipfile tarfile sqlite3 dbm shelve "
        "pickle cPickle _pickle dill cloudpickle joblib gfile GFile read_file write_file matching_files saved_model "
        "load_model save_model load_weights save_weights save load loads dump dumps fromfile tofile memmap loadtxt "
        "genfromtxt savetxt savez savez_compressed get_file remove unlink rmdir rmtree rename makedirs mkdir listdir "
        "scandir environ getenv putenv read_text write_text read_bytes write_bytes TFRecordWriter TFRecordDataset "
        "TextLineDataset FixedLengthRecordDataset summary read_csv read_pickle to_pickle "
    ),
    "opens network connections": (
        "socket ssl urllib urllib2 urllib3 requests http httplib ftplib smtplib telnetlib aiohttp xmlrpc webbrowser "
    ),
}
_WHY = {name: why for why, names in _REASONS.items() for name in names.split()}


class Lambdas:
    """Judges the functions of one file; `pythons` are the minor versions that may have compiled all of them."""

    def __init__(self) -> None:
        self.pythons: frozenset[str] | None = None
        self._left = _MOST_CODE
        self._seen: set[str] = set()

    def judge(self, digest: str, value: Any) -> Iterator[Finding]:
        """The finding on one function as Keras wrote it; nothing for one that was judged."""
        if digest in self._seen:
            return
        self._seen.add(digest)
        name = f"keras.layers.Lambda[{digest[:8]}]"
        try:
            code = self._read(value)
        except CutOffError as error:
            reason = f"dangerous: it contains compiled Python code that cannot be read: {error}"
            yield Finding(callable=name, why=reason, verdict="dangerous")
            return
        parts = [part for part in code.walk() if isinstance(part, Code)]
        for part in parts:
            self.pythons = part.pythons if self.pythons is None else self.pythons & part.pythons
        if why := _danger(code):
            reason = f"dangerous: it contains compiled Python code that {why}: {_shown(code)}"
            yield Finding(callable=name, why=reason, verdict="dangerous")
        else:
            reason = f"it contains compiled Python code, which runs when the model is called: {_shown(code)}"
            yield Finding(callable=name, why=reason, verdict="unknown")

    def _read(self, value: Any) -> Code:
        data = _bytes(_text(value))
        self._left -= len(data)
        if self._left < 0:
            raise CutOffError("the file contains too much code to be read")
        return read_code(data)


def _text(value: Any) -> str:
    """The code's text in `[code, defaults, closure]`, in `{"code": ...}` or `{"value": ...}`, or alone."""
    if isinstance(value, dict):
        held = [value[key] for key in ("code", "value") if key in value]
        if len(held) != 1:
            raise CutOffError("it has no code, or two")
        value = held[0]
    if isinstance(value, list) and len(value) == 3:  # code, defaults, closure
        value = value[0]
    if not isinstance(value, str):
        raise CutOffError("it is in an unknown form")
    return value


def _bytes(text: str) -> bytes:
    """The marshalled code, which Keras writes as Base64 since 2.1.3."""
    try:
        found = binascii.a2b_base64(text.encode("ascii"))
    except (UnicodeEncodeError, binascii.Error):
        return text.encode("raw_unicode_escape")
    if base64.b64encode(found).decode() != "".join(text.split()):
        raise CutOffError("its Base64 text can be read in two ways")
    return found


def _danger(code: Code) -> str | None:
    """What a function can do beyond computing, by the names in it; None when none is known for more."""
    for part in code.walk():
        if isinstance(part, Code):
            for word in (word for name in part.names for word in name.split(".")):
                if why := _WHY.get(word):
                    return f"{why} (`{_escaped(word)}`)"
        for special in _specials(part):
            if special not in _HARMLESS:
                return f"accesses the interpreter's internals (`{_escaped(special)}`)"
    return None


def _specials(part: Any) -> list[str]:
    if isinstance(part, Code):
        return [name for name in (*part.names, *part.variables) if _SPECIAL.fullmatch(name)]
    return _SPECIAL.findall(part) if isinstance(part, str) else []


def _shown(code: Code) -> str:
    """The names and constants of a function and of those inside it, on one line."""
    parts = list(code.walk())
    names = dict.fromkeys(name for part in parts if isinstance(part, Code) for name in part.names)
    arguments = ", ".join(_escaped(name) for name in code.variables[:8])
    constants = dict.fromkeys(
        _escaped(repr(part)[:60]) for part in parts[:200] if part is not None and not isinstance(part, Code)
    )
    text = f"{_escaped(code.name)}({arguments})"
    if names:
        text += f", names {', '.join(_escaped(name[:60]) for name in list(names)[:40])}"
    if constants:
        text += f", constants {', '.join(constants)}"
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "..."


def _escaped(text: str) -> str:
    return ascii(text)[1:-1]
