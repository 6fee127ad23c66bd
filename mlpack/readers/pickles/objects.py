"""Opcodes that look up names, call them, and set the state of the results."""

from __future__ import annotations

from typing import Any

from mlpack.readers.limits import CutOffError
from mlpack.readers.pickles.bytecode import FEWEST, compilers
from mlpack.readers.pickles.bytewindow import LOADER, CraftedError, StuckError
from mlpack.readers.pickles.dtypes import dtype_of, is_dtype, is_string_dtype
from mlpack.readers.pickles.folding import build_dtype, check_masked, fill, fold
from mlpack.readers.pickles.joblib_arrays import is_wrapper, made_wrapper, may_be_wrapper_class, read_wrapped
from mlpack.readers.pickles.opcodes import Machine, handles
from mlpack.readers.pickles.record import KERAS_UNPICKLE
from mlpack.readers.pickles.text_methods import text_method
from mlpack.readers.pickles.values import Array, Global, Instance, PersistentId
from mlpack.readers.verdicts.allowlist import danger_of, use_of
from mlpack.readers.verdicts.argument_checks import acts
from mlpack.readers.verdicts.arguments import check_call
from mlpack.readers.verdicts.carried import check_carried
from mlpack.readers.verdicts.states import check_state

_IMPORTERS = ("subimport", "_import_module")
_BY_VALUE = ("cloudpickle.", "dill.")
_GIVES_BACK = ("torch.jit._pickle.restore_type_tag",)  # functions that return their argument
# joblib pickles some objects with a separate memo, so this text may be found at the memo index of numpy's name.
_OF_NUMPY = ("dtype",)
_WRITE_BYTES = ("_codecs.encode", "builtins.bytes", "__builtin__.bytes")  # bytes in protocols 0 to 2
_MASKED = ("numpy.ma.core._mareconstruct",)


@handles(b"c")
def _global(m: Machine) -> None:
    module, name = m.line().decode(), m.line().decode()
    m.stack.append(look_up(m, module, name))


@handles(b"\x93")
def _stack_global(m: Machine) -> None:
    name, module = m.stack.pop(), m.stack.pop()
    if not isinstance(name, str) or not isinstance(module, str):
        if any(_may_be_text(one, sure=not m.other) for one in (module, name)):
            raise CraftedError(LOADER, "the file computes a name that it looks up")
        raise StuckError("it looks up a name that is not text")
    m.stack.append(look_up(m, module, name))


def _may_be_text(value: Any, *, sure: bool) -> bool:
    # After an array's bytes, memo indices may refer to other objects, which are not texts.
    return isinstance(value, Instance) and (sure or str(value.callable) in _GIVES_BACK)


def look_up(m: Machine, module: str, name: str) -> Global:
    """The global of this name, recorded as looked up."""
    known = m.known.get((module, name))
    if known is None:
        known = Global(module, name)
        if m.other and use_of(known) is None and _mistaken(m, module, name):
            raise StuckError(f"it looks up {name[:100]!r} in {module[:100]!r}, which has no such name")
        m.known[module, name] = known
    if may_be_wrapper_class(known):
        m.record.dangerous(str(known), "it refers to joblib's wrapper of an array in a form that joblib never writes")
    m.record.names[known] = None
    return known


def _mistaken(m: Machine, module: str, name: str) -> bool:
    """Whether shifted memo indices after an array formed a name from two texts that the first reading does not combine."""
    nowhere = module.partition(".")[0] not in m.roots or name in _OF_NUMPY
    return nowhere and m.seen(module) and m.seen(name)


@handles(b"i")
def _inst(m: Machine) -> None:
    module, name = m.line().decode(), m.line().decode()
    args = tuple(m.popmark())
    m.stack.append(call(m, look_up(m, module, name), args))


@handles(b"o")
def _obj(m: Machine) -> None:
    callable_, *args = m.popmark()
    m.stack.append(call(m, callable_, tuple(args)))


@handles(b"R")
def _reduce(m: Machine) -> None:
    args = m.stack.pop()
    m.stack[-1] = call(m, m.stack[-1], args)


