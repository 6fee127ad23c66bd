"""`mlpack clean`: removes what mlpack made: images, caches, notes in the working folder."""

from __future__ import annotations

from typing import Annotated

import typer

from mlpack.cli.options import AsJson
from mlpack.cli.output.console import Console, human_size


def clean(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="IMAGE", help="Remove only the images with these names.")
    ] = None,
    images: Annotated[
        bool, typer.Option("--images", help="Remove images that mlpack built, and the images that hold large models.")
    ] = False,
    cache: Annotated[bool, typer.Option("--cache", help="Remove cached lockfiles and virtual environments.")] = False,
    folder: Annotated[
        bool, typer.Option("--folder", help="Remove receipts and notes (.mlpack) from this folder.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")] = False,
    json: AsJson = False,
) -> int:
    """Remove images, caches and notes of mlpack; without options, all of them. It lists them with their sizes and asks first.

    \b
    mlpack clean
    mlpack clean --images --yes
    mlpack clean churn mlpack-model
    """
    from mlpack.cli.cleaning import find, remove
    from mlpack.errors import UsageError

    console = Console(json=json)
    everything = not (names or images or cache or folder)
    found = find(
        console,
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
            raise UsageError("nobody to ask", hint="--yes removes what is listed without asking.")
        console.agree(f"Remove {len(found)} things, at most {human_size(sum(item.size for item in found))}?")
    removed = [item for item in found if remove(console, item)]
    console.document({"removed": [{"kind": item.kind, "name": item.name, "size": item.size} for item in removed]})
    console.text(
        f"Removed at most {human_size(sum(item.size for item in removed))}: layers may be shared." if removed else ""
    )
    return 0
