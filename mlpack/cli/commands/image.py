"""`mlpack image`: show the layers and packages of an image by size."""

from __future__ import annotations

from typing import Annotated

import typer

from mlpack.cli.options import AsJson, ConfigFile, Engine, ImageName
from mlpack.cli.output.console import Console
from mlpack.shown import human_size


def image(
    image: ImageName = None,
    most: Annotated[int, typer.Option("--most", min=1, help="Number of rows in each table.")] = 12,
    engine: Engine = None,
    config: ConfigFile = None,
    json: AsJson = False,
) -> int:
    """Show the layers and packages of an image by size.

    \b
    mlpack image
    mlpack image churn:1.4.0 --most 5
    """
    from mlpack.cli.wiring import make_line

    console = Console(json=json)
    line = make_line(console=console, config=config, engine=engine)
    found = line.image(image)
    layers, packages = line.tools.engine.layers(found.id), line.tools.engine.packages(found.id)
    console.document(
        {
            "id": found.id,
            "tags": list(found.tags),
            "size": found.size,
            "layers": [{"made_by": made_by, "size": size} for made_by, size in layers],
            "packages": [{"name": name, "size": size} for name, size in packages],
        }
    )
    console.text(f"{found.tags[0] if found.tags else found.id}  {human_size(found.size)}")
    console.text()
    for title, rows in (("layer", layers), ("package", packages)):
        largest = sorted(rows, key=lambda row: -row[1])
        rest = sum(size for _, size in largest[most:])
        shown = [(human_size(size), name[:100]) for name, size in largest[:most]]
        console.table(
            [*shown, *([(human_size(rest), f"{len(largest) - most} more")] if rest else [])], header=("size", title)
        )
        console.text()
    return 0
