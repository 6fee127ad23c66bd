"""Opcodes that look up names, call them, and fill what the calls gave."""

from __future__ import annotations

from typing import Any

from mlpack.readers.allowlist import danger_of
from mlpack.readers.bytecode import FEWEST, compilers
from mlpack.readers.carried import check_carried
from mlpack.readers.folding import fill, fold
from mlpack.readers.joblib_arrays import is_wrapper, read_wrapped
from mlpack.readers.limits import CutOffError
from mlpack.readers.opcodes import Machine, handles
from mlpack.readers.states import check_state
from mlpack.readers.values import Array, Blob, Global, Instance, PersistentId

_IMPORTERS = ("subimport", "_import_module")
_BY_VALUE = ("cloudpickle.", "dill.")


@handles(b"c")
def _global(m: Machine) -> None:
    module, name = m.line().decode(), m.line().decode()
    m.stack.append(_look_up(m, module, name))


@handles(b"\x93")
def _stack_global(m: Machine) -> None:
    name, module = m.stack.pop(), m.stack.pop()
    if not isinstance(name, str) or not isinstance(module, str):
        raise CutOffError("it looks up a name that is not text")
    m.stack.append(_look_up(m, module, name))


def _look_up(m: Machine, module: str, name: str) -> Global:
    known = m.known.get((module, name))
    if known is None:
        known = m.known[module, name] = Global(module, name)
    m.record.names[known] = None
    return known


@handles(b"i")
def _inst(m: Machine) -> None:
    module, name = m.line().decode(), m.line().decode()
    args = tuple(m.popmark())
    m.stack.append(_call(m, _look_up(m, module, name), args))


@handles(b"o")
def _obj(m: Machine) -> None:
    callable_, *args = m.popmark()
    m.stack.append(_call(m, callable_, tuple(args)))


@handles(b"R")
def _reduce(m: Machine) -> None:
    args = m.stack.pop()
    m.stack[-1] = _call(m, m.stack[-1], _tuple(args))


@handles(b"\x81")
def _newobj(m: Machine) -> None:
    args = m.stack.pop()
    m.stack[-1] = _call(m, m.stack[-1], _tuple(args), new=True)


@handles(b"\x92")
def _newobj_ex(m: Machine) -> None:
    kwargs, args = m.stack.pop(), m.stack.pop()
    made = _call(m, m.stack[-1], _tuple(args), new=True)
    if isinstance(made, Instance) and isinstance(kwargs, dict):
        made.kwargs = kwargs
    m.stack[-1] = made


def _tuple(args: Any) -> tuple[Any, ...]:
    if isinstance(args, tuple):
        return args
    return tuple(args) if isinstance(args, list) else (args,)


def _call(m: Machine, callable_: Any, args: tuple[Any, ...], *, new: bool = False) -> Any:
    m.made += 3
    if isinstance(callable_, Global):
        m.record.called.add(callable_)
        if not new:
            _check_getattr(m, callable_, args)
            _check_setattr(m, callable_, args)
            _check_import(m, callable_, args)
            _check_array(m, callable_, args)
            check_carried(m.record, callable_, args)
    elif isinstance(callable_, Instance):
        _check_computed(m, callable_)
    else:
        raise CutOffError(f"it calls a {type(callable_).__name__}")
    if len(args) >= FEWEST and (found := compilers(args)) is not None:
        m.record.compiled(found)
    made = NotImplemented if new else fold(m, callable_, args)
    return Instance(callable_, args) if made is NotImplemented else made


def _check_getattr(m: Machine, callable_: Global, args: tuple[Any, ...]) -> None:
    if (callable_.module, callable_.name) not in (("builtins", "getattr"), ("__builtin__", "getattr")):
        return
    named = args[1] if len(args) > 1 else None
    if len(args) == 2 and isinstance(args[0], (Global, Instance, Array)) and _is_ordinary(named):
        # So is a method of one of the model's own parts written: harmless as long as nothing calls it while loading.
        m.record.suspect("builtins.getattr", f"holds the method {named!r} of an object that it builds")
    else:
        m.record.trick("builtins.getattr", "reaches for an attribute that no honest file asks for")


