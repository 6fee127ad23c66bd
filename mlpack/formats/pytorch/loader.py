"""PyTorch in the image: loads TorchScript, a module, weights or an exported program, and answers arrays with arrays."""

from __future__ import annotations

import ast
import importlib
import inspect
import json
import os
import pickletools
import re
import zipfile
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Mapping, Optional, Sequence, Set, Tuple

import numpy as np
import torch

_torch_load = torch.load
_ZIP = b"PK\x03\x04"
_FLOATS = {"FP16": torch.float16, "FP32": torch.float32, "FP64": torch.float64}


class Model:
    """A module and how it is called: `ask` takes tensors by name; `dtype` is what its floating inputs are cast to."""

    def __init__(self, ask: Callable[[Mapping[str, Any]], Any], module: Any, options: Mapping[str, Any]) -> None:
        self.ask, self.module = ask, module
        self.dtype = getattr(torch, str(options.get("dtype") or ""), None)
        self.kinds = {one["name"]: one["kind"] for one in options.get("arguments") or () if "parts" not in one}
        self.least = int(options.get("min_rows") or 1)
        self.most: Optional[int] = options.get("max_rows")


def load(path: str, options: Mapping[str, Any], guard: Any) -> Model:
    """The model in the file, ready to answer; `options["kind"]` says what the file is.

    Raises:
        ValueError: the weights do not fit the module that the user's function makes; the file is of another kind.
        the guard's own error: the file names something that `guard` does not list.
    """
    threads = os.environ.get("OMP_NUM_THREADS", "")
    if threads.isdecimal() and int(threads) > 0:
        torch.set_num_threads(int(threads))
    kind = options.get("kind")
    if kind == "torchscript":
        return _scripted(path, options, guard)
    if kind == "exported":
        return _exported(path, options, guard)
    if kind == "module":
        held = _unpickled(path, guard)
        return wrap(_picked(held, options.get("key")), options)
    return wrap(_made(path, options, guard), options)


def wrap(module: Any, options: Optional[Mapping[str, Any]] = None) -> Model:
    """A module that the user's own code loaded, as `predict` takes it."""
    if isinstance(module, Model):
        return module
    if hasattr(module, "eval"):
        module.eval()
    names = _parameters(module)

    def ask(inputs: Mapping[str, Any]) -> Any:
        if set(inputs) <= set(names):
            return module(**inputs)
        return module(*inputs.values())

    return Model(ask, module, options or {})


def unwrap(model: Model) -> Any:
    """The module, as the user's own code knows it."""
    return model.module


def predict(model: Model, signature: Any, inputs: Mapping[str, Any]) -> Dict[str, Any]:
    """The signature's outputs as arrays."""
    rows = len(next(iter(inputs.values()))) if signature.batch == "any" else 1
    with torch.inference_mode():
        if signature.batch == "any" and any(kind == "scalar" for kind in model.kinds.values()):
            return _by_scalars(model, signature, inputs, rows)
        if signature.batch == "any" and (rows < model.least or (model.most is not None and rows > model.most)):
            return _in_parts(model, signature, inputs, rows)
        return _asked(model, signature, inputs)


def _scripted(path: str, options: Mapping[str, Any], guard: Any) -> Model:
    _check_script(path, guard)
    module = torch.jit.load(path, map_location="cpu")
    _check_graphs(module, guard)
    if hasattr(module, "eval"):
        module.eval()
    arguments = options.get("arguments") or ()
    return Model(lambda inputs: module(**{one["name"]: _given(one, inputs) for one in arguments}), module, options)


def _given(argument: Mapping[str, Any], inputs: Mapping[str, Any]) -> Any:
    """An argument of forward: an input, or several of them as a dictionary, list or tuple."""
    parts = argument.get("parts")
    if parts is None:
        return inputs[argument["name"]]
    if argument["kind"] == "dict":
        return {key: inputs[name] for name, key in parts}
    values = [inputs[name] for name, _ in parts]
    return values if argument["kind"] == "list" else tuple(values)


