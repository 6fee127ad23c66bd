"""From a path to ModelInfo: read a model file without running anything in it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mlpack.artifacts.model import ModelInfo, Safety
from mlpack.artifacts.notice import notices
from mlpack.discovery.candidates import candidates
from mlpack.discovery.fitted_objects import fitted_object
from mlpack.discovery.folder_files import FolderFile, chosen_of
from mlpack.discovery.nested import Inside, copied, files_inside, folders_inside, may_hold_pickles, without_the_rest
from mlpack.discovery.opaque import opaque_model
from mlpack.discovery.remarks import by_value, remarks
from mlpack.discovery.unrecognised import broken, found_in, some, unknown
from mlpack.errors import (
    AmbiguousFormatError,
    MlpackError,
    ModelError,
    Need,
    UnknownFormatError,
    UnreadableModelError,
    UnsafeModelError,
)
from mlpack.formats.base import Artifact, Format
from mlpack.readers.archives.trees import Tree, open_tree
from mlpack.readers.digests import sha256_of
from mlpack.readers.limits import Budget, Limits
from mlpack.readers.paths import HEAD, Place, look, shown, unreadable
from mlpack.readers.pickles.files import read_pickles
from mlpack.readers.pickles.values import PickleFile

__all__ = ["document", "failure_document", "inspect", "sha256_of"]

OnBytes = Callable[[int, int], None]  # called with (bytes done, bytes in all)

_KEYS = (
    "path", "format", "framework", "framework_version", "root_class", "task", "signatures", "requirements", "contents",
    "protocol", "compression", "size", "digest", "safety",
    "to_build",
)  # fmt: skip


def inspect(
    path: Path,
    *,
    entry: str | None = None,
    framework: str | None = None,
    formats: Sequence[Format],
    sample: Sequence[Any] = (),
    opaque: bool = False,
    on_progress: OnBytes | None = None,
) -> ModelInfo:
    """Return what the model at `path` is, its inputs and requirements, and whether it is safe.

    `entry` chooses one of several objects in the file; `framework` is the user's version where the file records none;
    `sample` holds a few rows. A folder or an archive with one model is that model, and the main file of a folder means the
    folder. With `opaque`, a file that no format recognises is left to the user's predictor.

    Raises UnreadableModelError, UnknownFormatError (also for a dangerous pickle that is no model), AmbiguousFormatError,
    UnsafeModelError (dangerous, and damaged further on); the `info` of each holds what was found.
    """
    inspection = _Inspection(
        formats=tuple(formats), entry=entry, framework=framework, sample=tuple(sample), on_progress=on_progress
    )
    try:
        return inspection.of(_folder_of(path, formats))
    except (UnknownFormatError, UnreadableModelError, AmbiguousFormatError) as error:
        if opaque:
            return opaque_model(path, error, inspect_file=replace(inspection, entry=None).of)
        raise


def _folder_of(path: Path, formats: Sequence[Format]) -> Path:
    """The folder of a file that is the folder's main file by its name; any other path unchanged."""
    if path.name in {one.stands_for_its_folder for one in formats} and path.is_file():
        return path.parent if path.parent.name else path.absolute().parent
    return path


