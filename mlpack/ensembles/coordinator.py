"""The coordinator of an ensemble as a model of the line: its "file" is the plan, and the runtime's own part answers for it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from mlpack.artifacts.model import ModelInfo, Requirement, Safety
from mlpack.artifacts.prepared import CODE_FOLDER
from mlpack.ensembles.file import EnsembleFile
from mlpack.ensembles.fitting import Fitted

PLAN = "ensemble.json"
PART = "ensembles"
_REQUIREMENTS = (
    Requirement(module="numpy", distribution="numpy", constraint=">=1.22"),
    Requirement(module="aiohttp", distribution="aiohttp", constraint=">=3.10"),
)


def coordinator_of(ensemble: EnsembleFile, fitted: Fitted, folder: Path, *, sample: tuple[Any, ...] = ()) -> ModelInfo:
    """The description of the coordinator, whose plan is written into the folder; `sample` are rows for its tests."""
    folder.mkdir(parents=True, exist_ok=True)
    plan = folder / PLAN
    plan.write_text(json.dumps(fitted.plan, indent=2, ensure_ascii=True) + "\n", encoding="utf-8", newline="\n")
    members = [
        {"name": one["name"], "weight": one["weight"], "required": one["required"]} for one in fitted.plan["members"]
    ]
    return ModelInfo(
        path=plan,
        format="ensemble",
        framework=None,
        framework_version=None,
        root_class=f"{ensemble.reduce} of {len(members)} members",
        task="classifier" if fitted.plan["classes"] else "regressor",
        signatures=fitted.signatures,
        classes=fitted.signatures[0].classes,
        safety=Safety(verdict="safe"),
        size=plan.stat().st_size,
        requirements=_REQUIREMENTS,
        details={"ensemble": {"reduce": ensemble.reduce, "members": members}},
        sample=sample,
        # The user's own reducer is included code, so that its imports are found and installed.
        options={"reduce": f"{CODE_FOLDER}/{ensemble.reduce_file.name}"} if ensemble.reduce_file else {},
        runtime_part=PART,
    )
