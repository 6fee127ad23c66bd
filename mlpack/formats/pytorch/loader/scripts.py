"""TorchScript: all that its code, pickles and graphs name is compared with the guard before it runs."""

from __future__ import annotations

import ast
import pickletools
import re
from pathlib import Path
from typing import Any, Iterator, Mapping, Set

import torch

from .calls import Model
from .pickles import reader_of

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


def scripted(path: str, options: Mapping[str, Any], guard: Any) -> Model:
    """The TorchScript archive as a model; raises the guard's error, and ValueError for what torch does not write."""
    _check_script(path, guard)
    module = torch.jit.load(path, map_location="cpu")
    _check_graphs(module, guard)
    if hasattr(module, "eval"):
        module.eval()
    arguments = options.get("arguments") or ()
    return Model(lambda inputs: module(**{one["name"]: _given(one, inputs) for one in arguments}), module, options)


def _check_script(path: str, guard: Any) -> None:
    """Compare all that the archive's code and pickles name with the guard, before anything of it runs."""
    with Path(path).open("rb") as file:
        if file.read(8)[4:] == b"PTMF":  # older releases would read it as another format
            raise ValueError("the file is TorchScript in a form that is not read here: write it with torch.jit.save")
    reader, known = reader_of(path), _of_values()
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


def _given(argument: Mapping[str, Any], inputs: Mapping[str, Any]) -> Any:
    """An argument of forward: an input, or several of them as a dictionary, list or tuple."""
    parts = argument.get("parts")
    if parts is None:
        return inputs[argument["name"]]
    if argument["kind"] == "dict":
        return {key: inputs[name] for name, key in parts}
    values = [inputs[name] for name, _ in parts]
    return values if argument["kind"] == "list" else tuple(values)
