"""Follows shapes through TorchScript's code as text: what the first layers want of the inputs, what the last ones give."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mlpack.artifacts.model import DTYPES, TensorSpec
from mlpack.formats.pytorch.archive import TorchArchive
from mlpack.formats.pytorch.asked import OPEN
from mlpack.formats.pytorch.plain import PLAIN
from mlpack.formats.pytorch.script import Method, Script
from mlpack.formats.pytorch.shapes import OPERATIONS, UNKNOWN, Demands, Flowing
from mlpack.formats.pytorch.tensors import tensor_of
from mlpack.readers.values import Instance

_DEEPEST = 40
_MOST_STEPS = 20_000


@dataclass(frozen=True)
class ByCode:
    """What the code tells: the inputs that a first layer decides, by name, and the outputs (() when it cannot be told)."""

    inputs: Mapping[str, TensorSpec] = field(default_factory=dict)
    outputs: tuple[TensorSpec, ...] = ()


def told_by_code(script: Script, archive: TorchArchive, qualified: str, inputs: Sequence[TensorSpec]) -> ByCode:
    """The inputs and outputs of a class's `forward`, for inputs that are known or (with ()) to be found."""
    method = script.method(qualified)
    root = archive.pickles.get("data.pkl")
    if method is None or not isinstance(root, Instance):
        return ByCode()
    known = {one.name: Flowing(axes=_axes(one), dtype=one.dtype, origin=one.name) for one in inputs}
    walk = _Walk(script, archive)
    used = [one for one in method.arguments if not one.optional] or method.arguments[:1]
    given = [known.get(one.name) or _unknown_argument(one.name, one.type) for one in used]  # the rest at their defaults
    answer = walk.called(method, root, given)
    found = {
        name: TensorSpec(name=name, dtype=value.dtype, shape=(-1, *(value.axes or ())[1:]))
        for name, value in walk.demands.inputs.items()
        if walk.demands.rows_first
    }
    return ByCode(found, tuple(_outputs(answer)))


def _axes(spec: TensorSpec) -> tuple[int, ...] | None:
    return tuple(axis if isinstance(axis, int) else -1 for axis in spec.shape)


def _unknown_argument(name: str, kind: str) -> Any:
    return Flowing(origin=name) if "Tensor" in kind and "List" not in kind and "Tuple" not in kind else UNKNOWN


def _outputs(answer: Any) -> list[TensorSpec]:
    """The specs of an answer: a tensor, several by number, or by the keys of a dict."""
    if isinstance(answer, Flowing):
        return [_spec("output", answer)]
    if isinstance(answer, tuple) and answer:
        return [_spec(f"output_{place}", one) for place, one in enumerate(answer)]
    if isinstance(answer, dict) and answer:
        return [_spec(str(name), one) for name, one in answer.items()]
    return []


def _spec(name: str, value: Any) -> TensorSpec:
    if not isinstance(value, Flowing) or value.axes is None:
        dtype = value.dtype if isinstance(value, Flowing) and value.dtype in DTYPES else "FP32"
        return TensorSpec(name=name, dtype=dtype, shape=(-1, OPEN))
    dtype = value.dtype if value.dtype in DTYPES else "FP32"
    return TensorSpec(name=name, dtype=dtype, shape=(-1, *value.axes[1:]))


class _Stop(Exception):  # noqa: N818 - the way out of a walk, told to nobody
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

    def called(self, method: Method, instance: Any, given: Sequence[Any]) -> Any:
        """The answer of a method or function for these arguments."""
        if self.depth >= _DEEPEST:
            return UNKNOWN
        names = [one.name for one in method.arguments]
        values = [*given, *[UNKNOWN] * len(names)][: len(names)]
        for place, default in enumerate(reversed(method.tree.args.defaults), 1):
            if len(given) <= len(names) - place:
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
                stored = (one for one in ast.walk(node) if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Store))
                scope.update({one.id: UNKNOWN for one in stored})

    def branch(self, node: ast.If, scope: dict[str, Any]) -> None:
        test = self.value(node.test, scope)
        if isinstance(test, bool):
            self.run(node.body if test else node.orelse, scope)
            return
        ends: list[dict[str, Any]] = []
        for body in (node.body, node.orelse):
            own = dict(scope)
            try:
                self.run(body, own)
            except _Stop as stopped:
                if not stopped.raised:
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
            parts = value if isinstance(value, tuple | list) and len(value) == len(target.elts) else ()
            for place, one in enumerate(target.elts):
                self.bind(one, parts[place] if parts else UNKNOWN, scope)

    def value(self, node: ast.expr, scope: Mapping[str, Any]) -> Any:
        """What an expression gives, as far as it is known."""
        known: dict[type, Callable[[Any, Mapping[str, Any]], Any]] = {
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

    def _attribute(self, node: ast.Attribute, scope: Mapping[str, Any]) -> Any:
        path = ast.unparse(node)
        if path.startswith("__torch__."):
            return _Named(path)
        if path.startswith("CONSTANTS.c") and path[11:].isdigit() and int(path[11:]) < len(self.constants):
            return _held(self.constants[int(path[11:])])
        owner = self.value(node.value, scope)
        return _held(owner.attributes().get(node.attr, UNKNOWN)) if isinstance(owner, Instance) else UNKNOWN

    def _item(self, node: ast.Subscript, scope: Mapping[str, Any]) -> Any:
        value, place = self.value(node.value, scope), self.value(node.slice, scope)
        if isinstance(value, tuple | list) and isinstance(place, int) and -len(value) <= place < len(value):
            return value[place]
        return value.get(place, UNKNOWN) if isinstance(value, dict) and isinstance(place, str) else UNKNOWN

    def _call(self, node: ast.Call, scope: Mapping[str, Any]) -> Any:
        args = [self.value(one, scope) for one in node.args]
        path = ast.unparse(node.func)
        if path == "annotate" and len(args) == 2:
            return args[1]
        if path == "unchecked_cast" and len(args) == 2:
            return args[1]
        if path.startswith("torch.") and path.count(".") == 1:
            return self._operation(path[6:], args)
        if isinstance(node.func, ast.Attribute):
            owner = self.value(node.func.value, scope)
            if isinstance(owner, Instance):
                method = self.script.method(owner.class_name, node.func.attr)
                return UNKNOWN if method is None else self.called(method, owner, args)
        function = self.value(node.func, scope)
        if isinstance(function, _Named) and (free := self.script.function(function.path)) is not None:
            return self.called(free, None, args)
        return UNKNOWN

    def _operation(self, name: str, args: list[Any]) -> Any:
        if name in PLAIN:
            return PLAIN[name](args)
        operation = OPERATIONS.get(name)
        if operation is None or not args:
            return UNKNOWN
        try:
            return operation(self.demands, args)
        except (IndexError, TypeError, ValueError, ZeroDivisionError, OverflowError):
            return UNKNOWN  # an operation that is called in a way that is not known here


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


def _held(value: Any) -> Any:
    """What an attribute or constant of the archive holds: a tensor's shape, a plain value, a module."""
    tensor = tensor_of(value)
    if tensor is not None:
        return Flowing(axes=tensor.shape, dtype=tensor.dtype)
    if isinstance(value, Instance) and value.class_name.startswith("torch.jit._pickle.build_") and value.args:
        inner = value.args[0]
        return [_held(one) for one in inner] if isinstance(inner, list | tuple) else UNKNOWN
    return value