def _exported(path: str, options: Mapping[str, Any], guard: Any) -> Model:
    _check_program(path, guard)
    with _only_listed(guard):
        program = torch.export.load(path)
    module = program.module()
    tree = importlib.import_module("torch.utils._pytree")
    given = [spec.arg for spec in program.graph_signature.input_specs if spec.kind.name == "USER_INPUT"]
    slots: List[Tuple[str, Any]] = [(arg.name, getattr(arg, "value", None)) for arg in given]

    def ask(inputs: Mapping[str, Any]) -> Any:
        flat = [inputs.get(name, value) for name, value in slots]
        args, kwargs = tree.tree_unflatten(flat, program.call_spec.in_spec)
        return module(*args, **kwargs)

    return Model(ask, module, options)


def _made(path: str, options: Mapping[str, Any], guard: Any) -> Any:
    """The module of the user's function with the file's weights in it."""
    name, _, function = str(options["entry"]).partition(":")
    module = getattr(importlib.import_module(name), function)()
    state = _state(path, options, guard)
    try:
        module.load_state_dict(state, strict=True)
    except RuntimeError as error:
        raise ValueError(f"the weights do not fit the module that {options['entry']} makes: {error}") from error
    return module


def _state(path: str, options: Mapping[str, Any], guard: Any) -> Any:
    if options.get("kind") == "safetensors":
        return importlib.import_module("safetensors.torch").load_file(path)
    held = _unpickled(path, guard, weights=True)
    state = _picked(held, options.get("key"))
    # Weights that were saved from a model in parallel, or compiled, have its name before each of theirs.
    for prefix in ("module.", "_orig_mod."):
        if state and all(str(name).startswith(prefix) for name in state):
            state = {name[len(prefix) :]: value for name, value in state.items()}
    return state


def _unpickled(file: Any, guard: Any, *, weights: bool = False) -> Any:
    """What `torch.save` wrote: tensors by torch's own reader of weights, all else by names that the guard lists."""
    if "constants.pkl" in {name.lower() for name in _records(file)}:  # torch.load would hand it to torch.jit.load
        raise ValueError("the file is TorchScript, and was taken for another kind: inspect it again")
    chosen = "weights_only" in inspect.signature(_torch_load).parameters  # since torch 1.13
    if weights and chosen:
        try:
            return _torch_load(file, map_location="cpu", weights_only=True)
        except Exception:  # noqa: BLE001 - whatever it is: the file holds more than tensors, or is broken for all readers
            file.seek(0) if hasattr(file, "seek") else None
    how = {"weights_only": False} if chosen else {}
    return _torch_load(file, map_location="cpu", pickle_module=_pickle_of(guard), **how)


def _pickle_of(guard: Any) -> Any:
    """The guard's pickle module as torch needs it: of a module that torch renamed it looks up the new name."""

    class Unpickler(guard.pickle.Unpickler):  # type: ignore[misc]  # a class that the guard made
        def find_class(self, module: str, name: str, /) -> Any:
            if module == "torch._tensor" and f"torch.tensor:{name}" in guard.listed("globals"):
                return getattr(importlib.import_module(module), name)
            return super().find_class(module, name)

    made = type(guard.pickle)("mlpack_guarded_pickle_of_torch")
    vars(made).update({**vars(guard.pickle), "__name__": made.__name__, "Unpickler": Unpickler})
    return made


@contextmanager
def _only_listed(guard: Any) -> Iterator[None]:
    """While torch.export reads a program, the pickles in it resolve the guard's names alone."""
    try:
        package = importlib.import_module("torch.export.pt2_archive._package")
    except ImportError:  # before torch 2.8
        package = None
    kept = getattr(package, "pickle", None)

    def guarded(file: Any, *_: Any, **__: Any) -> Any:
        return _unpickled(file, guard, weights=True)

    torch.load = guarded
    if kept is not None:
        vars(package)["pickle"] = guard.pickle
    try:
        yield
    finally:
        torch.load = _torch_load
        if kept is not None:
            vars(package)["pickle"] = kept


def _records(file: Any) -> List[str]:
    """The names of a zip's members as torch reads them; none of a file of another kind. `file` may be open already."""
    if isinstance(file, str):
        with Path(file).open("rb") as opened:
            head = opened.read(4)
        return list(_reader(file).get_all_records()) if head == _ZIP else []
    head = file.read(4)
    file.seek(0)
    names = list(_reader(file).get_all_records()) if head == _ZIP else []
    file.seek(0)
    return names


