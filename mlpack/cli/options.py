"""Options that several commands have."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from typing import Annotated, Any

import typer

from mlpack.errors import UsageError


class Ci(str, Enum):
    """The CI systems that `mlpack init --ci` can write a workflow for."""

    github = "github"
    gitlab = "gitlab"
    cloudbuild = "cloudbuild"


Model = Annotated[
    str | None, typer.Argument(metavar="PATH", help="Model file or folder. Default: `model:` in mlpack.yaml.")
]
ImageName = Annotated[
    str | None,
    typer.Argument(metavar="IMAGE", help="Tag or id of an image. Default: the image last built in this folder."),
]
ImageOrModel = Annotated[
    str | None,
    typer.Argument(
        metavar="IMAGE",
        help="Tag or id of an image. Default: the image last built in this folder. With --engine process: the model file.",
    ),
]
Tested = Annotated[
    str | None,
    typer.Argument(
        metavar="IMAGE",
        help="Tag or id of an image. Default: the image last built in this folder. With --engine process: the model file. "
        "With --contract: also a URL.",
    ),
]
Engine = Annotated[
    str | None,
    typer.Option(
        "--engine",
        metavar="NAME",
        help="docker, or the name of an installed plugin. Default: `engine:` in mlpack.yaml, else docker.",
    ),
]
EngineOrProcess = Annotated[
    str | None,
    typer.Option(
        "--engine",
        metavar="NAME",
        help="docker, process (a local process that serves the model without an image), or the name of an installed plugin. "
        "Default: `engine:` in mlpack.yaml, else docker.",
    ),
]
AsJson = Annotated[
    bool, typer.Option("--json", help="Print one JSON document on stdout; all other output goes to stderr.")
]
Quiet = Annotated[
    bool, typer.Option("--quiet", "-q", help="Print only the machine-readable result, plus warnings and errors.")
]
ConfigFile = Annotated[
    Path | None,
    typer.Option("--config", help="Configuration file. Default: mlpack.yaml next to the model, or in this folder."),
]
LastConfigFile = Annotated[
    Path | None,
    typer.Option(
        "--config",
        help="Configuration file. Default: mlpack.yaml next to the model, or in this folder; without IMAGE, that of the last "
        "build in this folder.",
    ),
]
Entry = Annotated[
    str | None, typer.Option("--entry", help="Which object to serve if the file contains several, such as `model`.")
]
Framework = Annotated[
    str | None,
    typer.Option(
        "--framework", help="Framework and version, such as scikit-learn==1.0.2. Default: those that the file records."
    ),
]
Name = Annotated[
    str | None,
    typer.Option(
        "--name",
        help="Name of the image. Default: the file's name, or its folder's name if the file has a generic name such as "
        "model.pkl.",
    ),
]
Version = Annotated[str | None, typer.Option("--version", help="Version of the model; becomes a tag and a label.")]
Trust = Annotated[bool, typer.Option("--trust", help="Accept a file with the verdict `unknown`.")]
Python = Annotated[
    str | None,
    typer.Option("--python", help="Python version of the image, such as 3.11. Default: one that fits the packages."),
]
Platform = Annotated[
    str | None, typer.Option("--platform", help="linux/amd64 or linux/arm64. Default: the platform of the engine.")
]
PlatformWithoutEngine = Annotated[
    str | None,
    typer.Option("--platform", help="linux/amd64 or linux/arm64. Default: the engine's platform, else this machine's."),
]
Wheelhouse = Annotated[
    Path | None, typer.Option("--wheelhouse", help="Install only from this folder of wheels, without a package index.")
]
Signature = Annotated[
    str | None,
    typer.Option(
        "--signature",
        help="Default signature (model method) for requests that do not choose one, such as predict_proba.",
    ),
]
Gpu = Annotated[bool | None, typer.Option("--gpu", help="Install CUDA builds of the packages. Default: CPU builds.")]
Include = Annotated[
    list[Path] | None,
    typer.Option(
        "--include",
        metavar="PATH",
        help="Your own code that the model needs: a .py file, a notebook or a folder. Repeatable.",
    ),
]
Require = Annotated[
    list[str] | None,
    typer.Option(
        "--require",
        metavar="NAME",
        help="Package to install in addition to those that the file needs, such as unidecode or 'polars<2'. Repeatable.",
    ),
]
Sdist = Annotated[
    list[str] | None,
    typer.Option(
        "--sdist",
        metavar="NAME",
        help="Package without a wheel: build its source package, which runs its setup code in the build. Repeatable.",
    ),
]
Predictor = Annotated[
    Path | None,
    typer.Option(
        "--predictor",
        metavar="FILE",
        help="Python file with your own load, preprocess, predict or postprocess function.",
    ),
]
Sample = Annotated[
    Path | None,
    typer.Option(
        "--sample",
        metavar="FILE",
        help="A few rows (.csv, .json, .parquet) for column names, warm-up, tests and examples.",
    ),
]
Refresh = Annotated[
    bool, typer.Option("--refresh", help="Resolve package versions again, even if a lockfile is cached.")
]
Receipt = Annotated[
    Path | None,
    typer.Option(
        "--receipt",
        help="File of the receipt. `test` and `deploy` of a model file also write a copy here; `push` and `deploy` of an image "
        "read it from here. Default: .mlpack/receipts.",
    ),
]


def refuse_model_options(options: Mapping[str, Any]) -> None:
    """Raise UsageError if options of a model are given for an image, which was built with its own."""
    given = [name.rpartition(".")[2] for name, value in options.items() if value]
    if given:
        raise UsageError(
            f"--{given[0]} cannot change an image that is already built; it is for --engine process",
            hint="Give it to `mlpack build`, or add --engine process and name the model instead of an image.",
        )
