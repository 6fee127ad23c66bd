"""Choose among the files of a folder: the only model, or the parts of one model in several files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mlpack.artifacts.model import Content, ModelInfo, Role
from mlpack.artifacts.notice import no_signature
from mlpack.discovery.opaque import USER_FORMAT, judge_files, packages_of
from mlpack.discovery.unrecognised import some
from mlpack.errors import AmbiguousFormatError, MlpackError, UnknownFormatError
from mlpack.readers.paths import shown


@dataclass(frozen=True, kw_only=True)
class FolderFile:
    """A file of a folder that may be a model: `key` is its path in the folder; `info` or `error` is the result."""

    key: str
    path: Path
    info: ModelInfo | None = None
    error: MlpackError | None = None

    def listed(self) -> Content:
        """The file as an object in the folder."""
        if self.info is None:
            error = self.error
            return Content(key=self.key, kind=error.code if error else "", detail=error.message if error else "")
        served = bool(self.info.signatures) or not self.info.advice
        detail = self.info.task or ""
        return Content(key=self.key, kind=self.info.root_class, servable=served, detail=detail, role=self.info.role)


def chosen_of(folder: Path, files: Sequence[FolderFile], *, more: bool) -> Path | ModelInfo:
    """The path of the only model, or the description of a folder whose files are the parts of one model.

    `more`: the folder has more files than these. Raises UnknownFormatError for no model, AmbiguousFormatError for several.
    """
    name = shown(folder)
    listed = [file.listed() for file in files]
    served = {content.key for content in listed if content.servable}  # then files that cannot be served do not compete
    models = [file for file in files if file.info is not None and (not served or file.key in served)]
    if len(models) == 1 and not more:
        return models[0].path
    found = {"contents": [content.to_json() for content in listed]}
    if not models:
        raise UnknownFormatError(
            f"{name} is a folder, and none of its {len(files)} likely files is a model.",
            hint="Name one file to see why it is not a model.",
            info=found,
        )
    if not more and (parts := _parts(folder, models, tuple(listed))) is not None:
        return parts
    keys = [file.key for file in models]
    raise AmbiguousFormatError(
        f"{name} is a folder with {len(keys)}{' or more' if more else ''} models: {some(keys)}.",
        hint=f"Name one: {shown(folder / keys[0])}. To use them together, name a predictor: --predictor predict.py.",
        info=found,
    )


def _parts(folder: Path, models: Sequence[FolderFile], listed: tuple[Content, ...]) -> ModelInfo | None:
    """The folder as one model in several files; None unless one file is the model and each other one takes part."""
    infos = {file.key: file.info for file in models if file.info is not None}
    by_role: dict[Role, list[ModelInfo]] = {}
    for info in infos.values():
        by_role.setdefault(info.role, []).append(info)
    if len(by_role.get("model", ())) != 1 or "" in by_role or len(by_role.get("label_encoder", ())) > 1:
        return None
    requirements, missing = packages_of(list(infos.values()))
    model = next(key for key, info in infos.items() if info.role == "model")
    return ModelInfo(
        path=folder,
        format=USER_FORMAT,
        framework=None,
        framework_version=None,
        root_class="folder",
        task=None,
        signatures=(),
        safety=judge_files(folder),
        size=sum(file.path.stat().st_size for file in models),
        requirements=requirements,
        missing_modules=missing,
        contents=listed,
        notices=(no_signature(f"{shown(folder)} is a folder with the parts of a model in {len(infos)} files"),),
        parts=infos,
        advice=f"`mlpack init {shown(folder)}` writes a predict.py that calls them one after the other, as far as the "
        f"files tell how: check it, and build with --predictor. To serve the model without the other files, "
        f"name it: {shown(folder / model)}",
    )
