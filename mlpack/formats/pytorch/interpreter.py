"""The verdict on TorchScript: its classes run in torch's own interpreter, so what counts are the operations it may use."""

from __future__ import annotations

import re

from mlpack.artifacts.model import Finding, Safety
from mlpack.formats.pytorch.script import Script
from mlpack.readers.values import PickleFile

# Operations that reach out of the interpreter: torch's own schemas that name files or other machines.
_REACHING = {
    "torch.save": "writes a file",
    "torch.from_file": "maps a file of the machine into memory, or makes one",
    "rpc_sync": "runs code on other machines",
    "rpc_async": "runs code on other machines",
    "rpc_remote": "runs code on other machines",
}
# Classes of torch's own C++ that hold quantized weights; the code in an archive names them and does not hold them.
_OWN_CLASSES = "__torch__.torch.classes.quantized."
_OWN_OPS = ("prim", "aten", "quantized", "prepacked", "_quantized", "mkldnn", "torchvision")


def judge_script(pickle: PickleFile, script: Script) -> Safety:
    """The pickles' verdict without TorchScript's own classes, and with what the code itself reaches for."""
    findings = [
        one
        for one in pickle.safety.findings
        if not one.callable.startswith(_OWN_CLASSES)
        and not (one.callable.startswith("__torch__.") and script.class_text(one.callable))
    ]
    text = script.all_code()
    for name, why in _REACHING.items():
        if re.search(rf"\b{re.escape(name)}\(", text):
            findings.append(Finding(callable=f"TorchScript {name}", why=f"dangerous: {why}", verdict="dangerous"))
    for space in sorted(set(re.findall(r"\bops\.(\w+)\.", text)) - set(_OWN_OPS)):
        why = f"operations of a library of others (`{space}`), which the image would need"
        findings.append(Finding(callable=f"TorchScript ops.{space}", why=why, verdict="unknown"))
    verdicts = {one.verdict for one in findings}
    if "dangerous" in verdicts:
        return Safety(verdict="dangerous", findings=tuple(findings))
    unread = pickle.problem or (pickle.safety.verdict == "unknown" and not pickle.safety.findings)
    return Safety(verdict="unknown" if verdicts or unread else "safe", findings=tuple(findings))