@handles(b"\x81")
def _newobj(m: Machine) -> None:
    args = m.stack.pop()
    m.stack[-1] = call(m, m.stack[-1], args, new=True)


@handles(b"\x92")
def _newobj_ex(m: Machine) -> None:
    kwargs, args = m.stack.pop(), m.stack.pop()
    made = call(m, m.stack[-1], args, kwargs, new=True)
    if isinstance(made, Instance) and isinstance(kwargs, dict):
        made.kwargs = kwargs
    m.stack[-1] = made


def call(m: Machine, callable_: Any, args: Any, kwargs: Any = None, *, new: bool = False) -> Any:
    """Check a call, and return the object that it creates."""
    _check_form(m, callable_, args, kwargs)
    m.made += 3
    if isinstance(callable_, Global):
        m.record.called.add(callable_)
        if made_wrapper(callable_, args, new=new):
            m.end_waiting()
            m.waiting = wrapper = Instance(callable_, args)
            return wrapper
        if is_dtype(callable_):
            return _dtype(m, callable_, args, kwargs)
        if not new and (method := text_method(callable_, args)) is not None:
            m.end_waiting()
            m.record.text_methods = True
            return look_up(m, "builtins", method)
        _check_named(m, callable_, args, kwargs, new=new)
    else:
        m.end_waiting()
        _check_computed(m, callable_)
    if len(args) >= FEWEST and (found := compilers(args)) is not None:
        m.record.compiled(found)
    made = NotImplemented if new else fold(m, callable_, args)
    return Instance(callable_, args) if made is NotImplemented else made


def _check_form(m: Machine, callable_: Any, args: Any, kwargs: Any) -> None:
    """Raise StuckError for a call that every loader refuses, CraftedError for one that some loaders refuse."""
    if isinstance(callable_, PersistentId):
        raise CutOffError("it calls an object that is stored elsewhere")
    if not isinstance(callable_, (Global, Instance)):
        raise StuckError(f"it calls a {type(callable_).__name__}")
    if not isinstance(kwargs, (dict, Instance, type(None))):
        raise StuckError("it creates an object with keyword arguments that are not a dict")
    if m.other and (_is_wrapper(args) or _is_no_function(callable_)):
        raise StuckError("it calls an object that cannot be called like this: these are an array's bytes")
    if type(args) is not tuple or not (kwargs is None or type(kwargs) is dict):
        raise CraftedError(_named(callable_), "it is called with arguments in a form that loaders read differently")


def _check_named(m: Machine, callable_: Global, args: tuple[Any, ...], kwargs: Any, *, new: bool) -> None:
    if not _is_of_a_dtype(m, callable_, args):
        m.end_waiting()
    if not new:
        _check_getattr(m, callable_, args)
        _check_setattr(m, callable_, args)
        _check_import(m, callable_, args)
        _check_array(m, callable_, args)
        check_carried(m.record, callable_, args)
    check_call(m.record, callable_, args, kwargs)


def _is_wrapper(args: Any) -> bool:
    return isinstance(args, Instance) and is_wrapper(args)


def _is_no_function(callable_: Global | Instance) -> bool:
    if isinstance(callable_, Global) or acts(callable_):
        return False
    return callable_.made_of is not None and use_of(callable_.made_of) is not None


def _named(callable_: Global | Instance) -> str:
    return str(callable_) if isinstance(callable_, Global) else callable_.class_name


def _is_of_a_dtype(m: Machine, callable_: Global, args: tuple[Any, ...]) -> bool:
    """Whether the call belongs to a dtype's state, or to joblib's wrapper with its dtype."""
    if is_string_dtype(callable_):
        return not any(one is m.waiting for one in args)
    return str(callable_) in _WRITE_BYTES and all(type(one) is str for one in args)


def _dtype(m: Machine, callable_: Global, args: tuple[Any, ...], kwargs: Any) -> Instance:
    if kwargs:
        raise CraftedError(str(callable_), "it creates a dtype in a form that numpy never writes")
    made = Instance(callable_, args)
    dtype_of(made)
    m.young.append(made)
    return made


