"""Opcodes that create and fill lists, tuples, dicts and sets, change the stack, and use the memo."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

from mlpack.readers.limits import CutOffError
from mlpack.readers.pickles.bytewindow import LOADER, CraftedError, StuckError
from mlpack.readers.pickles.joblib_arrays import is_wrapper
from mlpack.readers.pickles.keys import key_of
from mlpack.readers.pickles.opcodes import DEEPEST, Machine, handles
from mlpack.readers.pickles.values import Global, Instance
from mlpack.readers.verdicts.allowlist import use_of
from mlpack.readers.verdicts.argument_checks import acts

# Known container classes whose methods for adding items call no other code.
_LISTS = frozenset({"collections.deque"})
_DICTS = frozenset(
    {"collections.OrderedDict", "collections.defaultdict", "collections.Counter", "sklearn.utils.Bunch"}
    | {"sklearn.utils._bunch.Bunch", "sklearn.covariance._graph_lasso._DictWithDeprecatedKeys"}
    | {"scipy.sparse._dok.dok_matrix", "scipy.sparse.dok.dok_matrix"}
)
_CALLED = "the file adds items to it, which calls a method of an object that is not a container"


@handles(b"]")
def _empty_list(m: Machine) -> None:
    m.made += 1
    m.stack.append([])
    if len(m.stack) > DEEPEST:
        m.check_depth()
    m.protocol = m.protocol or 1


@handles(b"}")
def _empty_dict(m: Machine) -> None:
    m.made += 1
    m.stack.append({})
    if len(m.stack) > DEEPEST:
        m.check_depth()
    m.protocol = m.protocol or 1


@handles(b")")
def _empty_tuple(m: Machine) -> None:
    m.stack.append(())
    m.protocol = m.protocol or 1


@handles(b"\x8f")
def _empty_set(m: Machine) -> None:
    m.made_one(4)
    m.stack.append(set())


@handles(b"l")
def _list(m: Machine) -> None:
    m.made_one(2)
    m.stack.append(m.popmark())


@handles(b"t")
def _tuple(m: Machine) -> None:
    m.made_one()
    m.stack.append(tuple(m.popmark()))


@handles(b"\x85")
def _tuple1(m: Machine) -> None:
    m.made_one()
    stack = m.stack
    stack[-1] = (stack[-1],)


@handles(b"\x86")
def _tuple2(m: Machine) -> None:
    m.made_one()
    stack = m.stack
    stack[-2:] = [(stack[-2], stack[-1])]


@handles(b"\x87")
def _tuple3(m: Machine) -> None:
    m.made_one()
    stack = m.stack
    stack[-3:] = [(stack[-3], stack[-2], stack[-1])]


@handles(b"d")
def _dict(m: Machine) -> None:
    m.made_one(2)
    pairs = m.popmark()
    made: dict[Any, Any] = {}
    _set_items(m, made, pairs)
    m.stack.append(made)


@handles(b"\x91")
def _frozenset(m: Machine) -> None:
    m.made_one(4)
    m.stack.append(frozenset(map(key_of, m.popmark())))


@handles(b"a")
def _append(m: Machine) -> None:
    value = m.stack.pop()
    _extend(m, m.stack[-1], [value])


@handles(b"e")
def _appends(m: Machine) -> None:
    values = m.popmark()
    _extend(m, m.stack[-1], values)


def _extend(m: Machine, target: Any, values: Sequence[Any]) -> None:
    if isinstance(target, list):
        target.extend(values)
    elif isinstance(target, Instance):
        _put_in(m, target, values, _LISTS)
    elif isinstance(target, bytearray):
        return  # such an object is never read
    else:
        raise _no_container(target)


@handles(b"\x90")
def _additems(m: Machine) -> None:
    values = m.popmark()
    target = m.stack[-1]
    if isinstance(target, set):
        target.update(map(key_of, values))
    elif isinstance(target, Instance):
        _put_in(m, target, values, frozenset())
    else:
        raise _no_container(target)


def _put_in(m: Machine, target: Instance, values: Sequence[Any], containers: frozenset[str]) -> None:
    _check_container(m, target, containers)
    if not isinstance(target.items, list):
        target.items = []
    target.items.extend(values)


def _check_container(m: Machine, target: Instance, containers: frozenset[str]) -> None:
    if m.other and is_wrapper(target):
        raise StuckError("it adds items to joblib's wrapper, which has no method for it")
    # Adding items to an object calls its method, which is known only for containers; other classes get a finding.
    if target.class_name not in containers and (target.made_of is None or use_of(target.made_of) is not None):
        m.record.dangerous(target.class_name, _CALLED)


def _no_container(target: Any) -> CutOffError:
    if isinstance(target, Global):
        return CraftedError(str(target), _CALLED)
    return StuckError(f"it adds items to a {type(target).__name__}")


@handles(b"s")
def _setitem(m: Machine) -> None:
    value, key = m.stack.pop(), m.stack.pop()
    target = m.stack[-1]
    if type(target) is dict and type(key) is str and id(target) not in m.states:
        target[key] = value
    else:
        _set_items(m, target, (key, value))


@handles(b"u")
def _setitems(m: Machine) -> None:
    pairs = m.popmark()
    _set_items(m, m.stack[-1], pairs)


def _set_items(m: Machine, target: Any, flat: Sequence[Any]) -> None:
    if len(flat) % 2:
        raise ValueError("a key has no value")
    keys, values = flat[::2], flat[1::2]
    if isinstance(target, dict):
        if id(target) in m.states and not all(map(_is_attribute, keys, values)):
            m.record.dangerous(
                LOADER, "an object's attributes are changed after they were set, which changes its behaviour"
            )
        for key, value in zip(keys, values, strict=True):
            target[key if type(key) is str else key_of(key)] = value
    elif isinstance(target, Instance):
        _check_container(m, target, _DICTS)
        if not isinstance(target.mapping, list):
            target.mapping = []
        target.mapping.extend(zip(keys, values, strict=True))
    elif flat:
        raise _no_container(target)


def _is_attribute(key: Any, value: Any) -> bool:
    return isinstance(key, str) and not (key.startswith("__") and key.endswith("__")) and not acts(value)


@handles(b"0")
def _pop(m: Machine) -> None:
    # A POP directly after a MARK removes the mark.
    if m.marks and m.marks[-1] == len(m.stack):
        m.marks.pop()
    else:
        m.stack.pop()


@handles(b"1")
def _pop_mark(m: Machine) -> None:
    m.popmark()


@handles(b"2")
def _dup(m: Machine) -> None:
    m.stack.append(m.stack[-1])


@handles(b"p")
def _put(m: Machine) -> None:
    m.put(int(m.line()))


@handles(b"q")
def _binput(m: Machine) -> None:
    m.protocol = m.protocol or 1
    m.put(m.take(1)[0])


@handles(b"r")
def _long_binput(m: Machine) -> None:
    m.put(struct.unpack("<I", m.take(4))[0])


@handles(b"\x94")
def _memoize(m: Machine) -> None:
    m.put(len(m.memo) + len(m.sparse))


@handles(b"g")
def _get(m: Machine) -> None:
    m.get(int(m.line()))


@handles(b"h")
def _binget(m: Machine) -> None:
    m.get(m.take(1)[0])


@handles(b"j")
def _long_binget(m: Machine) -> None:
    m.get(struct.unpack("<I", m.take(4))[0])
