"""The promises about names and effects, which the oracles of pickles and archives share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from tests.fuzz.cases import Failure
from tests.fuzz.inspection import Seen
from tests.fuzz.loaders.client import Reached

# torch's unpickler takes any name that holds "Storage" for one of its own classes, and renames one module.
_ALIASES = {"torch.tensor": "torch._tensor", "torch._tensor": "torch.tensor"}


def broken_promises(seen: Seen, reached: Iterable[Reached]) -> Iterator[Failure]:
    """A failure for each promise that a loader shows to be broken."""
    for one in reached:
        if seen.accepted:
            yield from _unlisted(seen, one)
        if seen.verdict == "safe":
            yield from _effects(one)


def _unlisted(seen: Seen, one: Reached) -> Iterator[Failure]:
    hidden = {pair for pair in one.globals if pair not in seen.globals}
    hidden = {(module, name) for module, name in hidden if (_ALIASES.get(module, ""), name) not in seen.globals}
    if hidden:
        names = ", ".join(sorted(f"{module!a}:{name!a}" for module, name in hidden))
        detail = f"verdict {seen.verdict}, but the loader ({one.status}) looked up {names}"
        yield Failure(promise="unlisted", loader=one.loader, about="", detail=detail)


def _effects(one: Reached) -> Iterator[Failure]:
    if one.signal:
        detail = f"verdict safe, but the loader was ended by signal {one.signal}"
        yield Failure(promise="crash", loader=one.loader, about=f"signal {one.signal}", detail=detail)
    for call in one.calls[:3]:
        about = call.partition(": ")[2]
        detail = f"verdict safe, but loading calls a method of an object that is no container: {call}"
        yield Failure(promise="call", loader=one.loader, about=about, detail=detail)
    for effect in one.effects[:3]:
        about = effect.partition(" ")[0]
        yield Failure(
            promise="effect", loader=one.loader, about=about, detail=f"verdict safe, but the loader did {effect}"
        )