@dataclass(frozen=True, kw_only=True)
class _Inspection:
    """The formats to try, and the user's choices for the model."""

    formats: tuple[Format, ...]
    entry: str | None
    framework: str | None
    sample: tuple[Any, ...]
    on_progress: OnBytes | None

    def of(self, path: Path) -> ModelInfo:
        try:
            place = look(path)
            return self._folder(place) if place.folder else self._file(place)
        except OSError as error:
            raise unreadable(path, error) from error

    def _file(self, place: Place) -> ModelInfo:
        pickle = read_pickles(place.path, on_progress=self.on_progress)
        found = found_in(place, pickle, self.formats)
        if pickle is not None and pickle.problem:
            raise broken(place, pickle, found)
        artifact = self._artifact(place.path, place.size, open_tree(place.path), head=place.head, pickle=pickle)
        info = self._recognise(artifact, found) or self._packed(artifact, found) or fitted_object(artifact)
        if info is None:
            raise unknown(place, pickle, found, self.formats)
        return replace(
            info,
            notices=(*info.notices, *notices(remarks(place, pickle, self.formats))),
            details={**info.details, **by_value(pickle)},
            # of a compressed file the size of the content is not known before it is unpacked
            size=place.size if info.size < 0 else info.size,
        )

    def _artifact(
        self, path: Path, size: int, tree: Tree | None, *, head: bytes = b"", pickle: PickleFile | None = None
    ) -> Artifact:
        return Artifact(
            path=path,
            size=size,
            head=head,
            pickle=pickle,
            tree=tree,
            entry=self.entry,
            framework=self.framework,
            sample=self.sample,
            inspect_path=lambda path, rows: replace(self, entry=None, sample=self.sample or rows).of(path),
        )

    def _recognise(self, artifact: Artifact, found: dict[str, Any]) -> ModelInfo | None:
        """The result of the one format that recognises the file; None if no format does."""
        infos = [info for one in self.formats if (info := one.inspect(artifact)) is not None]
        if len(infos) > 1:
            names = " and ".join(info.format for info in infos)
            raise AmbiguousFormatError(
                f"{shown(artifact.path)} is recognised by two formats: {names}.",
                hint="Uninstall the plugin that recognises it wrongly.",
                info=found,
            )
        if not infos or artifact.pickle is None:
            return infos[0] if infos else None
        globals_ = tuple(name.reference for name in artifact.pickle.globals)
        return replace(infos[0], names={**infos[0].names, "globals": globals_})

    def _packed(self, archive: Artifact, found: dict[str, Any]) -> ModelInfo | None:
        """The only model in an archive; None if there is none, or the file is no archive."""
        if archive.tree is None:
            return None
        _refuse_broken(archive.path, archive.tree, found)
        budget = Budget(Limits(), archive.size)

        def recognise(
            tree: Tree, key: str, size: int = 0, head: bytes = b"", rows: tuple[Any, ...] = self.sample
        ) -> ModelInfo | None:
            one = replace(archive, head=head, size=size, pickle=None, tree=tree, packed=key, sample=rows)
            info = self._recognise(replace(one, inside=inside_of(tree)), found)
            seen = tree.container == "packed" and archive.pickle is not None
            if info is None and head and not seen and may_hold_pickles(key, head):
                info = self._copied(one, budget)
            return info

        def inside_of(tree: Tree) -> Callable[[str, tuple[Any, ...]], ModelInfo | None]:
            def of(name: str, rows: tuple[Any, ...]) -> ModelInfo | None:
                key, rows = tree.prefix + name, self.sample or rows
                if name in tree and archive.tree is not None:
                    return recognise(archive.tree, key, tree.sizes[name], tree.read(name, HEAD), rows)
                return recognise(tree.below(name), key, rows=rows)

            return of

        whole = recognise(archive.tree, "", archive.size)
        if whole is not None:
            return _with_archive_findings(replace(whole, packed=whole.packed or ""), archive.pickle)
        folders = folders_inside(archive.tree, recognise)
        files = files_inside(archive.tree, recognise, formats=self.formats, folders=folders)
        only = _only(archive.path, [*folders, *files], found)
        if only is None:
            return None
        only = without_the_rest(archive.path, archive.tree, [*folders, *files], only)
        return _with_archive_findings(only, archive.pickle)

    def _copied(self, packed: Artifact, budget: Budget) -> ModelInfo | None:
        """Inspect a member with pickles, or an archive of them, as the file that it is after unpacking."""
        assert packed.tree is not None and packed.packed  # noqa: S101, PT018 - called for members of an archive only
        with copied(packed.tree, packed.packed, budget) as path:
            place = look(path)
            pickle = read_pickles(path)
            found = found_in(place, pickle, self.formats)
            if pickle is not None and pickle.problem:
                raise broken(replace(place, path=Path(packed.packed)), pickle, found)
            unpacked = self._artifact(path, place.size, open_tree(path), head=place.head, pickle=pickle)
            info = self._recognise(replace(unpacked, sample=packed.sample), found)
        return None if info is None else replace(info, path=packed.path)

    def _folder(self, place: Place) -> ModelInfo:
        tree = open_tree(place.path)
        if tree is not None:
            info = self._recognise(self._artifact(place.path, sum(tree.sizes.values()), tree), {})
            info = info or self._folder_inside(place.path, tree)
            if info is not None:
                return info
        return self._one_of_the_files(place.path)

    def _folder_inside(self, path: Path, tree: Tree) -> ModelInfo | None:
        """The only folder inside that is a model; None if there is none."""

        def recognise(below: Tree, key: str) -> ModelInfo | None:
            here = replace(below, path=path / key, prefix="")
            return self._recognise(self._artifact(path / key, sum(below.sizes.values()), here), {})

        only = _only(path, folders_inside(tree, recognise), {})
        return None if only is None else replace(only, packed=None)

    def _one_of_the_files(self, folder: Path) -> ModelInfo:
        """The only file of a folder that is a model. Raises if there is none, or several."""
        name = shown(folder)
        files, more = candidates(folder, self.formats)
        if not files:
            raise UnreadableModelError(
                f"{name} is a folder without a model in it.", hint="Name the model file.", info={"contents": []}
            )
        if len(files) == 1 and not more:
            return self.of(files[0])
        chosen = chosen_of(folder, [self._tried(file, folder) for file in files], more=more)
        return self.of(chosen) if isinstance(chosen, Path) else chosen

    def _tried(self, file: Path, folder: Path) -> FolderFile:
        key = file.relative_to(folder).as_posix()
        try:
            return FolderFile(key=key, path=file, info=replace(self, entry=None).of(file))
        except MlpackError as error:
            return FolderFile(key=key, path=file, error=error)


