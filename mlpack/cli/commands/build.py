"""`mlpack build`: build a tagged image from a model file."""

from __future__ import annotations

from typing import Annotated

import typer

from mlpack.cli.options import (
    AsJson,
    ConfigFile,
    Engine,
    Entry,
    Framework,
    Gpu,
    Include,
    Model,
    Name,
    Platform,
    Predictor,
    Python,
    Quiet,
    Refresh,
    Require,
    Sample,
    Sdist,
    Signature,
    Trust,
    Version,
    Wheelhouse,
)  # fmt: skip
from mlpack.cli.output.console import Console


def build(
    model: Model = None,
    tag: Annotated[list[str] | None, typer.Option("--tag", "-t", help="Additional tag. Repeatable.")] = None,
    name: Name = None,
    version: Version = None,
    entry: Entry = None,
    signature: Signature = None,
    framework: Framework = None,
    python: Python = None,
    platform: Platform = None,
    wheelhouse: Wheelhouse = None,
    include: Include = None,
    require: Require = None,
    sdist: Sdist = None,
    predictor: Predictor = None,
    sample: Sample = None,
    gpu: Gpu = None,
    trust: Trust = False,
    force: Annotated[
        bool, typer.Option("--force", help="Move the --version tag even if it names an image with other content.")
    ] = False,
    max_size: Annotated[
        str | None, typer.Option("--max-size", help="Exit with code 6 if the image is larger than this, such as 600MB.")
    ] = None,
    no_cache: Annotated[
        bool, typer.Option("--no-cache", help="Run every build step again, without the build cache.")
    ] = False,
    refresh: Refresh = False,
    engine: Engine = None,
    config: ConfigFile = None,
    quiet: Quiet = False,
    json: AsJson = False,
) -> int:
    """Build an image of a model: inspect the file, choose package versions, generate the Dockerfile, build and tag.

    \b
    mlpack build model.pkl
    mlpack build model.pkl --name churn --version 1.4.0
    mlpack build model.pkl --include clean.py
    mlpack build bundle.joblib --entry model -t registry.example.com/ml/churn:candidate
    """
    from mlpack.artifacts.image import Image
    from mlpack.cli.wiring import make_line
    from mlpack.pipeline.tools import Options

    console = Console(json=json, quiet=quiet)
    overrides = {
        "name": name, "version": version, "entry": entry, "framework": framework, "python": python,
        "predictor": predictor, "sample": sample, "signature": signature, "build.gpu": gpu,
        "build.platform": platform, "build.wheelhouse": wheelhouse, "build.max_size": max_size,
    }  # fmt: skip
    options = Options(
        include=tuple(include or ()), require=tuple(require or ()), sdist=tuple(sdist or ()), trust=trust,
        refresh=refresh, tags=tuple(tag or ()), force=force, use_cache=not no_cache,
    )  # fmt: skip
    line = make_line(model, console=console, config=config, overrides=overrides, engine=engine, options=options)
    image = line.run(line.model, Image)
    console.document(image.to_json())
    console.text("Next: mlpack test")
    console.brief(image.tags[0])
    return 0
