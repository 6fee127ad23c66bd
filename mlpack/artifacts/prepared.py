"""Prepared, a model that may be packed, with the user's own code; `prepare` returns it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mlpack.artifacts.bundle_file import BundleFile
from mlpack.artifacts.model import ModelInfo

CODE_FOLDER = "code"  # in the bundle, and below /app


@dataclass(frozen=True, kw_only=True)
class UserCode:
    """The user's code for the image.

    `paths` are the folders in the image that are searched for modules; `main` maps each `__main__` name to the module that
    defines it; `predictor` is the module of the user's predictor; `notes` describe what was left out.
    """

    files: tuple[BundleFile, ...] = ()
    paths: tuple[str, ...] = (CODE_FOLDER,)
    main: Mapping[str, str] = field(default_factory=dict)
    predictor: str | None = None
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The part of the card by which the server finds the code."""
        return {"paths": list(self.paths), "main": dict(self.main), "predictor": self.predictor}


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """A model that may be packed, and its user code.

    `options` are for the loader; `python` is the version that compiled the code in the file, None without such code;
    `sample` holds sample rows (objects or lists), None without a sample.
    """

    info: ModelInfo
    code: UserCode | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    python: str | None = None
    sample: list[Any] | None = None