def _reader(file: Any) -> Any:
    """Torch's own reader of its archives, which is the one that its loaders use."""
    return torch._C.PyTorchFileReader(file)  # noqa: SLF001 - no other name reaches it


# What torch's interpreter has for syntax (`if`, `for`, calls, lists), and what it translates older code to.
_PRIM = (
    "Constant GetAttr SetAttr CallMethod CallFunction If Loop ListConstruct ListUnpack TupleConstruct TupleUnpack TupleIndex "
    "TupleSlice DictConstruct CreateObject isinstance unchecked_cast unchecked_unwrap_optional Uninitialized RaiseException "
    "Print fork Closure awaitable awaitable_nowait awaitable_wait NumToTensor min max abs device dtype tolist StringIndex "
    "ModuleContainerIndex EnumName EnumValue layout data grad requires_grad is_cuda type id itemsize rangelist name "
    "is_sparse is_mkldnn is_quantized is_meta is_nested is_mps is_xla is_xpu is_vulkan shape index Enter Exit With HasAttr"
)
_ATEN = (
    "__getitem__ __contains__ __is__ __isnot__ __not__ __and__ __or__ __xor__ __lshift__ __rshift__ __derive_index "
    "__range_length __round_to_zero_floordiv Bool Int Float Complex IntImplicit FloatImplicit ScalarImplicit ComplexImplicit "
    "add sub mul div floordiv remainder pow neg eq ne lt le gt ge len list dict str format percentFormat sorted ord chr hex "
    "oct bin abs round hash any all sum min max select slice index index_put_ _set_item Delete append copy keys values items "
    "get matmul bitwise_not dim size tensor to _unwrap_optional divmod warn true_divide floor_divide is_floating_point item "
    "unsqueeze ones_like zeros_like full full_like empty stack cat linspace logspace gelu wait detach as_tensor"
)
_SYNTAX = frozenset([f"prim::{name}" for name in _PRIM.split()] + [f"aten::{name}" for name in _ATEN.split()])
_TEXTS = re.compile(r"""#[^\n]*|\\\n|("{3}|'{3}|"|')(?:[^\\]|\\.)*?\1""", re.DOTALL)
_CHAIN = re.compile(r"\.?[A-Za-z_][\w.]*\(?", re.ASCII)


def _check_script(path: str, guard: Any) -> None:
    """Compare all that the archive's code and pickles name with the guard, before anything of it runs."""
    with Path(path).open("rb") as file:
        if file.read(8)[4:] == b"PTMF":  # older releases would read it as another format
            raise ValueError("the file is TorchScript in a form that is not read here: write it with torch.jit.save")
    reader, known = _reader(path), _of_values()
    found: Set[str] = set()
    names: Set[str] = set()
    for name in reader.get_all_records():
        if name.lower().endswith(".py"):
            found |= _named_in(reader.get_record(name).decode("latin-1"), known)
        elif "/" not in name and name.lower().endswith(".pkl"):
            for opcode, value, _ in pickletools.genops(reader.get_record(name)):
                if opcode.name in ("STACK_GLOBAL", "INST", "EXT1", "EXT2", "EXT4"):
                    raise ValueError(
                        f"{name} names something in a way that torch does not write: inspect the file again"
                    )
                if opcode.name == "GLOBAL":
                    names.add(str(value).replace(" ", ":", 1))
    guard.check("globals", names)
    guard.check("operators", found)


