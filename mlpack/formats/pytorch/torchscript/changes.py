"""Which of TorchScript's calls change a list or dictionary in its place, and by what name it goes."""

from __future__ import annotations

import ast
from collections.abc import Iterator

_CHANGING = frozenset({
    "torch._set_item", "torch.append", "torch.extend", "torch.insert", "torch.pop", "torch.popitem", "torch.clear",
    "torch.update", "torch.setdefault", "torch.Delete", "torch.reverse", "torch.remove", "torch.sort",
})  # fmt: skip


def changed_by(call: ast.Call) -> str:
    """The name of what a call changes; "" when it changes nothing that has a name."""
    first = call.args[0] if call.args else None
    return first.id if isinstance(first, ast.Name) and ast.unparse(call.func) in _CHANGING else ""


def changed_in(node: ast.stmt) -> Iterator[str]:
    """The names of all that calls below a statement change."""
    for one in ast.walk(node):
        if isinstance(one, ast.Call) and (name := changed_by(one)):
            yield name
