"""Walk all pickles of one stream in sequence, as a loader in a loop would: Walked."""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from mlpack.readers.distributions import DISTRIBUTIONS, PYTHON2
from mlpack.readers.limits import Budget, CutOffError
from mlpack.readers.pickles import literals, objects, outside, structures  # noqa: F401  # each registers its opcodes
from mlpack.readers.pickles.bytewindow import StuckError
from mlpack.readers.pickles.opcodes import Machine
from mlpack.readers.pickles.places import check_places
from mlpack.readers.pickles.record import Record
from mlpack.readers.pickles.values import Global, Instance, Member
from mlpack.readers.streams import Source
from mlpack.readers.verdicts.allowlist import allowed
from mlpack.readers.verdicts.verdict import judge

# torch's format before 1.6: this number, a version, the system, the object, the storages' keys; then raw storages.
_TORCH_LEGACY = 0x1950A86A20F9469CFC6C
_TORCH_PICKLES = 5
_ENOUGH = 64  # this many valid bytes are not a coincidence
_BLANKS = 64
_TWO_WAYS = "bytes that joblib reads as an array are opcodes for other loaders"


@dataclass(kw_only=True)
class Walked:
    """The content of a stream. `recognised` is false when, by content, it is not a pickle."""

    members: list[Member] = field(default_factory=list)
    record: Record = field(default_factory=Record)
    wrappers: list[Instance] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    problem: str = ""
    joblib: bool = False
    recognised: bool = False
    sure: bool = False  # it is a pickle even if it cannot be read, by its header or its container
    stuck: bool = False  # it could not be read to the end, and no loader can read further
    end: int = 0  # end of the last pickle that was read completely
    torch: bool = False  # torch's format from before 1.6
    continues_after_array: bool = False  # loaders other than joblib continue the first pickle after its first array
    memos: list[Collection[Any]] = field(default_factory=list)  # the first pickle's memo, if it is read twice


def walk(make: Callable[[], Source], budget: Budget, *, name: str = "", inside: str = "") -> Walked:
    """Walk the stream that `make` opens. `inside` is the container of a single pickle (a .npy), whose bytes may follow it."""
    machine = Machine(make(), budget, joblib=inside != ".npy")  # numpy reads the pickle in a .npy, not joblib
    walked = _walk(machine, name)
    walked.joblib = machine.arrays > 0 or bool(machine.wrappers)
    walked.wrappers = machine.wrappers
    if walked.continues_after_array and inside:
        walked.problem = walked.problem or _TWO_WAYS
    elif walked.continues_after_array:
        _walk_without_joblib(make, budget, walked)
    walked.memos.clear()
    return walked


def _walk(machine: Machine, name: str) -> Walked:
    walked = Walked()
    try:
        while not walked.members or not machine.at_end():
            if walked.members and _only_blanks(machine):
                break
            machine.start()
            machine.record = Record()
            start = machine.offset
            try:
                root = machine.load()
                _note_arrays(machine, walked)
                check_places(machine.record, root, machine.states.values())
            except CutOffError as stopped:
                _note_arrays(machine, walked)
                _stopped(machine, walked, name, stopped, start)
                break
            if not walked.members and not machine.headed:
                walked.recognised = bool(machine.record.names) or machine.at_end() or _only_blanks(machine)
            walked.recognised = walked.recognised or machine.headed
            walked.end = machine.offset
            walked.torch = walked.torch or (not walked.members and isinstance(root, int) and root == _TORCH_LEGACY)
            machine.joblib = machine.joblib and not walked.torch  # torch reads the next pickles with a plain unpickler
            walked.members.append(Member(name=name, root=root, protocol=machine.protocol))
            walked.record.merge(machine.record)
    except CutOffError as stopped:  # the compressed data are broken after a pickle
        walked.problem = walked.problem or str(stopped)
    if walked.torch and len(walked.members) < _TORCH_PICKLES:
        walked.problem = walked.problem or f"it is cut off: {len(walked.members)} of torch's {_TORCH_PICKLES} pickles"
    if walked.torch:
        walked.notes.append("torch's format from before 1.6: several pickles, then the tensors' bytes")
    return walked


