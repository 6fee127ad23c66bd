"""Follows shapes through TorchScript's code as text: what the first layers want of the inputs, what the last ones give."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mlpack.artifacts.model import TensorSpec
from mlpack.formats.pytorch.archive import TorchArchive
from mlpack.formats.pytorch.tensors import tensor_of
from mlpack.formats.pytorch.torchscript.grouped import Group, record
from mlpack.formats.pytorch.torchscript.plain import PLAIN
from mlpack.formats.pytorch.torchscript.script import Method, Script
from mlpack.formats.pytorch.torchscript.shapes import OPERATIONS, UNKNOWN, Demands, Flowing
from mlpack.readers.counts import is_whole
from mlpack.readers.pickles.values import Instance

_DEEPEST = 40
_MOST_STEPS = 20_000
# Calls that change a list or dictionary in its place.
_CHANGING = frozenset({
    "torch._set_item", "torch.append", "torch.extend", "torch.insert", "torch.pop", "torch.popitem", "torch.clear",
    "torch.update", "torch.setdefault", "torch.Delete", "torch.reverse", "torch.remove", "torch.sort",
})  # fmt: skip


@dataclass(frozen=True)
class ByCode:
    """What the code tells: the inputs that a first layer decides, by name, and the answer as far as it can be followed.

    `whole` is false when parts of the code were not followed.
    """

    inputs: Mapping[str, TensorSpec] = field(default_factory=dict)
    answer: Any = UNKNOWN
    whole: bool = False


def shapes_by_code(script: Script, archive: TorchArchive, qualified: str, given: Mapping[str, Any]) -> ByCode:
    """The inputs and the answer of a class's `forward`, for arguments by name; the rest of them are at their defaults."""
    method = script.method(qualified)
    root = archive.pickles.get("data.pkl")
    if method is None or not isinstance(root, Instance):
        return ByCode()
    walk = _Walk(script, archive)
    answer = walk.called(method, root, given)
    found = {
        name: TensorSpec(name=name, dtype=value.dtype, shape=(-1, *(value.axes or ())[1:]))
        for name, value in walk.demands.inputs.items()
        if walk.demands.rows_first
    }
    return ByCode(found, answer, walk.whole)


class _Stop(Exception):  # noqa: N818 - ends a walk, always caught
    """The walk has an answer (`value`), or raises in the model's own way (`raised`)."""

    def __init__(self, value: Any = UNKNOWN, *, raised: bool = False) -> None:
        super().__init__()
        self.value, self.raised = value, raised


