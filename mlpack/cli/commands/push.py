"""`mlpack push`: push a tested image to a registry."""

from __future__ import annotations

from typing import Annotated

import typer

from mlpack.cli.options import AsJson, Engine, ImageName, LastConfigFile, Quiet, Receipt
from mlpack.cli.output.console import Console
from mlpack.cli.target_options import Keep


def push(
    image: ImageName = None,
    to: Annotated[
        str | None,
        typer.Option(
            "--to", metavar="REF", help="Destination: host/repository[:tag]. Default: image.repository in mlpack.yaml."
        ),
    ] = None,
    project: Annotated[str | None, typer.Option("--project", help="Google Cloud project.")] = None,
    region: Annotated[str | None, typer.Option("--region", help="Google Cloud region, such as europe-west1.")] = None,
    keep: Keep = None,
    no_verify: Annotated[bool, typer.Option("--no-verify", help="Push without the receipt of a passed test.")] = False,
    receipt: Receipt = None,
    engine: Engine = None,
    config: LastConfigFile = None,
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
    from mlpack.artifacts.release import Released, Verified
    from mlpack.cli.wiring import make_line
    from mlpack.pipeline.tools import Options
    from mlpack.registries.destinations import choose_destination

    console = Console(json=json, quiet=quiet)
    line = make_line(
        console=console,
        config=config,
        of_last_image=image is None,
        engine=engine,
        options=Options(verification="skip" if no_verify else "require", receipt=receipt),
        destination=lambda loaded, _target, name: choose_destination(
            to, project=project, region=region, default=loaded.image.repository, image=name, keep=keep
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