def _note_arrays(machine: Machine, walked: Walked) -> None:
    """Record whether loaders other than joblib continue after the pickle's first array; they read only the first pickle."""
    if not machine.continues_after_array:
        return
    if walked.members:
        walked.problem = walked.problem or _TWO_WAYS
    else:
        walked.continues_after_array, walked.memos = True, _memos(machine)


def _memos(machine: Machine) -> list[Collection[Any]]:
    outer = [each for _, _, memo, sparse, _ in machine.outer for each in (memo, sparse.values())]
    return [*machine.inner_memos, *outer, machine.memo, machine.sparse.values()]


def _only_blanks(machine: Machine) -> bool:
    left = machine.buf[machine.pos : machine.end]
    return machine.ended and len(left) <= _BLANKS and not left.strip()


def _stopped(machine: Machine, walked: Walked, name: str, stopped: CutOffError, start: int) -> None:
    why = str(stopped)
    dangerous = judge(machine.record).verdict == "dangerous"
    if not walked.members:
        walked.sure, walked.stuck = machine.known_protocol, isinstance(stopped, StuckError)
        # Text and other files may begin with letters that are opcodes; a real pickle has more valid bytes.
        advanced = bool(machine.record.called) or (
            machine.ended and machine.offset - start > _ENOUGH and bool(machine.memo)
        )
        walked.recognised = machine.headed or dangerous or advanced
        walked.problem = why
        walked.record.merge(machine.record)
        root = machine.outer[0][0] if machine.outer else machine.stack
        walked.members.append(Member(name=name, root=_first(root), protocol=machine.protocol))
    elif walked.torch and len(walked.members) < _TORCH_PICKLES:
        walked.problem = f"torch's pickle {len(walked.members) + 1} of {_TORCH_PICKLES} cannot be read: {why}"
        walked.record.merge(machine.record)
    elif dangerous or (machine.known_protocol and not walked.torch) or "memo entry" in why or machine.record.called:
        walked.problem = why
        walked.record.merge(machine.record)
    elif not walked.torch:  # for torch the tensors' bytes follow
        walked.notes.append(f"the data after byte {start} are not a pickle; loaders do not read them")


def _first(stack: list[Any]) -> Any:
    return stack[0] if stack else None


def _walk_without_joblib(make: Callable[[], Source], budget: Budget, walked: Walked) -> None:
    """Read the stream like a loader without joblib, which treats the bytes of an array as opcodes.

    It stops in the first pickle, usually because these bytes are invalid.
    """

    @cache
    def texts() -> frozenset[str]:
        return frozenset(value for memo in walked.memos for value in memo if isinstance(value, str))

    machine = Machine(
        make(),
        Budget(budget.limits, budget.size),
        joblib=False,
        other=True,
        roots=_roots(walked.record.names),
        seen=lambda text: text in texts(),
    )
    known = set(walked.record.names)
    try:
        machine.load()
    except StuckError:
        pass
    except CutOffError as stopped:
        walked.problem = walked.problem or f"loaders other than joblib read it differently: {stopped}"
    walked.record.merge(machine.record)
    if not machine.record.names.keys() <= known:
        walked.notes.append(_TWO_WAYS)


def _roots(names: Iterable[Global]) -> frozenset[str]:
    """The top-level names of the modules that may exist where the file is loaded."""
    return frozenset({name.module.partition(".")[0] for name in (*names, *_known_names())}) | _INSTALLED


def _known_names() -> Iterator[Global]:
    return (Global(*name) for name in allowed())


_INSTALLED = (
    frozenset(sys.stdlib_module_names) | frozenset(DISTRIBUTIONS) | frozenset(PYTHON2) | {"__main__", "__mp_main__"}
)
