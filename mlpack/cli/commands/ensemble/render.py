"""`mlpack ensemble render`: write a compose project that builds and starts an ensemble without mlpack."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mlpack.cli.ensembles import DEFAULT_FILE, Choices, File, Offline, make_assembly, rendered_release, runner_of
from mlpack.cli.options import AsJson, PlatformWithoutEngine, Quiet, Refresh, Trust
from mlpack.cli.output.console import Console


def render(
    out: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR", help="Folder to write; it must be new or empty.")
    ],
    file: File = DEFAULT_FILE,
    force: Annotated[bool, typer.Option("--force", help="Write into a folder that already contains files.")] = False,
    buildkit: Annotated[
        bool, typer.Option("--buildkit", help="Use BuildKit's cache mounts and bind mounts in the Dockerfiles.")
    ] = False,
    platform: PlatformWithoutEngine = None,
    offline: Offline = False,
    trust: Trust = False,
    refresh: Refresh = False,
    quiet: Quiet = False,
    json: AsJson = False,
) -> int:
    """Write a compose.yaml and a folder for each image. `docker compose up --build` then starts the ensemble.

    \b
    mlpack ensemble render -o churn/
    docker compose -f churn/compose.yaml up --build
    """
    from mlpack.errors import UsageError
    from mlpack.pipeline.render import write
    from mlpack.pipeline.tools import Options
    from mlpack.workspace import write_atomically

    console = Console(json=json, quiet=quiet)
    if out.exists() and (not out.is_dir() or any(out.iterdir())) and not force:
        raise UsageError(
            f"{out} exists and is not an empty folder", hint="Name a new folder, or use --force to write into it."
        )
    options = Options(trust=trust, refresh=refresh, secrets=False)
    choices = Choices(platform=platform, offline=offline, without_engine=True)
    assembly = make_assembly(file, console, choices, options=options)
    described, coordinator, members = assembly.render()
    folders = {assembly.ensemble.name: coordinator, **{bundle.name: bundle for bundle in members.values()}}
    for name, bundle in folders.items():
        write(bundle, out / name, buildkit=buildkit)
    release = rendered_release(assembly, described, coordinator, members)
    name, text = runner_of(assembly).text(release, {name: f"./{name}" for name in folders})
    write_atomically(out / name, text)
    console.document({"folder": str(out), "file": str(out / name), "images": sorted(folders)})
    console.brief(str(out))
    console.text(f"Wrote {out}. Start it with: docker compose -f {out / name} up --build")
    return 0
