"""Describe files that only the user's predictor can read."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path

from mlpack.artifacts.model import Finding, ModelInfo, Requirement, Safety
from mlpack.errors import MlpackError, ModelError, UnknownFormatError
from mlpack.readers.distributions import DISTRIBUTIONS, PYTHON2
from mlpack.readers.paths import shown
from mlpack.readers.pickles.files import read_pickles

USER_FORMAT = "own"  # the format's name in the card
_MOST_FILES = 200  # whose packages are looked for
_MOST_JUDGED = 10_000


def opaque_model(path: Path, error: ModelError, inspect_file: Callable[[Path], ModelInfo] | None = None) -> ModelInfo:
    """The ModelInfo of a file or folder of unknown format; raises `error` again for a broken file.

    Every pickle in it still gets a verdict, so that a dangerous one is refused. The packages of all its files are needed.
    """
    files = _files(path)[:_MOST_FILES]
    if not files or (path.is_file() and not isinstance(error, UnknownFormatError)):
        raise error
    if inspect_file is not None:
        inspect_file = cache(inspect_file)  # for the packages and for the verdict
    requirements, missing = packages_in(files, inspect_file)
    return ModelInfo(
        path=path,
        format=USER_FORMAT,
        framework=None,
        framework_version=None,
        root_class=str(error.info.get("root_class") or ""),
        task=None,
        signatures=(),
        safety=judge_files(path, inspect_file),
        size=sum(file.stat().st_size for file in files),
        requirements=requirements,
        missing_modules=missing,
        protocol=error.info.get("protocol"),
        compression=error.info.get("compression"),
    )


def packages_of(infos: Sequence[ModelInfo]) -> tuple[tuple[Requirement, ...], tuple[str, ...]]:
    """The requirements of several files, and their modules of no known distribution.

    A distribution is named once, with a version if one of the files records it.
    """
    numpy = Requirement(module="numpy", distribution="numpy")  # the serving runtime uses it
    found = {numpy.distribution: numpy}
    for one in (one for info in infos for one in info.requirements):
        known = found.get(one.distribution)
        if known is None or (known.version is None and (one.version or not known.constraint)):
            found[one.distribution] = one
    return tuple(found.values()), tuple(sorted({name for info in infos for name in info.missing_modules}))


def packages_in(
    files: Sequence[Path], inspect_file: Callable[[Path], ModelInfo] | None = None
) -> tuple[tuple[Requirement, ...], tuple[str, ...]]:
    """The packages of all files: by their format, else by the modules that their pickles name."""
    infos: list[ModelInfo] = []
    modules: set[str] = set()
    for file in files:
        info = None
        if inspect_file is not None:
            with suppress(MlpackError):
                info = inspect_file(file)
        if info is not None:
            infos.append(info)
            continue
        pickle = read_pickles(file)
        modules |= {name.module.partition(".")[0] for name in pickle.globals} if pickle is not None else set()
        modules |= {"joblib"} if pickle is not None and pickle.container == "joblib" else set()
    requirements, missing = packages_of(infos)
    named = {one.distribution for one in requirements}
    known = {module: DISTRIBUTIONS[module] for module in sorted(modules) if module in DISTRIBUTIONS}
    more = tuple(Requirement(module=module, distribution=name) for module, name in known.items() if name not in named)
    unknown = modules - known.keys() - PYTHON2 - set(sys.stdlib_module_names)
    return (*requirements, *more), tuple(sorted({*missing, *unknown}))


def _files(path: Path) -> list[Path]:
    return [path] if path.is_file() else sorted(one for one in path.rglob("*") if one.is_file())


def judge_files(path: Path, inspect_file: Callable[[Path], ModelInfo] | None = None) -> Safety:
    """The verdict on all files in a file or folder: by their format, and by what pickles name.

    A file that was not read to its end is a finding, and so are the files of a folder with too many of them.
    """
    files = _files(path)
    findings: dict[tuple[str, str], Finding] = {}
    for file in files[:_MOST_JUDGED]:
        for safety in _verdicts(file, inspect_file):
            for finding in safety.findings:
                findings[finding.callable, finding.verdict] = finding
            if safety.verdict == "unknown" and not safety.findings:
                unread = _unread(shown(file), "it was not read to its end")
                findings[unread.callable, unread.verdict] = unread
    if len(files) > _MOST_JUDGED:
        more = _unread(shown(path), f"only {_MOST_JUDGED} of its {len(files)} files were read")
        findings[more.callable, more.verdict] = more
    verdicts = {finding.verdict for finding in findings.values()}
    return Safety(
        verdict="dangerous" if "dangerous" in verdicts else "unknown" if verdicts else "safe",
        findings=tuple(findings.values()),
    )


def _verdicts(file: Path, inspect_file: Callable[[Path], ModelInfo] | None) -> Iterator[Safety]:
    pickle = read_pickles(file)
    if pickle is not None:
        yield pickle.safety
    elif inspect_file is not None:
        with suppress(MlpackError):
            yield inspect_file(file).safety


def _unread(name: str, why: str) -> Finding:
    return Finding(callable=f"{name} (not read to the end)", why=why, verdict="unknown", unread=True)
