"""`mlpack render`: the folder that an image is built from."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mlpack.cli.options import (
    AsJson,
    ConfigFile,
    Entry,
    Framework,
    Gpu,
    Include,
    ModelPath,
    Name,
    Platform,
    Predictor,
    Python,
    Quiet,
    Refresh,
    Sample,
    Signature,
    Trust,
    Version,
    Wheelhouse,
)  # fmt: skip
from mlpack.cli.output.console import Console

if TYPE_CHECKING:
    from mlpack.pipeline.line import Line


def render(
    out: Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="The folder to write; new or empty.")],
    path: ModelPath = None,
    buildkit: Annotated[bool, typer.Option("--buildkit", help="With BuildKit's cache and bind mounts.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Write into a folder that holds files already.")] = False,
    name: Name = None,
    version: Version = None,
    entry: Entry = None,
    signature: Signature = None,
    framework: Framework = None,
    python: Python = None,
    platform: Platform = None,
    wheelhouse: Wheelhouse = None,
    include: Include = None,
    predictor: Predictor = None,
    sample: Sample = None,
    gpu: Gpu = None,
    serve_with: Annotated[
        str | None,
        typer.Option("--serve-with", metavar="NAME", help="tf-serving: a SavedModel on TensorFlow Serving's image."),
    ] = None,
    trust: Trust = False,
    refresh: Refresh = False,
    config: ConfigFile = None,
    quiet: Quiet = False,
    json: AsJson = False,
) -> int:
    """Write the folder that the image is built from: plain `docker build` takes it, mlpack is needed no more.

    \b
    mlpack render model.pkl -o churn/
    docker build -t churn churn/
    """
    from mlpack.artifacts.bundle import Bundle
    from mlpack.cli.wiring import make_line
    from mlpack.errors import UsageError
    from mlpack.pipeline.render import write
    from mlpack.pipeline.tools import Options

    console = Console(json=json, quiet=quiet)
    overrides = {
        "name": name, "version": version, "entry": entry, "framework": framework, "python": python,
        "predictor": predictor, "sample": sample, "signature": signature, "build.gpu": gpu,
        "build.platform": platform, "build.wheelhouse": wheelhouse,
    }  # fmt: skip
    if out.exists() and (not out.is_dir() or any(out.iterdir())) and not force:
        raise UsageError(
            f"{out} exists and is not an empty folder", hint="Name a new one, or --force to write into it."
        )
    options = Options(include=tuple(include or ()), trust=trust, refresh=refresh, secrets=False)
    line = make_line(path, console=console, config=config, overrides=overrides, options=options)
    if serve_with is not None:
        return _for_another_server(console, line, serve_with, out)
    bundle = line.run(line.model, Bundle)
    write(bundle, out, buildkit=buildkit)
    console.document({"folder": str(out), "digest": bundle.digest, "files": [file.name for file in bundle.files]})
    for reason in bundle.lock.reasons:
        console.note(f"- {reason}")
    console.brief(str(out))
    console.text(f"Wrote {out}. Build it with: docker build -t {bundle.name} {out}")
    return 0


def _for_another_server(console: Console, line: Line, server: str, out: Path) -> int:
    from mlpack.artifacts.prepared import Prepared
    from mlpack.pipeline.tensorflow_serving import write_tf_serving

    name, files = write_tf_serving(line.run(line.model, Prepared), server, out, config=line.config)
    console.document({"folder": str(out), "files": [file.name for file in files]})
    console.brief(str(out))
    console.text(f"Wrote {out}. mlpack does not build it: docker build -t {name} {out}; docker run -p 8501:8501 {name}")
    return 0