def _check_setattr(m: Machine, callable_: Global, args: tuple[Any, ...]) -> None:
    # dill gives a class that it makes its qualified name in this way; no other honest file calls setattr.
    if (callable_.module, callable_.name) not in (("builtins", "setattr"), ("__builtin__", "setattr")):
        return
    if len(args) == 3 and isinstance(args[0], Instance) and args[1] == "__qualname__" and isinstance(args[2], str):
        m.record.suspect("builtins.setattr", "gives a class that it makes its name")
    else:
        m.record.trick("builtins.setattr", "changes an attribute that no honest file changes")


def _check_array(m: Machine, callable_: Global, args: tuple[Any, ...]) -> None:
    # dill writes an array as a call with the function that makes it: called like any other, and so judged.
    if (callable_.module, callable_.name) != ("dill._dill", "_create_array"):
        return
    if args and isinstance(args[0], Global):
        m.record.called.add(args[0])
    else:
        m.record.trick(str(callable_), "calls what the file has put together itself")


def _check_import(m: Machine, callable_: Global, args: tuple[Any, ...]) -> None:
    # cloudpickle and dill write a module that their code uses as a call with its name: judged like any name.
    if callable_.name in _IMPORTERS and callable_.module.startswith(_BY_VALUE) and args and isinstance(args[0], str):
        module, _, name = args[0].rpartition(".")
        for pair in ((args[0], "*"), (module, name)) if module else ((args[0], "*"),):
            if danger_of(Global(*pair)):
                _look_up(m, *pair)


def _is_ordinary(name: Any) -> bool:
    return isinstance(name, str) and name.isidentifier() and not name.startswith("__")


def _check_computed(m: Machine, callable_: Instance) -> None:
    inner: Any = callable_
    while isinstance(inner, Instance):
        inner = inner.callable
    if str(inner).startswith(_BY_VALUE):
        m.record.suspect(str(inner), "contains code by value, and calls it")
    else:
        m.record.trick(
            str(inner), "its result is called in turn, so that the file runs what it has put together itself"
        )


@handles(b"b")
def _build(m: Machine) -> None:
    state = m.stack.pop()
    target = m.stack[-1]
    if isinstance(target, Array):
        fill(m, target, state)
    elif isinstance(target, Instance):
        check_state(m.record, target, state)
        both = isinstance(target.state, dict) and isinstance(state, dict)
        target.state = {**target.state, **state} if both else state
        if is_wrapper(target):
            read_wrapped(m, target)
    elif isinstance(target, Global):
        m.record.trick(str(target), "is changed itself while the file loads, not an object made from it")
    elif not isinstance(target, PersistentId):
        raise CutOffError(f"it gives a state to a {type(target).__name__}")


@handles(b"P")
def _persid(m: Machine) -> None:
    _persistent(m, m.line().decode("latin-1"))


@handles(b"Q")
def _binpersid(m: Machine) -> None:
    _persistent(m, m.stack.pop())


def _persistent(m: Machine, pid: Any) -> None:
    m.made += 1
    kind = pid[0] if isinstance(pid, tuple) and pid else None
    if kind == "reduce_package" and len(pid) > 2 and isinstance(pid[-2], Global) and isinstance(pid[-1], tuple):
        m.stack.append(_call(m, pid[-2], pid[-1]))  # torch.package's own call, of something that it stored as code
        return
    if kind == "module" and len(pid) > 1 and isinstance(pid[1], Global):
        m.stack.append(pid[1])  # torch before 1.6 wrote a class so, beside its source, which nobody runs
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
    m.record.outside[f"it uses extension code {code}, which only the program that wrote it knows (copyreg)"] = None
    m.stack.append(_look_up(m, "copyreg", f"extension_{code}"))


@handles(b"\x97")
def _next_buffer(m: Machine) -> None:
    m.record.outside["it refers to buffers that are stored elsewhere (protocol 5, out of band)"] = None
    m.stack.append(Blob(kind="bytes", size=0))


@handles(b"\x98")
def _readonly_buffer(m: Machine) -> None:
    m.stack[-1]  # the top must be there; that it is made read-only changes nothing here