class _Walk:
    """One walk through a model's code, with bounded depth and steps."""

    def __init__(self, script: Script, archive: TorchArchive) -> None:
        self.script = script
        self.demands = Demands()
        held = archive.pickles.get("constants.pkl")
        self.constants = tuple(held) if isinstance(held, tuple | list) else ()
        self.depth = self.steps = 0
        self.whole = True

    def called(self, method: Method, instance: Any, given: Sequence[Any] | Mapping[str, Any]) -> Any:
        """The answer of a method or function for these arguments, in their order or by name."""
        if self.depth >= _DEEPEST:
            self.whole = False
            return UNKNOWN
        names = [one.name for one in method.arguments]
        by_name = given if isinstance(given, Mapping) else dict(zip(names, given, strict=False))
        values = [by_name.get(name, UNKNOWN) for name in names]
        for place, default in enumerate(reversed(method.tree.args.defaults), 1):
            if names[-place] not in by_name:
                values[-place] = self.value(default, {})
        scope = dict(zip(names, values, strict=True))
        if method.self_name:
            scope[method.self_name] = instance
        self.depth += 1
        try:
            self.run(method.tree.body, scope)
        except _Stop as stopped:
            return stopped.value
        finally:
            self.depth -= 1
        return None

    def run(self, body: Sequence[ast.stmt], scope: dict[str, Any]) -> None:
        """The statements one after the other; raises _Stop at a return."""
        for node in body:
            self.steps += 1
            if self.steps > _MOST_STEPS:
                self.whole = False
                raise _Stop
            if isinstance(node, ast.Return):
                raise _Stop(self.value(node.value, scope) if node.value else None)
            if isinstance(node, ast.Expr) and "RaiseException" in ast.dump(node.value):
                raise _Stop(raised=True)
            if isinstance(node, ast.Assign):
                self.bind(node.targets[0], self.value(node.value, scope), scope)
            elif isinstance(node, ast.Expr):
                self.value(node.value, scope)
            elif isinstance(node, ast.If):
                self.branch(node, scope)
            elif isinstance(node, ast.For | ast.While | ast.With):
                self.pass_by(node, scope)

    def pass_by(self, node: ast.stmt, scope: dict[str, Any]) -> None:
        """What a loop sets or changes is not known after it; what it goes through has any number of parts."""
        for one in ast.walk(node):
            if isinstance(one, ast.Name) and isinstance(scope.get(one.id), Group):
                scope[one.id].open = True
        stored = (one for one in ast.walk(node) if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Store))
        scope.update({one.id: UNKNOWN for one in stored})
        _forget_changed(node, scope)

    def branch(self, node: ast.If, scope: dict[str, Any]) -> None:
        test = self.value(node.test, scope)
        if isinstance(test, bool):
            self.run(node.body if test else node.orelse, scope)
            return
        ends: list[dict[str, Any]] = []
        _forget_changed(node, scope)
        for body in (node.body, node.orelse):
            own = dict(scope)
            try:
                self.run(body, own)
            except _Stop as stopped:
                if not stopped.raised:
                    self.whole = False
                    raise _Stop from None  # one way answers, the other goes on: not followed
            else:
                ends.append(own)
        if not ends:
            raise _Stop(raised=True)
        for name in {name for end in ends for name in end}:
            found = [end.get(name, UNKNOWN) for end in ends]
            scope[name] = _either(found)

    def bind(self, target: ast.expr, value: Any, scope: dict[str, Any]) -> None:
        if isinstance(target, ast.Name):
            scope[target.id] = value
        elif isinstance(target, ast.Tuple):
            value = value.unpacked(len(target.elts)) if isinstance(value, Group) else value
            parts = value if isinstance(value, tuple | list) and len(value) == len(target.elts) else ()
            for place, one in enumerate(target.elts):
                self.bind(one, parts[place] if parts else UNKNOWN, scope)

    def value(self, node: ast.expr, scope: dict[str, Any]) -> Any:
        """What an expression gives, as far as it is known."""
        known: dict[type, Callable[[Any, dict[str, Any]], Any]] = {
            ast.Call: self._call, ast.Attribute: self._attribute, ast.Subscript: self._item
        }  # fmt: skip
        if isinstance(node, ast.Constant):
            return node.value
        if isinstance(node, ast.Name):
            return scope.get(node.id, UNKNOWN)
        if isinstance(node, ast.List):
            return [self.value(one, scope) for one in node.elts]
        if isinstance(node, ast.Tuple):
            return tuple(self.value(one, scope) for one in node.elts)
        if isinstance(node, ast.Dict):
            keys = [self.value(key, scope) if key is not None else UNKNOWN for key in node.keys]
            plain = all(isinstance(key, str) for key in keys)
            return dict(zip(keys, (self.value(one, scope) for one in node.values), strict=True)) if plain else UNKNOWN
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            inner = self.value(node.operand, scope)
            return -inner if isinstance(inner, int | float) else UNKNOWN
        handler = known.get(type(node))
        return handler(node, scope) if handler else UNKNOWN

    def _attribute(self, node: ast.Attribute, scope: dict[str, Any]) -> Any:
        path = ast.unparse(node)
        if path.startswith("__torch__."):
            return _Named(path)
        if path.startswith("CONSTANTS.c") and is_whole(path[11:]) and int(path[11:]) < len(self.constants):
            return _held(self.constants[int(path[11:])])
        owner = self.value(node.value, scope)
        return _held(owner.attributes().get(node.attr, UNKNOWN)) if isinstance(owner, Instance) else UNKNOWN

    def _item(self, node: ast.Subscript, scope: dict[str, Any]) -> Any:
        value, place = self.value(node.value, scope), self.value(node.slice, scope)
        if isinstance(value, Group):
            return value.part(place)
        if isinstance(value, tuple | list) and isinstance(place, int) and -len(value) <= place < len(value):
            return value[place]
        return value.get(place, UNKNOWN) if isinstance(value, dict) and isinstance(place, str) else UNKNOWN

    def _call(self, node: ast.Call, scope: dict[str, Any]) -> Any:
        args = [self.value(one, scope) for one in node.args]
        path = ast.unparse(node.func)
        if path == "annotate" and len(args) == 2:
            return args[1]
        if path == "unchecked_cast" and len(args) == 2:
            return args[1]
        if (name := _changed_by(node)) and isinstance(scope.get(name), list | dict):
            return _change(path, name, args, scope)
        if path.startswith("torch.") and path.count(".") == 1:
            return self._operation(path[6:], args)
        if isinstance(node.func, ast.Attribute):
            owner = self.value(node.func.value, scope)
            if isinstance(owner, Instance):
                method = self.script.method(owner.class_name, node.func.attr)
                return _lost(args) if method is None else self.called(method, owner, args)
        function = self.value(node.func, scope)
        if isinstance(function, _Named) and (free := self.script.function(function.path)) is not None:
            return self.called(free, None, args)
        if isinstance(function, _Named) and (fields := self.script.record(function.path)) is not None:
            return record(tuple(fields), args) if len(fields) == len(args) else UNKNOWN
        return _lost(args)

    def _operation(self, name: str, args: list[Any]) -> Any:
        _lost(args)
        if name in PLAIN:
            return PLAIN[name](args)
        operation = OPERATIONS.get(name)
        if operation is None or not args:
            return UNKNOWN
        try:
            return operation(self.demands, args)
        except (IndexError, TypeError, ValueError, ZeroDivisionError, OverflowError):
            return UNKNOWN  # an operation that is called in a way that is not known here


