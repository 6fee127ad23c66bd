"""The options that several commands share, each written once."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from typing import Annotated, Any

import typer

from mlpack.errors import UsageError


class Ci(str, Enum):
    """Where `mlpack init --ci` can write a workflow for."""

    github = "github"
    gitlab = "gitlab"
    cloudbuild = "cloudbuild"


ModelPath = Annotated[
    Path | None, typer.Argument(metavar="PATH", help="The model file or folder; else `model:` in mlpack.yaml.")
]
ImageName = Annotated[
    str | None, typer.Argument(metavar="IMAGE", help="A tag or id; else the image that was built last here.")
]
ImageOrModel = Annotated[
    str | None,
    typer.Argument(
        metavar="IMAGE", help="A tag or id; else the image that was built last here. With --engine process: the model."
    ),
]
Engine = Annotated[
    str,
    typer.Option(
        "--engine", metavar="NAME", help="docker; or process: no image, the model in a process of this machine."
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document on stdout; everything else goes to stderr.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Only what a script needs, and failures.")]
ConfigFile = Annotated[Path | None, typer.Option("--config", help="Another mlpack.yaml than the one beside the model.")]
Entry = Annotated[str | None, typer.Option("--entry", help="Which part of a bundle to serve, such as `model`.")]
Framework = Annotated[
    str | None, typer.Option("--framework", help="Such as scikit-learn==1.0.2, when the file does not tell.")
]
Name = Annotated[str | None, typer.Option("--name", help="Name of the image; else the file's, or its folder's.")]
Version = Annotated[str | None, typer.Option("--version", help="Version of the model: a tag and a label.")]
Trust = Annotated[bool, typer.Option("--trust", help="Pack a file that needs code mlpack does not know.")]
Python = Annotated[str | None, typer.Option("--python", help="Python of the image, such as 3.11; else chosen.")]
Platform = Annotated[str | None, typer.Option("--platform", help="linux/amd64 or linux/arm64; else the engine's own.")]
Wheelhouse = Annotated[
    Path | None, typer.Option("--wheelhouse", help="Install from this folder of wheels alone, offline.")
]
Signature = Annotated[
    str | None,
    typer.Option("--signature", help="Which signature answers when a request names none, such as serving_default."),
]
Gpu = Annotated[bool | None, typer.Option("--gpu", help="Packages for CUDA; else nothing of CUDA is in the image.")]
Include = Annotated[
    list[Path] | None,
    typer.Option(
        "--include", metavar="PATH", help="Your own code that the model needs: .py, .ipynb or folder; repeatable."
    ),
]
Predictor = Annotated[
    Path | None, typer.Option("--predictor", metavar="FILE", help="Your own load, preprocess, predict, postprocess.")
]
Sample = Annotated[
    Path | None,
    typer.Option("--sample", metavar="FILE", help="Some rows (.csv, .json, .parquet): warm-up, test, examples."),
]
Refresh = Annotated[bool, typer.Option("--refresh", help="Resolve again, even where a lock is kept.")]
Receipt = Annotated[Path | None, typer.Option("--receipt", help="The receipt's file, beside the one in .mlpack.")]


def only_local(engine: str, words: Mapping[str, Any]) -> None:
    """Raise UsageError when the model's options are given with an image, whose build has fixed them."""
    given = [name.rpartition(".")[2] for name, value in words.items() if value]
    if engine != "process" and given:
        raise UsageError(
            f"--{given[0]} is for --engine process; an image keeps what it was built with",
            hint="Give it to `mlpack build`, or add --engine process and name the model instead of an image.",
        )
