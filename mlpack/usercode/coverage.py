"""Match the user's code against the names that a model file needs: covered, missing, and what the image gets."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mlpack.artifacts.bundle_file import BundleFile
from mlpack.artifacts.model import Finding, ModelInfo, Requirement, Safety
from mlpack.artifacts.needs import Unmet
from mlpack.artifacts.notice import NoticeCode
from mlpack.artifacts.prepared import CODE_FOLDER, UserCode
from mlpack.errors import MissingCodeError, UnsafeModelError
from mlpack.packages.names import normalise, parse_requirement
from mlpack.readers.distributions import DISTRIBUTIONS, PYTHON2
from mlpack.readers.verdicts.allowlist import allowed
from mlpack.usercode.included import Included, gather
from mlpack.usercode.index import CodeIndex, Module
from mlpack.usercode.missing import missing_code, missing_import
from mlpack.usercode.own_class import ClassSource, called_by_source, class_source
from mlpack.usercode.slicing import slice_of

_MAINS = ("__main__", "__mp_main__")
_BY_VALUE = ("cloudpickle", "dill")
_CHUNK = 1024 * 1024
_TAKEN = "# Extracted by mlpack from {shown}: only the definitions that the model file needs, without code that runs.\n"


@dataclass(frozen=True, kw_only=True)
class Coverage:
    """A model with its user code: `info` records what is covered; `open` are the callables that need --trust.

    `needs` are names and imports that neither the included files nor the packages provide.
    """

    info: ModelInfo
    code: UserCode | None
    open: tuple[str, ...]
    needs: tuple[Unmet, ...] = ()


def find_coverage(
    info: ModelInfo,
    *,
    include: tuple[Path, ...] = (),
    predictor: Path | None = None,
    requirements: tuple[str, ...] = (),
    cwd: Path,
) -> Coverage:
    """Which of the model's names the included files define; none of the files is run.

    Raises ConfigError (an included path does not exist), UnsafeModelError (the file reaches through an included module).
    """
    code = _Matching(info, include, predictor, requirements, cwd)
    code.cover()
    code.cut()
    code.check_packages()
    return code.result()


class _Matching:
    """The matching of one model against one set of files."""

    def __init__(
        self,
        info: ModelInfo,
        include: tuple[Path, ...],
        predictor: Path | None,
        requirements: tuple[str, ...],
        cwd: Path,
    ) -> None:
        self.info = info
        self.cwd = cwd
        self.included = _with_predictor(include, predictor, info.path)
        self.index = CodeIndex(self.included)
        self.notes = [*self.included.notes, *self.index.notes]
        self.required = {parse_requirement(line)[0] for line in requirements if line.strip()}
        self.main: dict[str, Module] = {}
        self.covered: dict[str, str] = {}  # callable -> why it counts as covered
        self.open: list[str] = []
        self.missing: list[tuple[str, str]] = []
        self.needs: list[Unmet] = []
        self.wanted: dict[str, set[str]] = {}  # module -> names that the model file uses from it
        self.texts: dict[str, str] = {}  # target -> text that replaces the file
        self.added: list[Requirement] = []
        self.predictor = None if predictor is None else self._module_at(predictor)

    def cover(self) -> None:
        """Sort every unknown callable: defined in included code, provided by a requirement, missing, or open."""
        for finding in self.info.safety.findings:
            if finding.verdict == "unknown":
                self._cover(finding)
        if self.missing:
            self.needs += missing_code(self.info.path, self.missing, self.index, self.cwd)
        if self.covered:  # a bound method is as safe as the code of its object
            self.open = [name for name in self.open if name != "builtins.getattr"]

    def _cover(self, finding: Finding) -> None:
        name = finding.callable
        root = name.partition(".")[0]
        if finding.unread:
            self.open.append(name)
        elif root in _MAINS:
            self._cover_main(name, name.partition(".")[2])
        elif root in self.info.framework_modules:
            self.open.append(name)
        elif (module := self.index.module_in(name)) is not None:
            inner = name[len(module) + 1 :]
            self._refuse_reached(module, inner)
            if self.index.defines(module, inner) is False:
                self.missing.append((module, inner))
            else:
                self.covered[name] = f"in your own code: {module}"
                self.wanted.setdefault(module, set()).add(inner.partition(".")[0])
        elif root in sys.stdlib_module_names or root in PYTHON2:
            self.open.append(name)
        elif root in DISTRIBUTIONS:
            curated = any(there.partition(".")[0] == root for there, _ in allowed())
            named = normalise(DISTRIBUTIONS[root]) in self.required and not curated and root not in _BY_VALUE
            if named:
                self.covered[name] = f"of {DISTRIBUTIONS[root]}, which `requirements:` names"
            else:
                self.open.append(name)
        elif self._may_bring(root):
            self.covered[name] = "of a package that `requirements:` names"
        else:
            module, _, inner = name.rpartition(".")
            self.missing.append((module, inner))

    def _refuse_reached(self, module: str, inner: str) -> None:
        """Raise UnsafeModelError for a dotted name whose first part is no class of the included files."""
        first, _, below = inner.partition(".")
        if below and self.index.has_class(module, first) is False:
            raise UnsafeModelError(
                f"{self.info.path.name} is dangerous: loading it would call {module}.{inner}, "
                f"and {first} is not a class in {module}",
                hint="Get the file from a source that you trust, or ask its author to save it again.",
            )

    def _cover_main(self, callable_: str, name: str) -> None:
        first = name.partition(".")[0]
        module = self.index.main_module(first)
        if module is None:
            self.missing.append(("__main__", name))
            return
        self._refuse_reached(module.name, name)
        self.main[first] = module
        self.covered[callable_] = f"in your own code: {module.file.shown}"
        self.wanted.setdefault(module.name, set()).add(first)

    def cut(self) -> None:
        """Cut scripts and notebooks that define a `__main__` name down to the statements that the model file needs."""
        for module in list({module.file.target: module for module in self.main.values()}.values()):
            if not module.notebook and not module.source.work:
                continue
            others = [one for one in self.index.reached(self._starts()) if one.file != module.file]
            taken = [one for other in others for one in other.source.imports if one.module == module.name]
            if any(not one.names for one in taken):
                continue  # the whole module is imported; `_note_work` reports what it runs
            names = {there for one in taken for there, _ in one.names} | self.wanted[module.name]
            part = slice_of(module.source, frozenset(names))
            text = _TAKEN.format(shown=module.file.path.name) + part.text
            new = self.index.replaced(module, text)
            self.texts[module.file.target] = text
            self.main = {name: new if one.file == new.file else one for name, one in self.main.items()}
            self.notes.append(
                f"{module.file.shown}: only the definitions of {', '.join(sorted(names))} are included, not the code that runs"
            )
            self.notes += [
                f"{module.file.shown}:{line} is needed for them and runs at every start: {statement}"
                for line, statement in part.work
            ]

    def check_packages(self) -> None:
        """Add the known packages that the code imports; an unknown one is a need."""
        known = {normalise(one.distribution) for one in self.info.requirements}
        for root, module, one in self.index.foreign(self.index.reached(self._starts())):
            if normalise(root) in self.required:
                continue
            if root in DISTRIBUTIONS:
                name = normalise(DISTRIBUTIONS[root])
                if name not in known | self.required and not one.optional:
                    known.add(name)
                    self.added.append(Requirement(module=root, distribution=DISTRIBUTIONS[root]))
            elif not one.optional and not self._may_bring(root):
                need = missing_import(root, module, one, self.info.path, self.cwd)
                if one.top or isinstance(need.error, MissingCodeError):
                    self.needs.append(need)
                else:
                    self.notes.append(f"{need.error.message} when it is used: name its package with --require")

    def result(self) -> Coverage:
        """The outcome."""
        named = [replace(one, why=self.covered[one.callable]) if one.callable in self.covered else one
                 for one in self.info.safety.findings]  # fmt: skip
        roots = {name.partition(".")[0] for name in self.covered}
        missing = tuple(name for name in self.info.missing_modules if name not in roots)
        info = replace(
            self.info,
            safety=Safety(verdict=self.info.safety.verdict, findings=tuple(named)),
            requirements=(*self.info.requirements, *sorted(self.added, key=lambda one: one.distribution)),
            missing_modules=missing,
            notices=tuple(one for one in self.info.notices if missing or one.code is not NoticeCode.CODE_MISSING),
        )
        if (source := self._class_source()) is not None:
            info = called_by_source(info, source)
        if not self.included.files:
            return Coverage(info=info, code=None, open=tuple(self.open), needs=tuple(self.needs))
        self._note_clashes()
        self._note_work()
        code = UserCode(
            files=tuple(self._bundle_files()),
            paths=tuple("/".join(filter(None, (CODE_FOLDER, root))) for root in self.included.roots),
            main={name: module.name for name, module in sorted(self.main.items())},
            predictor=self.predictor,
            notes=tuple(dict.fromkeys(self.notes)),
        )
        info = replace(info, signatures=_one_by_one(info))
        return Coverage(info=info, code=code, open=tuple(self.open), needs=tuple(self.needs))

    def _class_source(self) -> ClassSource | None:
        """The source of the class that answers, if it is in the included files."""
        module, _, name = self.info.own_class.name.rpartition(".") if self.info.own_class else ("", "", "")
        module = self.main[name].name if module in _MAINS and name in self.main else module
        return class_source(self.index, module, name)

    def _starts(self) -> set[str]:
        """The modules that the serving runtime imports directly."""
        return set(self.wanted) | ({self.predictor} if self.predictor else set())

    def _module_at(self, path: Path) -> str:
        found = [name for name, module in self.index.modules.items() if module.file.path.resolve() == path.resolve()]
        if not found:
            raise MissingCodeError(f"{path} is not a Python module", hint="Set `predictor:` to a .py file.")
        return min(found, key=len)

    def _may_bring(self, root: str) -> bool:
        """Whether a requirement has this name, or is a distribution whose modules are not known."""
        other = {normalise(name) for name in DISTRIBUTIONS.values()}
        return normalise(root) in self.required or bool(self.required - other)

    def _note_clashes(self) -> None:
        tops = {name.partition(".")[0]: module for name, module in self.index.modules.items()}
        self.notes += [
            f"{module.file.shown} replaces Python's standard module `{top}` in the image"
            for top, module in sorted(tops.items())
            if top in sys.stdlib_module_names
        ]

    def _note_work(self) -> None:
        """Note modules that run code when they are imported; not predictors, and not cut modules (`cut` notes those)."""
        for module in self.index.reached(self._starts()):
            if module.source.work and not module.cut and module.name != self.predictor:
                line, statement = module.source.work[0]
                self.notes.append(f"{module.file.shown}:{line} runs at every start, when it is imported: {statement}")

    def _bundle_files(self) -> Iterable[BundleFile]:
        for file in self.included.files:
            text = self.texts.get(file.target)
            if text is not None:
                yield BundleFile.of_bytes(f"{CODE_FOLDER}/{file.target}", text.encode())
            else:
                yield BundleFile(
                    name=f"{CODE_FOLDER}/{file.target}", size=file.size, sha256=_sha256(file.path), source=file.path
                )


def _with_predictor(include: tuple[Path, ...], predictor: Path | None, model: Path) -> Included:
    found = gather(include, model=model)
    if predictor is None or any(file.path.resolve() == predictor.resolve() for file in found.files):
        return found
    return gather((*include, predictor), model=model)


def _one_by_one(info: ModelInfo) -> tuple[Any, ...]:
    """Disable batching: user code may compute a row's prediction from the other rows of a call."""
    return tuple(replace(one, batchable=False) for one in info.signatures)


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