def _check_getattr(m: Machine, callable_: Global, args: tuple[Any, ...]) -> None:
    if (callable_.module, callable_.name) not in (("builtins", "getattr"), ("__builtin__", "getattr")):
        return
    named = args[1] if len(args) > 1 else None
    if len(args) == 2 and isinstance(args[0], (Global, Instance, Array)) and _is_ordinary(named):
        # A bound method of a part of the model; harmless unless it is called while loading.
        m.record.suspect("builtins.getattr", f"contains the method {named!r} of an object that it creates")
    else:
        m.record.dangerous("builtins.getattr", "reads an attribute that no ordinary model file reads")


def _check_setattr(m: Machine, callable_: Global, args: tuple[Any, ...]) -> None:
    # dill sets the qualified name of a class in this way; no other ordinary file calls setattr.
    if (callable_.module, callable_.name) not in (("builtins", "setattr"), ("__builtin__", "setattr")):
        return
    if len(args) == 3 and isinstance(args[0], Instance) and args[1] == "__qualname__" and isinstance(args[2], str):
        m.record.suspect("builtins.setattr", "sets the name of a class that it creates")
    else:
        m.record.dangerous("builtins.setattr", "sets an attribute that no ordinary model file sets")


def _check_array(m: Machine, callable_: Global, args: tuple[Any, ...]) -> None:
    # dill writes an array as a call with the function that creates it, which is checked like any call.
    if (callable_.module, callable_.name) != ("dill._dill", "_create_array"):
        return
    if args and isinstance(args[0], Global):
        m.record.called.add(args[0])
    else:
        m.record.dangerous(str(callable_), "calls an object that the file computes")


def _check_import(m: Machine, callable_: Global, args: tuple[Any, ...]) -> None:
    # cloudpickle and dill write a module as a call with its name, which is checked like any name.
    if callable_.name in _IMPORTERS and callable_.module.startswith(_BY_VALUE) and args and isinstance(args[0], str):
        module, _, name = args[0].rpartition(".")
        for pair in ((args[0], "*"), (module, name)) if module else ((args[0], "*"),):
            if danger_of(Global(*pair)):
                look_up(m, *pair)


def _is_ordinary(name: Any) -> bool:
    return isinstance(name, str) and name.isidentifier() and not name.startswith("__")


def _check_computed(m: Machine, callable_: Instance) -> None:
    inner: Any = callable_
    while isinstance(inner, Instance):
        inner = inner.callable
    if str(inner).startswith(_BY_VALUE):
        m.record.suspect(str(inner), "contains code by value, and calls it")
    elif str(callable_.callable) == "builtins.getattr" and callable_.args[1:] == ("_unpickle_model",):
        m.record.dangerous(KERAS_UNPICKLE, "loads a Keras model that is inside the file, without a check")
    else:
        m.record.dangerous(str(inner), "its result is called, so that the file runs an object that it computes")


@handles(b"b")
def _build(m: Machine) -> None:
    state = m.stack.pop()
    target = m.stack[-1]
    if isinstance(target, Instance):
        if is_dtype(target.callable):
            build_dtype(m, target, state)
        elif is_wrapper(target):
            read_wrapped(m, target, state)
        else:
            m.end_waiting()
            _give(m, target, state)
        return
    m.end_waiting()
    if isinstance(target, Array):
        fill(m, target, state)
    elif isinstance(target, Global):
        m.record.dangerous(str(target), "the file changes the class or function itself, not an object created from it")
    elif not isinstance(target, PersistentId):
        raise (StuckError if m.other else CutOffError)(f"it sets the state of a {type(target).__name__}")


def _give(m: Machine, target: Instance, state: Any) -> None:
    if target.class_name in _MASKED:
        check_masked(m, target, state)
    check_state(m.record, target, state)
    for half in state if isinstance(state, tuple) and len(state) == 2 else (state,):
        if type(half) is dict:  # some classes use this dict itself as their attributes
            m.states[id(half)] = half
    both = isinstance(target.state, dict) and isinstance(state, dict)
    if target.state is not None and not both:
        m.record.suspect(target.class_name, "its state is set twice, in two forms")
    target.state = {**target.state, **state} if both else state