def _named_in(text: str, known: Set[str]) -> Set[str]:
    """The operators that TorchScript names: by a path (`torch.add`, `ops.aten.add`), or as methods of a value (`known`)."""
    strings = {one.group() for one in _TEXTS.finditer(text) if one.group(1)}
    code = _TEXTS.sub(lambda one: '""' if one.group(1) else " ", text)
    if re.search(r"""[^\x00-\x7e]|[\\'$`]""", code):
        raise ValueError("its code holds what torch does not write: inspect the file again")
    found: Set[str] = set()
    chains = set(_CHAIN.findall(re.sub(r"\s*([.(])\s*", r"\1", code)))
    for chain in chains:
        root, *names = [one for one in chain.rstrip("(").split(".") if one != "autograd"]
        if root in ("torch", "aten", "ops", "prim"):
            path = names[:2] if root == "ops" else ["aten" if root == "torch" else root, *names[:1]]
            if len(path) < 2:
                raise ValueError(f"its code uses {root} in a way that torch does not write: inspect the file again")
            found.add("::".join(path))
        elif root in ("rpc_sync", "rpc_async", "rpc_remote"):
            found.add(f"prim::{root}")
        elif names and root != "__torch__" and chain.endswith("(") and names[-1] in known:
            found.add(f"aten::{names[-1]}")
    if any(chain == "getattr(" for chain in chains):
        found |= {f"aten::{name}" for name in known.intersection(str(ast.literal_eval(one)) for one in strings)}
    return found


def _of_values() -> Set[str]:
    """The operators of this release that a value has as methods."""
    names = {schema.name for schema in torch._C._jit_get_all_schemas()}  # noqa: SLF001 - no other name reaches it
    return {name[len("aten::") :] for name in names if name.startswith("aten::")}


def _check_graphs(module: Any, guard: Any) -> None:
    """Compare the operators of the graphs, as torch itself has read them, with the guard: before the first call.

    What the module's methods call is put in its place; only where a call is left (through an interface), all modules count.
    """
    found: Set[str] = set()
    for graph in _graphs(module):
        whole = graph.copy()
        torch._C._jit_pass_inline(whole)  # noqa: SLF001 - no other name reaches it
        _walk(whole, found)
    if found & {"prim::CallMethod", "prim::CallFunction"}:
        for one in module.modules():
            for graph in _graphs(one):
                _walk(graph, found)
    guard.check("operators", found - _SYNTAX)


def _graphs(module: Any) -> Iterator[Any]:
    inner = module._c  # noqa: SLF001 - the module in torch's interpreter, which the Python one stands for
    for name in inner._method_names():  # noqa: SLF001
        yield inner._get_method(name).graph  # noqa: SLF001


def _walk(block: Any, found: Set[str]) -> None:
    for node in block.nodes():
        found.add(node.kind())
        for inner in node.blocks():
            _walk(inner, found)
        if node.hasAttribute("Subgraph"):
            _walk(node.g("Subgraph"), found)


_CALLS = (
    "FloorDiv ModularIndexing Where PythonMod Mod CleanDiv CeilToInt FloorToInt CeilDiv LShift RShift PowByNatural FloatPow "
    "FloatTrueDiv IntTrueDiv IsNonOverlappingAndDenseIndicator TruncToFloat TruncToInt RoundToInt RoundDecimal ToFloat "
    "Identity Add Mul Pow Max Min Abs Integer Float Rational Symbol Eq Ne Gt Ge Lt Le Equality Unequality GreaterThan LessThan "
    "StrictGreaterThan StrictLessThan And Or Not Piecewise ExprCondPair floor ceiling sqrt max min abs int float"
)
_FUNCTIONS = frozenset(_CALLS.split())
_OF_INPUTS = ("size", "stride", "storage_offset", "shape")
_OF_MATH = ("isnan", "trunc", "floor", "ceil", "sqrt", "inf")
_PARTS = (
    ast.Expression, ast.BinOp, ast.UnaryOp, ast.BoolOp, ast.Compare, ast.operator, ast.unaryop, ast.boolop, ast.cmpop,
    ast.Constant, ast.Name, ast.Call, ast.keyword, ast.Tuple, ast.expr_context,
)  # fmt: skip
_QUOTED = re.compile(r"""['"\\\n\r{}#;`]""")
_IMPORTS = re.compile(
    r"__enum__|default_factory_module(?!\W+builtins\W+default_factory_name\W+(?:list|dict|set|int|float)\b)"
)


