"""Check Python source code in torch files (torch.fx graph modules, torch.package); it is parsed, never run."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any

from mlpack.readers.limits import MIB
from mlpack.readers.pickles.record import Record
from mlpack.readers.pickles.values import Global, Instance
from mlpack.readers.verdicts.allowlist import danger_of

_GRAPHS = "torch.fx.graph_module"
_SOURCE, _PACKAGED = f"{_GRAPHS}.reduce_graph_module", f"{_GRAPHS}.reduce_package_graph_module"
_TRACERS = (
    "torch.fx._symbolic_trace.Tracer", "torch.fx.symbolic_trace.Tracer",
    "torch.ao.quantization.fx.tracer.QuantizationTracer", "torch.quantization.quantize_fx.QuantizationTracer",
)  # fmt: skip
_LONGEST = MIB
_SHOWN_LINES, _SHOWN = 8, 400
# Built-in names that run code, open files, or access objects by computed names.
_RUN = frozenset(
    {
        "eval",
        "exec",
        "compile",
        "open",
        "__import__",
        "globals",
        "locals",
        "vars",
        "setattr",
        "delattr",
    }
    | {"__builtins__", "__loader__", "__spec__"}
)
# Attributes of any object that allow the same.
_REACH = frozenset(
    {"save", "load", "from_file", "fromfile", "tofile", "memmap", "dump", "dumps", "loads", "load_library", "load_url"}
    | {
        "system",
        "popen",
        "import_module",
        "read_text",
        "write_text",
        "read_bytes",
        "write_bytes",
        "unlink",
        "cpp_extension",
    }
    | {"multiprocessing", "distributed", "hub", "serialization", "load_inline", "load_state_dict_from_url"}
)
_DUNDERS = frozenset({"__init__", "__name__", "__version__", "__doc__", "__all__", "__file__", "__class__"})
# Methods that nn.Module and its tracing call by name: an entry of a module's state with such a name would be called instead.
_METHODS = (
    "_apply _call_impl _load_from_state_dict _named_members _save_to_state_dict _slow_forward _wrapped_call_impl apply "
    "buffers children cpu eval extra_repr float double half bfloat16 forward get_buffer get_extra_state get_parameter "
    "get_submodule load_state_dict modules named_buffers named_children named_modules named_parameters parameters "
    "register_buffer register_module register_parameter requires_grad_ set_extra_state state_dict to to_empty train type "
    "zero_grad _get_name _maybe_warn_non_full_backward_hook _get_backward_hooks _get_backward_pre_hooks add_module "
    "__call__ __dir__ __repr__ __setattr__ __getattr__ __delattr__ __setstate__ __getstate__ __iter__ __len__ __getitem__ "
    "compile cuda share_memory __class__ __getattribute__ __del__ __torch_function__"
)
METHODS = frozenset(_METHODS.split())


def is_carried(name: Global, record: Record) -> bool:
    """Whether a name belongs to torch.fx's form of a module with source code, and is used in torch's own way."""
    dotted = str(name)
    if dotted in (_SOURCE, _PACKAGED):
        return name in record.called and dotted in {callable_ for callable_, _ in record.suspects}
    return dotted in _TRACERS and name not in record.called


def check_carried(record: Record, callable_: Global, args: tuple[Any, ...]) -> None:
    """Check a call that creates a graph module: its source is dangerous, or shown for review."""
    if callable_.module != _GRAPHS:
        return
    if str(callable_) == _PACKAGED:
        record.suspect(_PACKAGED, "creates a module from source code in the archive")
        return
    if str(callable_) != _SOURCE:
        return
    body, imports = args if len(args) == 2 else (None, None)
    source = (body.get("_code") or body.get("code")) if isinstance(body, dict) else None
    if not isinstance(source, str) or not isinstance(imports, str) or not isinstance(body, dict):
        record.dangerous(_SOURCE, "the source code that it runs is computed by the file")
        return
    text = imports + source
    fault = fault_of(text) or _shadowed(body)
    if fault:
        record.dangerous(_SOURCE, f"the file contains Python source code that {fault}: {shown(text)}")
    else:
        record.suspect(_SOURCE, f"contains Python source code, which runs when the file is loaded: {shown(source)}")


def _shadowed(body: dict[Any, Any]) -> str:
    """An entry of the module's state that tracing would call; "" for none."""
    tracer, extras = body.get("_tracer_cls"), body.get("_tracer_extras")
    if (tracer is not None and str(tracer) not in _TRACERS) or extras:
        return "is traced by a class that the file chooses"
    taken = sorted(METHODS.intersection(key for key in body if isinstance(key, str)))
    callables = [key for key in taken if isinstance(body[key], Global | Instance)]
    return f"replaces the method {callables[0]} of the module" if callables else ""


def shown(text: str) -> str:
    """The first lines of source code, escaped and on one line."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    snippet = "; ".join(lines[:_SHOWN_LINES]) + (" ..." if len(lines) > _SHOWN_LINES else "")
    return (snippet[:_SHOWN] + ("..." if len(snippet) > _SHOWN else "")).encode("unicode_escape").decode()


def fault_of(text: str) -> str:
    """Why source code is dangerous, as a verb phrase; "" when nothing dangerous was found."""
    if len(text) > _LONGEST:
        return f"is longer than {_LONGEST // MIB} MiB"
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return "cannot be parsed"
    names = dict(_imported(tree))
    for module, name in names.values():
        if why := danger_of(Global(module, name or "*")) or (name and danger_of(Global(f"{module}.{name}", "*"))):
            return f"imports {module}, which {why}"
    return next((fault for node in ast.walk(tree) if (fault := _fault(node, names))), "")


def _imported(tree: ast.AST) -> Iterator[tuple[str, tuple[str, str]]]:
    """Each imported name, with the module and the name in it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for one in node.names:
                yield (
                    one.asname or one.name.partition(".")[0],
                    (one.name if one.asname else one.name.partition(".")[0], ""),
                )
                yield f"import {one.name}", (one.name, "")
        elif isinstance(node, ast.ImportFrom):
            for one in node.names:
                yield one.asname or one.name, (node.module or "", one.name)


def _fault(node: ast.AST, names: dict[str, tuple[str, str]]) -> str:
    if isinstance(node, ast.Name) and node.id in _RUN:
        return f"uses {node.id}"
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "getattr":
        named = node.args[1] if len(node.args) > 1 else None
        plain = isinstance(named, ast.Constant) and isinstance(named.value, str) and not named.value.startswith("__")
        return "" if plain else "accesses attributes by computed names"
    if not isinstance(node, ast.Attribute):
        return ""
    if node.attr.startswith("__") and node.attr not in _DUNDERS:
        return f"accesses {node.attr}"
    path = _path(node)
    if path and path[0] == "self":
        return ""
    if node.attr in _REACH:
        return f"accesses {node.attr}"
    module, name = names.get(path[0], ("", "")) if path else ("", "")
    full = [*module.split("."), *([name] if name else []), *path[1:]]
    for end in range(1, len(full) if module else 0):
        if why := danger_of(Global(".".join(full[:end]), ".".join(full[end:]))):
            return f"uses {'.'.join(full)}, which {why}"
    return ""


def _path(node: ast.AST) -> list[str]:
    """`a.b.c` as its parts; [] for an attribute of anything but a name."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return [node.id, *reversed(parts)] if isinstance(node, ast.Name) else []
