"""What a walk over opcodes met that the verdict asks for: names, calls, and tricks."""

from __future__ import annotations

from dataclasses import dataclass, field

from mlpack.readers.pickles.bytecode import KNOWN
from mlpack.readers.pickles.values import Global


@dataclass(kw_only=True)
class Record:
    """Notes of one or several walks. `names` are all globals in order of first use (the value is unused)."""

    names: dict[Global, None] = field(default_factory=dict)
    called: set[Global] = field(default_factory=set)  # by REDUCE, NEWOBJ, INST, OBJ
    tricks: dict[tuple[str, str], None] = field(default_factory=dict)  # (callable, why): dangerous by itself
    suspects: dict[tuple[str, str], None] = field(default_factory=dict)  # (callable, why): needs a human's look
    outside: dict[str, None] = field(default_factory=dict)  # why it cannot be loaded as a plain pickle
    compilers: frozenset[str] | None = (
        None  # Pythons that may have compiled all the code that it carries; None without code
    )

    def trick(self, callable_: str, why: str) -> None:
        """Note a thing that no honest file does."""
        self.tricks[callable_, why] = None

    def suspect(self, callable_: str, why: str) -> None:
        """Note a thing that is harmless only if the rest of the file is."""
        self.suspects[callable_, why] = None

    def compiled(self, versions: frozenset[str]) -> None:
        """Note a code object and the Pythons that may have compiled it."""
        self.compilers = versions if self.compilers is None else self.compilers & versions

    def merge(self, other: Record) -> None:
        """Add what another walk met."""
        self.names.update(other.names)
        self.called |= other.called
        self.tricks.update(other.tricks)
        self.suspects.update(other.suspects)
        self.outside.update(other.outside)
        if other.compilers is not None:
            self.compiled(other.compilers)

    @property
    def pythons(self) -> tuple[str, ...] | None:
        """The Pythons that may have compiled the code in the file; None when it holds none."""
        return None if self.compilers is None else tuple(version for version in KNOWN if version in self.compilers)

    @property
    def numpy_major(self) -> int | None:
        """Which numpy wrote it, by the modules that it names; None when it names none."""
        modules = {name.module for name in self.names}
        if any(module.startswith("numpy._core") for module in modules):
            return 2
        return 1 if any(module.startswith("numpy.core") for module in modules) else None
