"""What a whole module would call besides its layers: hooks in its state, and data that stand where a method is looked up."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mlpack.artifacts.model import Finding, Safety
from mlpack.formats.pytorch.tensors import tensor_of
from mlpack.readers.pickles.contents import pairs
from mlpack.readers.pickles.values import Global, Instance
from mlpack.readers.verdicts.allowlist import danger_of, use_of
from mlpack.readers.verdicts.carried import METHODS

_TABLES = {"_parameters", "_buffers", "_modules"}
# torch's own hooks that compute a layer's weights, and all that their state may hold.
_KNOWN = {
    "torch.nn.utils.weight_norm.WeightNorm": {"name", "dim"},
    "torch.nn.utils.spectral_norm.SpectralNorm": {"name", "dim", "n_power_iterations", "eps"},
    "torch.nn.utils.spectral_norm.SpectralNormStateDictHook": {"fn"},
    "torch.nn.utils.spectral_norm.SpectralNormLoadStateDictPreHook": {"fn"},
}
_TRUST = "build with --trust if you know where the file comes from"


def with_hooks(safety: Safety, root: Instance) -> Safety:
    """The verdict with a finding for each hook that is not known, and each method that is replaced."""
    found = {(one.callable, one.why): one for module in _objects(root) for one in _faults(module)}
    if not found:
        return safety
    findings = (*safety.findings, *found.values())
    dangerous = any(one.verdict == "dangerous" for one in findings)
    return Safety(verdict="dangerous" if dangerous else "unknown", findings=findings)


def _objects(root: Any) -> Iterator[Instance]:
    """All objects of the file that the module reaches."""
    seen: set[int] = set()
    waiting = [root]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            inside: Any = [*value.keys(), *value.values()]
        elif isinstance(value, list | tuple | set | frozenset):
            inside = value
        elif isinstance(value, Instance):
            inside = (value.callable, value.args, value.kwargs, value.state, value.items, value.mapping)
        else:
            continue
        if id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, Instance):
            yield value
        waiting.extend(inside)


def _faults(one: Instance) -> Iterator[Finding]:
    state = one.attributes()
    if one.class_name in _KNOWN and not set(map(str, state)) <= _KNOWN[one.class_name]:
        yield _replaced(one, "a method of this hook")
    if not state.keys() >= _TABLES:
        return
    for key, value in state.items():
        name = str(key)
        if name in METHODS and isinstance(value, Global | Instance) and tensor_of(value) is None:
            yield _own_method(one, name) if _is_own(value) else _replaced(one, name)
        elif "_hooks" in name and not _harmless(value):
            why = f"a hook in {name[:60]!r}: code that runs when the model is called or loaded; {_TRUST}"
            yield Finding(callable=one.class_name, why=why, verdict="unknown")


def _replaced(one: Instance, what: str) -> Finding:
    why = f"dangerous: the file replaces {what}, which runs when the model is called"
    return Finding(callable=one.class_name, why=why, verdict="dangerous")


def _own_method(one: Instance, name: str) -> Finding:
    why = f"its {name} is a function of the model's own code, which runs when the model is called: {_TRUST}"
    return Finding(callable=one.class_name, why=why, verdict="unknown")


def _is_own(value: Global | Instance) -> bool:
    """Whether it is a method of an object of the file (pickled through getattr), or a function that no list knows."""
    if isinstance(value, Global):
        return use_of(value) is None and danger_of(value) is None
    bound = isinstance(value.callable, Global) and str(value.callable) in ("builtins.getattr", "__builtin__.getattr")
    return bound and len(value.args) == 2 and isinstance(value.args[0], Instance) and isinstance(value.args[1], str)


def _harmless(hooks: Any) -> bool:
    """Whether a table of hooks is empty, or holds hooks of torch's own alone."""
    if hooks is None or isinstance(hooks, bool) or hooks == []:
        return True
    if isinstance(hooks, Instance) and (any(hooks.args) or hooks.kwargs or hooks.state):
        return False
    table = pairs(hooks) if isinstance(hooks, dict | Instance) else None
    return table is not None and all(
        isinstance(hook, bool) or (isinstance(hook, Instance) and hook.class_name in _KNOWN) for _, hook in table
    )
