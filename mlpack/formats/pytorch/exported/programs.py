"""The verdict on an exported program: every operator it calls, and every text in it that loading it runs as code."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from mlpack.artifacts.model import Finding, Safety
from mlpack.formats.pytorch.archive import TorchArchive
from mlpack.formats.pytorch.exported.expressions import is_expression, is_plain, is_simple, tree_faults
from mlpack.formats.pytorch.torchscript.operators import judged
from mlpack.readers.limits import CutOffError
from mlpack.readers.pickles.values import PickleFile

_MOST = 64 << 20  # of one file of JSON
_MOST_VALUES = 3_000_000
_TARGET = re.compile(r"torch\.ops\.(\w+)\.(\w+)(?:\.\w+)?", re.ASCII)
# Functions of Python's and torch's own that compute with shapes (`_SYM_OPS` in torch/_export/serde/serialize.py).
_SYMBOLIC = frozenset(
    f"_operator.{name}"
    for name in (
        "add", "and_", "eq", "floordiv", "ge", "gt", "le", "lshift", "lt", "mod", "mul", "ne", "neg", "or_", "pos", "pow",
        "rshift", "sub", "truediv", "getitem", "not_", "invert", "xor",
    )
) | {
    "math.trunc", "math.floor", "math.ceil", "torch._sym_sqrt", "torch.sym_float", "torch.sym_int", "torch.sym_ite",
    "torch.sym_max", "torch.sym_min", "torch.sym_not", "torch.sym_sum", "torch.sym_sqrt",
}  # fmt: skip
# What a text may be by its key: whether it fits, and why not.
_TEXTS: dict[str, tuple[Callable[[str], bool], str]] = {
    "expr_str": (is_expression, "an expression of a shape is more than that, and sympy runs it as code"),
    "guards_code": (partial(is_expression, guard=True), "a guard is more than a comparison, and torch runs it as code"),
    "as_string": (is_plain, "a text ends the quotation that torch puts around it"),
    "as_strings": (is_plain, "a text ends the quotation that torch puts around it"),
    "forward_arg_names": (str.isidentifier, "the name of an argument is more than a name"),
}
_NAME: tuple[Callable[[str], bool], str] = (is_simple, "a name is more than a name, and torch writes code with it")
_COMPILED = "__torch__.torch.classes."
_REGISTERED = "a container of its arguments, which another package has to register: build with --trust if you know it"
_FREE = ("metadata", "torch_version", "opset_version", "schema_version")  # looked at by nothing that runs
_BINARIES = ("data/aotinductor/", "data/aotinductor\\")


@dataclass(kw_only=True)
class Program:
    """What all JSON of the archive names: `operators` as `ns::name` or a path of Python's, `classes` of compiled code."""

    operators: set[str] = field(default_factory=set)
    classes: set[str] = field(default_factory=set)
    types: set[str] = field(default_factory=set)  # containers of the arguments that are not Python's or torch's own
    findings: dict[tuple[str, str], Finding] = field(default_factory=dict)

    def refuse(self, what: str, why: str) -> None:
        """Add a thing that torch never writes, and that may run."""
        shown = f"{what[:80].encode('unicode_escape').decode()}"
        self.findings[shown, why] = Finding(callable=shown, why=f"dangerous: {why}", verdict="dangerous")

    def read(self, document: Any) -> None:
        """Add what a JSON document holds."""
        waiting = [("", document)]
        while waiting:
            key, value = waiting.pop()
            if isinstance(value, dict):
                for name in value:
                    if not is_simple(name) and not (key == "range_constraints" and is_expression(name)):
                        self.refuse(name, "a name in the program is more than a name")
                waiting += [(name, one) for name, one in value.items() if name not in _FREE]
            elif isinstance(value, list):
                waiting += [(key, one) for one in value]
            elif isinstance(value, str):
                self._text(key, value)

    def _text(self, key: str, text: str) -> None:
        if key in ("in_spec", "out_spec"):
            for what, why in tree_faults(text):
                if why:
                    self.refuse(what, why)
                else:
                    self.types.add(what)
        elif key in ("target", "as_operator"):
            self._target(text)
        elif key == "class_fqn":
            self.classes.add(text)
        else:
            fits, why = _TEXTS.get(key, _NAME)
            if not fits(text):
                self.refuse("torch.export", f"{why}: {text[:80]!r}")

    def _target(self, text: str) -> None:
        found = _TARGET.fullmatch(text)
        if found:
            self.operators.add("::".join(found.groups()))
        elif text.startswith("#") and is_simple(text[1:]):
            self.operators.add(text)
        elif text not in _SYMBOLIC:
            self.refuse(text, "the program calls it by its path")
        else:
            self.operators.add(text)


def judge_program(pickle: PickleFile | None, archive: TorchArchive) -> tuple[Safety, dict[str, tuple[str, ...]]]:
    """The pickles' verdict with what the program's own files name; and these names."""
    program = Program()
    for name in archive.tree.names:
        if any(part in name.lower() for part in _BINARIES):
            program.refuse(name, "compiled code, which loading the archive runs")
        elif name.lower().startswith("models/") or (name.lower().endswith(".json") and not _extra(name)):
            try:
                program.read(document_of(archive, name))
            except (ValueError, RecursionError, CutOffError) as error:
                program.refuse(name, f"it cannot be read to its end ({str(error)[:80]})")
    compiled = (
        {f"{one.module}.{one.name}" for one in pickle.globals if one.module.startswith(_COMPILED)} if pickle else set()
    )
    safety = pickle.safety if pickle is not None else Safety(verdict="safe")
    operators = {name for name in program.operators if name not in _SYMBOLIC}
    classes = program.classes | compiled
    findings = (
        *(one for one in safety.findings if one.callable not in compiled),
        *program.findings.values(),
        *judged(operators, classes),
        *(Finding(callable=name, why=_REGISTERED, verdict="unknown") for name in sorted(program.types)),
    )
    verdicts = {one.verdict for one in findings}
    names = {"operators": tuple(sorted(program.operators)), "types": tuple(sorted(classes | program.types))}
    if "dangerous" in verdicts:
        return Safety(verdict="dangerous", findings=findings), names
    unread = safety.verdict == "unknown" and not safety.findings
    return Safety(verdict="unknown" if verdicts or unread else "safe", findings=findings), names


def _extra(name: str) -> bool:
    return name.startswith(("extra/", "extra_files/"))


def document_of(archive: TorchArchive, name: str) -> Any:
    """The JSON of a member; None where it is a pickle of older releases by that name, which is read as one.

    Raises ValueError for what is no JSON or can be read in two ways, CutOffError for what is too large.
    """
    data = archive.tree.read(name, _MOST + 1)
    if data[:2] == b"PK":
        return None
    if len(data) > _MOST:
        raise CutOffError(f"it is larger than {_MOST >> 20} MiB")
    if sum(map(data.count, (b",", b"[", b"{"))) > _MOST_VALUES:
        raise CutOffError(f"it holds more than {_MOST_VALUES} values")
    return json.loads(data, object_pairs_hook=_unique_keys)


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object whose keys are all different: of two that are the same, readers take one or the other."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key is there twice")
    return found