def _forget_changed(node: ast.stmt, scope: dict[str, Any]) -> None:
    """Lists and dictionaries that a statement may change are not known any more."""
    scope.update({name: UNKNOWN for name in _changed_in(node) if isinstance(scope.get(name), list | dict)})


def _lost(args: Sequence[Any]) -> Any:
    """What nobody knows comes of these; what it makes of an argument that holds several tensors is not known either."""
    for one in args:
        if isinstance(one, Group):
            one.open = True
        elif isinstance(one, list | tuple):
            _lost(one)
    return UNKNOWN


def _either(found: Sequence[Any]) -> Any:
    """What a name holds after a branch that nobody can tell: the input itself, where one side left it as it is."""
    if all(one is found[0] or one == found[0] for one in found):
        return found[0]
    left = [one for one in found if isinstance(one, Flowing) and one.origin]
    return left[0] if len(left) == 1 and len(found) > 1 else UNKNOWN


@dataclass(frozen=True)
class _Named:
    """A function or class by its name."""

    path: str


def _change(path: str, name: str, args: Sequence[Any], scope: dict[str, Any]) -> Any:
    """A list or dictionary that something is put into; one that is changed otherwise is not known any more."""
    held = scope.get(name)
    if path == "torch.append" and isinstance(held, list) and len(args) == 2:
        held.append(args[1])
    elif path == "torch._set_item" and isinstance(held, dict) and len(args) == 3 and isinstance(args[1], str):
        held[args[1]] = args[2]
    elif isinstance(held, list | dict):
        scope[name] = UNKNOWN
    return scope.get(name, UNKNOWN)


def _held(value: Any) -> Any:
    """What an attribute or constant of the archive holds: a tensor's shape, a plain value, a module."""
    tensor = tensor_of(value)
    if tensor is not None:
        return Flowing(axes=tensor.shape, dtype=tensor.dtype)
    if isinstance(value, Instance) and value.class_name.startswith("torch.jit._pickle.build_") and value.args:
        inner = value.args[0]
        return [_held(one) for one in inner] if isinstance(inner, list | tuple) else UNKNOWN
    return value


def _changed_by(call: ast.Call) -> str:
    """The name of what a call changes; "" when it changes nothing that has a name."""
    first = call.args[0] if call.args else None
    return first.id if isinstance(first, ast.Name) and ast.unparse(call.func) in _CHANGING else ""


def _changed_in(node: ast.stmt) -> Iterator[str]:
    """The names of all that calls below a statement change."""
    for one in ast.walk(node):
        if isinstance(one, ast.Call) and (name := _changed_by(one)):
            yield name
