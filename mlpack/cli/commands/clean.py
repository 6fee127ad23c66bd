"""`mlpack clean`: removes what mlpack made: images, caches, the working folder's notes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mlpack.cli.options import AsJson
from mlpack.cli.output.console import Console
from mlpack.shown import human_size
from mlpack.workspace import FOLDER


def clean(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="IMAGE", help="Of the images those of these names alone.")
    ] = None,
    images: Annotated[
        bool, typer.Option("--images", help="Images that mlpack built, and large models beside them.")
    ] = False,
    cache: Annotated[bool, typer.Option("--cache", help="Locks and environments in the user's cache.")] = False,
    folder: Annotated[bool, typer.Option("--folder", help="Receipts and notes (.mlpack) of this folder.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    json: AsJson = False,
) -> int:
    """Remove what mlpack made; without a choice, all of it. Sizes are shown first, and it asks.

    \b
    mlpack clean
    mlpack clean --images --yes
    mlpack clean churn mlpack-model
    """
    from mlpack.cli.wiring import cache_dir, make_line
    from mlpack.engines.process.runner import SHARED_CACHE
    from mlpack.errors import UsageError
    from mlpack.maintenance.cleaning import Cleaner

    console = Console(json=json)
    everything = not (names or images or cache or folder)
    cleaner = Cleaner(
        engine=lambda: make_line(console=console).tools.engine,
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
            raise UsageError("removing needs confirmation, and no terminal is there to ask", hint="--yes confirms.")
        console.confirm(f"Remove {len(found)} things, at most {human_size(sum(item.size for item in found))}?")
    removed = [item for item in found if cleaner.remove(item)]
    console.document({"removed": [{"kind": item.kind, "name": item.name, "size": item.size} for item in removed]})
    console.text(
        f"Removed at most {human_size(sum(item.size for item in removed))}: layers may be shared." if removed else ""
    )
    return 0