def _check_program(path: str, guard: Any) -> None:
    """Compare what an exported program names with the guard, and its expressions with what torch writes; nothing is loaded."""
    with zipfile.ZipFile(path) as archive:  # torch.export reads older files so, and newer ones by torch's own reader
        members = {
            name: archive.read(name) for name in archive.namelist() if name.endswith(".json") and "/" not in name
        }
        names = archive.namelist()
    if any("/" in name for name in names):
        reader, records = _reader(path), _records(path)
        chosen = [name for name in records if name.lower().startswith("models/") or _is_json(name)]
        members.update({f"./{name}": reader.get_record(name) for name in chosen})
        names += records
    if any("aotinductor" in name.lower() for name in names):
        raise ValueError("the file holds compiled code, which is not loaded here: inspect the file again")
    operators: Set[str] = set()
    for data in members.values():
        waiting: List[Tuple[str, Any]] = [("", json.loads(data) if data[:2] != b"PK" else None)]
        while waiting:
            key, value = waiting.pop()
            if isinstance(value, dict):
                waiting += [(name, one) for name, one in value.items() if name != "metadata"]
                waiting += [("expr_str" if key == "range_constraints" else "name", name) for name in value]
            elif isinstance(value, list):
                waiting += [(key, one) for one in value]
            elif isinstance(value, str):
                _check_text(key, value, operators)
    guard.check("operators", operators)


def _is_json(name: str) -> bool:
    """Whether a member is read as JSON; those that the user added are not."""
    return name.lower().endswith(".json") and not name.startswith("extra/")


def _check_text(key: str, text: str, operators: Set[str]) -> None:
    """Look at one text of a program: a call's target is collected, an expression has to be one."""
    if key in ("target", "as_operator"):
        operators.add("::".join(text.split(".")[2:4]) if text.startswith("torch.ops.") else text)
    elif key in ("expr_str", "guards_code"):
        if not _computes(text, guard=key == "guards_code"):
            raise ValueError("the program holds an expression that does more than compute: inspect the file again")
    elif key in ("in_spec", "out_spec"):
        if _IMPORTS.search(text):
            raise ValueError("the form of the program's arguments names code: inspect the file again")
    elif _QUOTED.search(text):
        raise ValueError("a name in the program is more than a name: inspect the file again")


def _computes(text: str, *, guard: bool) -> bool:
    """Whether an expression is made of numbers, symbols, and the functions that torch writes; read by Python's own parser."""
    try:
        nodes = list(ast.walk(ast.parse(text.strip(), mode="eval")))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    given = [
        one for node in nodes if isinstance(node, ast.Call) and _name(node) in ("Symbol", "Float") for one in node.args
    ]
    return all(_is_part(node, guard=guard, text=node in given) for node in nodes)


def _is_part(node: Any, *, guard: bool, text: bool) -> bool:
    """Whether a part of an expression is one that torch writes; `guard` lets in what reads inputs, `text` a text."""
    if isinstance(node, ast.Constant):
        plain = not isinstance(node.value, bytes) and re.match(r"[\w .+-]*\Z", str(node.value)) is not None
        return plain and (guard or text or not isinstance(node.value, str))
    if isinstance(node, ast.Name):
        return "__" not in node.id
    if isinstance(node, ast.Call):
        return _name(node) in _FUNCTIONS or (guard and isinstance(node.func, ast.Attribute))
    if isinstance(node, ast.Attribute):
        of_math = isinstance(node.value, ast.Name) and node.value.id == "math"
        return guard and node.attr in (_OF_MATH if of_math else _OF_INPUTS)
    return isinstance(node, _PARTS) or (guard and isinstance(node, ast.Subscript))


def _name(call: Any) -> str:
    return call.func.id if isinstance(call.func, ast.Name) else ""


def _picked(held: Any, key: Optional[str]) -> Any:
    """What lies at a key of what was saved, at a place of a list or tuple; all of it without a key."""
    if not key:
        return held
    return held[int(key)] if isinstance(held, (list, tuple)) else held[key]


def _parameters(module: Any) -> List[str]:
    try:
        found = inspect.signature(getattr(module, "forward", module)).parameters.values()
    except (TypeError, ValueError):  # made in C++
        return []
    return [one.name for one in found if one.kind in (one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY)]


