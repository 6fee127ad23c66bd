"""A model that may be packed, with the user's own code: Prepared, what `prepare` returns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mlpack.artifacts.bundle_file import BundleFile
from mlpack.artifacts.model import ModelInfo

CODE_FOLDER = "code"  # in the bundle, and below /app


@dataclass(frozen=True, kw_only=True)
class UserCode:
    """The user's code that goes into the image.

    `paths` are searched for modules there; `main` maps each `__main__` name to the module that defines it; `predictor` is
    the module of the user's own loader; `notes` say what was left out or cut.
    """

    files: tuple[BundleFile, ...] = ()
    paths: tuple[str, ...] = (CODE_FOLDER,)
    main: Mapping[str, str] = field(default_factory=dict)
    predictor: str | None = None
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The card's part: how the server finds the code."""
        return {"paths": list(self.paths), "main": dict(self.main), "predictor": self.predictor}


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """A model that may be packed, and the code that goes with it.

    `options` are for the loader; `python` is the version that compiled the code in the file, None when there is none;
    `sample` holds rows of the user's (named records or lists), None when there are none.
    """

    info: ModelInfo
    code: UserCode | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    python: str | None = None
    sample: list[Any] | None = None
