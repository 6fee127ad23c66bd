"""`mlpack push`: pushes a tested image to a registry."""

from __future__ import annotations

from typing import Annotated

import typer

from mlpack.cli.options import AsJson, ConfigFile, ImageName, Quiet, Receipt
from mlpack.cli.output.console import Console
from mlpack.cli.target_options import Keep, Project, Region


def push(
    image: ImageName = None,
    to: Annotated[
        str | None,
        typer.Option(
            "--to", metavar="REF", help="Destination: host/repository[:tag]. Default: image.repository in mlpack.yaml."
        ),
    ] = None,
    project: Project = None,
    region: Region = None,
    keep: Keep = None,
    no_verify: Annotated[bool, typer.Option("--no-verify", help="Push without the receipt of a passed test.")] = False,
    receipt: Receipt = None,
    config: ConfigFile = None,
    quiet: Quiet = False,
    json: AsJson = False,
) -> int:
    """Push a tested image, and print its reference with the digest.

    With --project and --region, it goes to the repository `mlpack` of Artifact Registry, which is created if it does not
    exist.

    \b
    mlpack push --project acme --region europe-west1
    mlpack push --to europe-docker.pkg.dev/acme/ml/churn
    mlpack push churn:1.4.0 --to 127.0.0.1:5000/churn
    """
    from mlpack.cli.shelving import Shelving
    from mlpack.cli.sources import Ready
    from mlpack.cli.wiring import make_context, remembered_config
    from mlpack.errors import UsageError
    from mlpack.targets.base import Home
    from mlpack.workspace import require_receipt

    console = Console(json=json, quiet=quiet)
    context = make_context(None, console=console, config=config or (remembered_config() if image is None else None))
    home = Home(project=project, region=region) if project and region else None
    named = to or (None if home else context.config.image.repository)
    if named is None and home is None:
        raise UsageError(
            "where to?",
            hint="--to host/repository, --project and --region, or `image: {repository: ...}` in mlpack.yaml.",
        )
    found = context.image(image)
    if no_verify:
        console.warn("--no-verify: this image goes out without a passing test")
    proof = None if no_verify else require_receipt(found, context.folder, file=receipt)
    name = str(found.card.get("name") or "model")
    place = Shelving(context=context, named=named, home=home, name=name, keep=keep)
    released = place.put(Ready(image=found, receipt=proof))
    console.document(
        {
            "reference": released.reference,
            "digest": released.digest,
            "tags": list(released.tags),
            "verified": proof is not None,
        }
    )
    console.text(released.reference)
    console.brief(released.reference)
    return 0
