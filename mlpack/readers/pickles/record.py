"""Record: the facts from an opcode walk that the verdict needs: names, calls, and dangerous forms."""

from __future__ import annotations

from dataclasses import dataclass, field

from mlpack.readers.pickles.bytecode import KNOWN
from mlpack.readers.pickles.values import Global

KERAS_UNPICKLE = "keras.Model._unpickle_model"  # the danger of a Keras model that was pickled


@dataclass(kw_only=True)
class Record:
    """The facts of one or several walks. `names` are all globals in order of first use (the value is unused)."""

    names: dict[Global, None] = field(default_factory=dict)
    called: set[Global] = field(default_factory=set)  # by REDUCE, NEWOBJ, INST, OBJ
    dangers: dict[tuple[str, str], None] = field(default_factory=dict)  # (callable, why): dangerous by itself
    suspects: dict[tuple[str, str], None] = field(default_factory=dict)  # (callable, why): needs review by the user
    outside: dict[str, None] = field(default_factory=dict)  # reasons why it cannot be loaded as a plain pickle
    text_methods: bool = False  # getattr was called for a method of str
    compilers: frozenset[str] | None = None  # Pythons that may have compiled all of its code; None without code

    def dangerous(self, callable_: str, why: str) -> None:
        """Record a form that no ordinary file has; it makes the verdict `dangerous`."""
        self.dangers[callable_, why] = None

    def suspect(self, callable_: str, why: str) -> None:
        """Record a form that is harmless only if the rest of the file is; it makes the verdict `unknown`."""
        self.suspects[callable_, why] = None

    def compiled(self, versions: frozenset[str]) -> None:
        """Record a code object by the Pythons that may have compiled it."""
        self.compilers = versions if self.compilers is None else self.compilers & versions

    def merge(self, other: Record) -> None:
        """Add the facts of another walk."""
        self.names.update(other.names)
        self.called |= other.called
        self.dangers.update(other.dangers)
        self.suspects.update(other.suspects)
        self.outside.update(other.outside)
        self.text_methods |= other.text_methods
        if other.compilers is not None:
            self.compiled(other.compilers)

    @property
    def pythons(self) -> tuple[str, ...] | None:
        """The Pythons that may have compiled the code in the file; None without code."""
        return None if self.compilers is None else tuple(version for version in KNOWN if version in self.compilers)

    @property
    def numpy_major(self) -> int | None:
        """The major version of numpy that wrote the file, by its module names; None when unknown."""
        modules = {name.module for name in self.names}
        if any(module.startswith("numpy._core") for module in modules):
            return 2
        return 1 if any(module.startswith("numpy.core") for module in modules) else None