def _asked(model: Model, signature: Any, inputs: Mapping[str, Any]) -> Dict[str, Any]:
    """One call: arrays in, arrays out."""
    specs = {spec.name: spec for spec in signature.inputs}
    given = {name: _filled(model, specs.get(name), name, array) for name, array in inputs.items()}
    return _arrays(model.ask(given), signature)


def _filled(model: Model, spec: Any, name: str, array: Any) -> Any:
    """An argument of the module's own kind: a tensor, a plain value, or a list of them."""
    kind = model.kinds.get(name, "tensor")
    if kind == "scalar":
        return array.reshape(-1)[0].item() if array.dtype != object else array.reshape(-1)[0]
    if kind == "list":
        return array.tolist()
    tensor = torch.from_numpy(np.array(array, order="C"))  # a copy: the model may write into it
    if tensor.is_floating_point() and model.dtype is not None and (spec is None or spec.dtype in _FLOATS):
        wanted = _FLOATS.get(spec.dtype, model.dtype) if spec is not None else model.dtype
        return tensor.to(model.dtype if wanted == torch.float32 else wanted)
    return tensor


def _by_scalars(model: Model, signature: Any, inputs: Mapping[str, Any], rows: int) -> Dict[str, Any]:
    """Rows with the same plain values are asked together: a call has room for one of each."""
    plain = [name for name in inputs if model.kinds.get(name) == "scalar"]
    groups: Dict[Tuple[Any, ...], List[int]] = {}
    for row in range(rows):
        groups.setdefault(tuple(inputs[name][row] for name in plain), []).append(row)
    if len(groups) == 1:
        return _asked(model, signature, inputs)
    answers: Dict[str, List[Any]] = {}
    for places in groups.values():
        told = _asked(model, signature, {name: array[places] for name, array in inputs.items()})
        for name, array in told.items():
            rest = answers.setdefault(name, [None] * rows)
            for place, value in zip(places, array):
                rest[place] = value
    return {name: np.stack(values) for name, values in answers.items()}


def _in_parts(model: Model, signature: Any, inputs: Mapping[str, Any], rows: int) -> Dict[str, Any]:
    """A program that was exported for so many rows and no others: more are asked in parts, fewer with the last repeated."""
    step = model.most or rows
    parts: List[Dict[str, Any]] = []
    for start in range(0, rows, step):
        part = {name: array[start : start + step] for name, array in inputs.items()}
        have = len(next(iter(part.values())))
        short = max(0, model.least - have)
        if short:
            part = {name: np.concatenate([array, np.repeat(array[-1:], short, axis=0)]) for name, array in part.items()}
        parts.append({name: array[:have] for name, array in _asked(model, signature, part).items()})
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _arrays(answer: Any, signature: Any) -> Dict[str, Any]:
    """An answer as arrays by the signature's names: a tensor, a sequence of them, a dict, or any of these nested."""
    names = [spec.name for spec in signature.outputs]
    told = _flat(answer, "")
    if len(told) == 1:
        return {names[0] if names else "output": _array(told[0][1])}
    by_key = dict(told)
    if names and set(names) <= set(by_key):
        return {name: _array(by_key[name]) for name in names}
    if len(names) == len(told):
        return {name: _array(value) for name, (_, value) in zip(names, told)}
    return {key or f"output_{place}": _array(value) for place, (key, value) in enumerate(told)}


def _flat(answer: Any, key: str) -> List[Tuple[str, Any]]:
    if isinstance(answer, Mapping):
        return [pair for name, value in answer.items() for pair in _flat(value, f"{key}.{name}" if key else str(name))]
    if hasattr(answer, "_asdict"):
        return _flat(answer._asdict(), key)
    if isinstance(answer, (list, tuple)):
        pairs: Sequence[Any] = list(enumerate(answer))
        return [pair for place, one in pairs for pair in _flat(one, f"{key or 'output'}_{place}")]
    return [] if answer is None else [(key, answer)]


def _array(value: Any) -> Any:
    if not isinstance(value, torch.Tensor):
        return np.asarray(value)
    value = value.detach().cpu()
    if value.is_quantized:
        value = value.dequantize()
    if value.dtype == torch.bfloat16:  # numpy has none
        value = value.float()
    return value.resolve_conj().resolve_neg().numpy() if hasattr(value, "resolve_conj") else value.numpy()
