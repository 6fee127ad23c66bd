"""`mlpack render`: write the folder that an image is built from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated

import typer

from mlpack.cli.options import (
    AsJson,
    ConfigFile,
    Entry,
    Framework,
    Gpu,
    Include,
    Model,
    Name,
    PlatformWithoutEngine,
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

if TYPE_CHECKING:
    from mlpack.pipeline.line import Line


def render(
    out: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR", help="Folder to write; it must be new or empty.")
    ],
    model: Model = None,
    buildkit: Annotated[
        bool, typer.Option("--buildkit", help="Use BuildKit's cache mounts and bind mounts in the Dockerfile.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Write into a folder that already contains files.")] = False,
    name: Name = None,
    version: Version = None,
    entry: Entry = None,
    signature: Signature = None,
    framework: Framework = None,
    python: Python = None,
    platform: PlatformWithoutEngine = None,
    wheelhouse: Wheelhouse = None,
    include: Include = None,
    require: Require = None,
    sdist: Sdist = None,
    predictor: Predictor = None,
    sample: Sample = None,
    gpu: Gpu = None,
    serve_with: Annotated[
        str | None,
        typer.Option(
            "--serve-with", metavar="NAME", help="tf-serving: serve a SavedModel with TensorFlow Serving's image."
        ),
    ] = None,
    trust: Trust = False,
    refresh: Refresh = False,
    config: ConfigFile = None,
    quiet: Quiet = False,
    json: AsJson = False,
) -> int:
    """Write the folder that the image is built from. `docker build` then builds the image without mlpack.

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
            f"{out} exists and is not an empty folder", hint="Name a new folder, or use --force to write into it."
        )
    options = Options(
        include=tuple(include or ()),
        require=tuple(require or ()),
        sdist=tuple(sdist or ()),
        trust=trust,
        refresh=refresh,
        secrets=False,
    )
    line = make_line(
        model, console=console, config=config, overrides=overrides, local="ignore",
        command=f"render --output {quote(str(out))}", options=options,
    )  # fmt: skip
    if serve_with is not None:
        line = replace(line, options=replace(line.options, packages=False))
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
    from mlpack.pipeline.other_server import write_for_server

    prepared = line.run(line.model, Prepared)
    written = write_for_server(prepared, server, out, config=line.config, formats=line.tools.formats)
    console.document({"folder": str(out), "files": [file.name for file in written.files]})
    console.brief(str(out))
    console.text(
        f"Wrote {out}. Build and run it with: docker build -t {written.image} {out}; "
        f"docker run -p {written.port}:{written.port} {written.image}"
    )
    return 0
