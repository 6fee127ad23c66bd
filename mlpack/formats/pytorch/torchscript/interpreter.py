"""The verdict on TorchScript: its classes run in torch's own interpreter, so what counts are the operators it may use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mlpack.artifacts.model import Finding, Safety
from mlpack.formats.pytorch.archive import TorchArchive
from mlpack.formats.pytorch.torchscript.operators import judged, listed, plain_names
from mlpack.formats.pytorch.torchscript.script import Script
from mlpack.formats.pytorch.torchscript.tokens import Named
from mlpack.readers.limits import MIB, CutOffError
from mlpack.readers.pickles.values import PickleFile

_MOST = 16 * MIB  # of all code: what is beyond is not read, and the verdict says so
_COMPILED = "__torch__.torch.classes."
_FLATBUFFER = b"PTMF"  # behind four bytes of any kind: older releases of torch read such a file as another format


@dataclass(frozen=True, kw_only=True)
class Judged:
    """The verdict, and the names that the image compares with the file."""

    safety: Safety
    names: Mapping[str, tuple[str, ...]]


def judge_script(pickle: PickleFile, archive: TorchArchive, script: Script, head: bytes) -> Judged:
    """The pickles' verdict without TorchScript's own classes, and with all that the code names."""
    named, findings = _read(archive)
    compiled = {f"{one.module}.{one.name}" for one in pickle.globals if one.module.startswith(_COMPILED)}
    classes = named.classes | compiled
    methods = {name for name in named.attributes & plain_names() if f"aten::{name}" in listed()}
    own = methods & named.declared  # may be the module's own, or torch's: nothing in the text decides that
    operators = named.operators | {f"aten::{name}" for name in methods}
    findings += [
        one
        for one in pickle.safety.findings
        if not one.callable.startswith(_COMPILED)
        and not (one.callable.startswith("__torch__.") and script.class_text(one.callable))
    ]
    findings += judged(operators - {f"aten::{name}" for name in own} | named.operators, classes)
    findings += [_ambiguous(one) for one in judged({f"aten::{name}" for name in own} - named.operators)]
    if head[4:8] == _FLATBUFFER:
        findings.append(_danger("the file", "its first bytes are also those of another format of torch's"))
    unread = pickle.problem or (pickle.safety.verdict == "unknown" and not pickle.safety.findings)
    return Judged(
        safety=_safety(findings, unread=bool(unread)),
        names={"operators": tuple(sorted(operators)), "types": tuple(sorted(classes))},
    )


def _safety(findings: list[Finding], *, unread: bool) -> Safety:
    verdicts = {one.verdict for one in findings}
    if "dangerous" in verdicts:
        return Safety(verdict="dangerous", findings=tuple(findings))
    return Safety(verdict="unknown" if verdicts or unread else "safe", findings=tuple(findings))


def _read(archive: TorchArchive) -> tuple[Named, list[Finding]]:
    """All that the archive's code names, and what is wrong with the code itself. Names are read as torch does, in any case."""
    named, findings, left = Named(), [], _MOST
    lower = [name.lower() for name in archive.tree.names]
    if len(set(lower)) != len(lower):
        findings.append(
            _danger("the archive", "two of its members differ by capital letters only: torch may read either")
        )
    for name in archive.tree.names:
        if not name.lower().endswith(".py"):
            continue
        try:
            data = archive.tree.read(name, left + 1)
        except CutOffError as stopped:
            findings.append(_unread(f"{name} cannot be read: {stopped}"))
            continue
        left -= len(data)
        if left < 0:
            findings.append(_unread(f"it holds more than {_MOST // MIB} MiB of code"))
            break
        named.read(data.decode("latin-1"))
        if named.odd:
            shown = named.odd.encode("unicode_escape").decode()
            findings.append(_danger(f"TorchScript {name}", f"its text is not as torch writes it ({shown})"))
            break
    return named, findings


def _danger(what: str, why: str) -> Finding:
    return Finding(callable=what, why=f"dangerous: {why}", verdict="dangerous")


def _unread(why: str) -> Finding:
    return Finding(callable="TorchScript code", why=f"not read to its end: {why}", verdict="unknown")


def _ambiguous(one: Finding) -> Finding:
    """An operator that has the name of something that the model declares itself."""
    why = f"the model has an attribute of this operator's name, which {one.why.removeprefix('dangerous: ')}"
    return Finding(callable=one.callable, why=f"{why}: build with --trust if you know the file", verdict="unknown")
