"""`mlpack push`: a tested image goes to a registry."""

from __future__ import annotations

from typing import Annotated

import typer

from mlpack.cli.options import AsJson, ConfigFile, ImageName, Quiet, Receipt
from mlpack.cli.output.console import Console
from mlpack.cli.target_options import Keep, Project, Region


def push(
    image: ImageName = None,
    to: Annotated[
        str | None, typer.Option("--to", metavar="REF", help="host/repository[:tag]; else image.repository.")
    ] = None,
    project: Project = None,
    region: Region = None,
    keep: Keep = None,
    no_verify: Annotated[bool, typer.Option("--no-verify", help="Push without a passing receipt.")] = False,
    receipt: Receipt = None,
    config: ConfigFile = None,
    quiet: Quiet = False,
    json: AsJson = False,
) -> int:
    """Push a tested image; prints the reference with its digest.

    With --project and --region it goes to the repository `mlpack` of Artifact Registry there, made when it is missing.

    \b
    mlpack push --project acme --region europe-west1
    mlpack push --to europe-docker.pkg.dev/acme/ml/churn
    mlpack push churn:1.4.0 --to 127.0.0.1:5000/churn
    """
    from mlpack.artifacts.release import Released, Verified
    from mlpack.cli.wiring import make_line
    from mlpack.pipeline.tools import Options
    from mlpack.registries.destinations import choose_destination

    console = Console(json=json, quiet=quiet)
    line = make_line(
        console=console,
        config=config,
        remembered=image is None,
        options=Options(verification="skip" if no_verify else "require", receipt=receipt),
        destination=lambda loaded, _target, name: choose_destination(
            to, project=project, region=region, usual=loaded.image.repository, image=name, keep=keep
        ),
    )
    released = line.run(line.image(image), Released)
    console.document(
        {
            "reference": released.reference,
            "digest": released.digest,
            "tags": list(released.tags),
            "verified": isinstance(released.source, Verified),
        }
    )
    console.text(released.reference)
    console.brief(released.reference)
    return 0
