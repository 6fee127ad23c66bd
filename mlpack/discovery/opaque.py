"""Describe files that only the user's predictor can read."""

from __future__ import annotations

from pathlib import Path

from mlpack.artifacts.model import Finding, ModelInfo, Requirement, Safety
from mlpack.errors import ModelError, UnknownFormatError
from mlpack.readers.pickles.files import read_pickles

USER_FORMAT = "own"  # the format's name in the card
_MOST_FILES = 200


def opaque_model(path: Path, error: ModelError) -> ModelInfo:
    """The ModelInfo of a file or folder of unknown format; raises `error` again for a broken file.

    Every pickle in it still gets a verdict, so that a dangerous one is refused.
    """
    files = _files(path)
    if not files or (path.is_file() and not isinstance(error, UnknownFormatError)):
        raise error
    return ModelInfo(
        path=path,
        format=USER_FORMAT,
        framework=None,
        framework_version=None,
        root_class=str(error.info.get("root_class") or ""),
        task=None,
        signatures=(),
        safety=judge_files(path),
        size=sum(file.stat().st_size for file in files),
        requirements=(Requirement(module="numpy", distribution="numpy"),),  # the serving runtime uses it
        protocol=error.info.get("protocol"),
        compression=error.info.get("compression"),
    )


def _files(path: Path) -> list[Path]:
    return [path] if path.is_file() else sorted(one for one in path.rglob("*") if one.is_file())[:_MOST_FILES]


def judge_files(path: Path) -> Safety:
    """The verdict on all pickles in a file or folder."""
    findings: dict[tuple[str, str], Finding] = {}
    for file in _files(path):
        pickle = read_pickles(file)
        for finding in pickle.safety.findings if pickle is not None else ():
            findings[finding.callable, finding.verdict] = finding
    verdicts = {finding.verdict for finding in findings.values()}
    return Safety(
        verdict="dangerous" if "dangerous" in verdicts else "unknown" if verdicts else "safe",
        findings=tuple(findings.values()),
    )
