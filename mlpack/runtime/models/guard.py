"""The guard: while a model file is loaded, it reaches only the names that inspection found in it."""

from __future__ import annotations

import importlib
import io
import pickle
import sys
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import ModuleType
from typing import Any, Callable, FrozenSet, Iterable, Iterator, List, Mapping, Optional, Sequence, Tuple

_SHOWN = 5  # names in a message; a file can hold thousands


class NotInspectedError(Exception):
    """The model file names something that inspection did not list, or that must not be reached by its name."""

    exit_code = 1  # of the server, which does not start


class Guard:
    """What a model file may reach while it is loaded: the names in the card, which inspection found and allowed.

    A loader gives the names of its own format to `check` before the framework reads the file, and every pickle to
    `pickle`, a module with pickle's interface whose unpickler resolves nothing else. `names` are sequences by kind:
    `globals` (`module:qualified.name`), and what a format lists (`types`, `operators`). `own` are the folders of the
    user's code, whose modules may be named only for what they define themselves.
    """

    def __init__(self, names: Mapping[str, Sequence[str]], own: Sequence[Path] = ()) -> None:
        self._names = {kind: frozenset(found) for kind, found in names.items()}
        self._own = [folder.resolve() for folder in own]
        self.pickle = _restricted(self)

    @classmethod
    def of_card(cls, document: Mapping[str, Any], folder: Path) -> Guard:
        """The guard of the card `document`, which lies in `folder`."""
        code = document.get("code") or {}
        return cls(document.get("guard") or {}, [folder / path for path in code.get("paths") or ()])

    def listed(self, kind: str) -> FrozenSet[str]:
        """The names of one kind that inspection found; empty where the card has none."""
        return self._names.get(kind, frozenset())

    def check(self, kind: str, found: Iterable[str]) -> None:
        """Raise NotInspectedError if the file holds names of this kind that the card does not list."""
        more = sorted(set(found) - self.listed(kind))
        if more:
            shown = ", ".join(ascii(name)[1:-1] for name in more[:_SHOWN])
            rest = f" and {len(more) - _SHOWN} more" if len(more) > _SHOWN else ""
            raise NotInspectedError(f"the model file asks for {shown}{rest}, which inspection did not see ({kind})")

    def find_class(self, module: str, name: str, find: Callable[[str, str], Any]) -> Any:
        """What `find` (an unpickler's own `find_class`) resolves a listed global to; raises NotInspectedError."""
        self.check("globals", [f"{module}:{name}"])
        found = find(module, name)
        self._check_own(module, name, found)
        return found

    def check_own(self, names: Iterable[str]) -> None:
        """Raise NotInspectedError if the user's code only imports what one of these (`module:name`) is."""
        for module, _, name in (one.partition(":") for one in names):
            with suppress(ImportError):  # the framework says so itself, where it needs it
                found = getattr(importlib.import_module(module), name.partition(".")[0], None)
                self._check_own(module, name, found)

    def _check_own(self, module: str, name: str, found: Any) -> None:
        if self._is_own(module) and not self._is_own(getattr(found, "__module__", None)):
            named = ascii(f"{module}.{name}")[1:-1]
            raise NotInspectedError(f"the model file asks for {named}, which is not defined in the user's code")

    @contextmanager
    def around(self, *modules: str) -> Iterator[None]:
        """While this is open, imported modules whose names begin so unpickle under this guard.

        Whatever they unpickle by `pickle`, or by subclasses of Python's unpicklers of their own.
        """
        with ExitStack() as undo:
            for module in [module for name, module in sys.modules.items() if name.startswith(modules)]:
                for name, value in list(vars(module).items()):
                    guarded = self._instead_of(value)
                    if guarded is not None:
                        undo.callback(setattr, module, name, value)
                        setattr(module, name, guarded)
            yield

    def _instead_of(self, value: Any) -> Any:
        if value is pickle:
            return self.pickle
        unpicklers = (pickle.Unpickler, pickle._Unpickler)  # noqa: SLF001 - joblib's base
        return _guarded(self, value) if isinstance(value, type) and issubclass(value, unpicklers) else None

    def _is_own(self, module: Optional[str]) -> bool:
        """Whether the module is the user's: its file lies in the user's folders, or it is what a notebook defined."""
        if module in ("__main__", "__mp_main__"):
            return True
        known = sys.modules.get(module or "")
        file = getattr(known, "__file__", None)
        # a package without an __init__.py has folders instead of a file
        places = [file] if file else list(getattr(known, "__path__", ()))
        return any(Path(place).resolve().is_relative_to(folder) for place in places for folder in self._own)


def _guarded(guard: Guard, unpickler: Any) -> Any:
    """A subclass of an unpickler's class that checks every name with the guard."""

    class Guarded(unpickler):  # type: ignore[misc]  # an Any: joblib's class or Python's
        def find_class(self, module: str, name: str, /) -> Any:
            return guard.find_class(module, name, super().find_class)

    Guarded.__name__ = Guarded.__qualname__ = unpickler.__name__
    return Guarded


def _restricted(guard: Guard) -> ModuleType:
    """A module with the interface of `pickle` whose unpickler checks every name with the guard."""
    Unpickler = _guarded(guard, pickle.Unpickler)  # noqa: N806 - a class

    def load(file: Any, **how: Any) -> Any:
        return Unpickler(file, **how).load()

    def loads(data: Any, /, **how: Any) -> Any:
        return Unpickler(io.BytesIO(data), **how).load()

    module = ModuleType("mlpack_guarded_pickle", pickle.__doc__)
    for name in pickle.__all__:
        setattr(module, name, getattr(pickle, name))
    changed: List[Tuple[str, Any]] = [
        ("Unpickler", Unpickler),
        ("_Unpickler", Unpickler),
        ("load", load),
        ("loads", loads),
    ]
    for name, value in changed:
        setattr(module, name, value)
    return module
