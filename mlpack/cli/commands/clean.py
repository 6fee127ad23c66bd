"""`mlpack clean`: remove what mlpack created: images, caches, the folder .mlpack."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mlpack.cli.options import AsJson, Engine
from mlpack.cli.output.console import Console
from mlpack.shown import human_size
from mlpack.workspace import FOLDER, cache_dir


def clean(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="IMAGE", help="Names of images: remove only these images.")
    ] = None,
    images: Annotated[
        bool,
        typer.Option(
            "--images",
            help="Remove the images that mlpack built, and its helper images `mlpack-model` that store large model files.",
        ),
    ] = False,
    cache: Annotated[bool, typer.Option("--cache", help="Remove cached lockfiles and virtual environments.")] = False,
    folder: Annotated[
        bool,
        typer.Option(
            "--folder",
            help="Remove the folder .mlpack from here: receipts, last image, last deployment. Files of services that are "
            "deployed with compose stay; `mlpack delete` removes them.",
        ),
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")] = False,
    engine: Engine = None,
    json: AsJson = False,
) -> int:
    """Remove images, caches and the folder .mlpack. It lists what it will remove, and asks for confirmation.

    Without options and IMAGE, it removes all images of mlpack on this engine, its caches, and the folder .mlpack of this
    folder.

    \b
    mlpack clean
    mlpack clean --images --yes
    mlpack clean churn mlpack-model
    """
    from mlpack.cli.wiring import make_line
    from mlpack.engines.process.runner import SHARED_CACHE
    from mlpack.errors import UsageError
    from mlpack.maintenance.cleaning import Cleaner

    console = Console(json=json)
    everything = not (names or images or cache or folder)
    cleaner = Cleaner(
        engine=lambda: make_line(console=console, engine=engine, local="ignore").tools.engine,
        caches=(cache_dir(), SHARED_CACHE),
        folder=Path.cwd() / FOLDER,
        warn=console.warn,
    )
    found = cleaner.find(
        images=images or everything or bool(names),
        cache=cache or everything,
        folder=folder or everything,
        names=tuple(names or ()),
    )
    console.table([(human_size(item.size), item.kind, item.name) for item in found], header=("size", "what", "name"))
    if not found:
        console.text("Nothing to remove.")
    elif not yes:
        if json or not console.interactive:
            raise UsageError("removal needs confirmation, and there is no terminal", hint="--yes confirms.")
        console.confirm(f"Remove {len(found)} items, at most {human_size(sum(item.size for item in found))}?")
    removed = [item for item in found if cleaner.remove(item)]
    console.document({"removed": [{"kind": item.kind, "name": item.name, "size": item.size} for item in removed]})
    console.text(
        f"Removed {len(removed)} items, at most {human_size(sum(item.size for item in removed))}: images may share layers."
        if removed
        else ""
    )
    return 0