def _refuse_broken(path: Path, tree: Tree, found: dict[str, Any]) -> None:
    """Raise for an archive that must not be unpacked: member names lead out of it, or its directory is damaged."""
    name = shown(path)
    if tree.escaping:
        raise UnsafeModelError(
            f"{name} has members with names that lead out of the folder where it is unpacked: {some(tree.escaping)}.",
            hint="Do not unpack this file anywhere; ask its author where it comes from.",
            info=found,
        )
    if tree.problem and tree.container != "packed":
        raise UnreadableModelError(
            f"{name} cannot be read as a model: {tree.problem}.", hint="Fetch the file again.", info=found
        )


def _only(path: Path, inside: Sequence[Inside], found: dict[str, Any]) -> ModelInfo | None:
    """The only one that can be served, else the only model; None if there is none. Raises the error of a broken one."""
    models = [(one.name, one.info) for one in inside if one.info is not None]
    served = [(name, info) for name, info in models if info.signatures] or models
    if len(served) > 1:
        keys = [name for name, _ in served]
        raise AmbiguousFormatError(
            f"{shown(path)} contains {len(keys)} models: {some(keys)}.",
            hint="Unpack it, and name one of them, or the folder if they are parts of one model."
            if path.is_file()
            else f"Name one: {shown(path / keys[0])}",
            info=found,
        )
    if served:
        name, info = served[0]
        return replace(info, packed=name if info.packed is None else info.packed)
    broken_one = next((one.error for one in inside if one.error is not None), None)
    if broken_one is not None:
        raise broken_one
    return None


def _with_archive_findings(info: ModelInfo, archive: PickleFile | None) -> ModelInfo:
    """The model with the dangerous findings elsewhere in its archive, which are unpacked together with it."""
    if archive is None or archive.safety.verdict != "dangerous" or info.safety.verdict == "dangerous":
        return info
    others = tuple(one for one in archive.safety.findings if one.verdict == "dangerous")
    return replace(info, safety=Safety(verdict="dangerous", findings=(*info.safety.findings, *others)))


def document(info: ModelInfo, digest: str | None, needs: Sequence[Need] = (), command: str = "") -> dict[str, Any]:
    """The JSON document of an inspected model; `digest` is None if it was not requested.

    `needs` is what a build needs from the user, `command` the command line that answers it ("" if nothing is needed).
    """
    to_build = {"needs": [one.to_json() for one in needs], "command": command}
    return {"path": shown(info.path), **info.to_json(), "digest": digest, "to_build": to_build}


def failure_document(model: str | Path, error: MlpackError) -> dict[str, Any]:
    """The JSON document of a failure: the same keys, as far as their values are known, and `error`."""
    known = error.info if isinstance(error, ModelError) else {}
    empty: dict[str, Any] = {
        "signatures": [], "requirements": [], "contents": [], "safety": Safety(verdict="unknown").to_json(),
        "to_build": {"needs": [], "command": ""},
    }  # fmt: skip
    values = {key: known.get(key, empty.get(key)) for key in _KEYS} | {
        "path": shown(model) if isinstance(model, Path) else model
    }
    failure = {"code": error.code, "exit": error.exit, "message": error.message, "hint": error.hint}
    return {**values, "error": failure}
