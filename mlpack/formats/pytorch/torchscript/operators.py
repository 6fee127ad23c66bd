"""The list of torch's operators by exact name, and what of them a file may use."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from mlpack.artifacts.model import Finding

_LIST = Path(__file__).with_name("operators.tsv")
# Classes of torch's own C++ that hold packed weights; a file gives them tensors and numbers.
_CLASSES = frozenset(
    f"__torch__.torch.classes.{name}"
    for name in (
        "quantized.Conv2dPackedParamsBase", "quantized.Conv3dPackedParamsBase", "quantized.EmbeddingPackedParamsBase",
        "quantized.LinearPackedParamsBase", "rnn.CellParamsBase", "sparse.LinearPackedParamsBase",
        "xnnpack.Conv2dOpContext", "xnnpack.LinearOpContext", "xnnpack.TransposeConv2dOpContext",
    )
)  # fmt: skip


@cache
def listed() -> dict[str, tuple[str, str]]:
    """Every operator on the list, as `ns::name`: its use (`call`, `ask`, `never`) and the reason."""
    with _LIST.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.reader(file, delimiter="\t") if row and not row[0].startswith("#")]
    return {name: (use, why[0] if why else "") for name, use, *why in rows}


@cache
def plain_names() -> frozenset[str]:
    """The names of all listed operators without their namespaces."""
    return frozenset(name.partition("::")[2] for name in listed())


def judged(operators: Iterable[str], classes: Iterable[str] = ()) -> list[Finding]:
    """A finding for each operator (`ns::name`) and each class of torch's C++ that is not known as harmless."""
    found = []
    for name in sorted(set(operators)):
        use, why = listed().get(name, ("ask", f"an operator of another library ({name.partition('::')[0]})"))
        if use == "never":
            found.append(Finding(callable=name, why=f"dangerous: {why}", verdict="dangerous"))
        elif use == "ask":
            found.append(Finding(callable=name, why=f"{why}: {_TRUST}", verdict="unknown"))
    for name in sorted(set(classes) - _CLASSES):
        why = f"a class of compiled code that is not known as harmless: {_TRUST}"
        found.append(Finding(callable=name, why=why, verdict="unknown"))
    return found


_TRUST = "build with --trust if you know where the file comes from"
