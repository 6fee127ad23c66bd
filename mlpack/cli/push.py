"""`mlpack push`: a tested image goes to a registry."""

from __future__ import annotations

from typing import Annotated

import typer

from mlpack.cli.console import Console
from mlpack.cli.options import AsJson, ConfigFile, ImageName, Quiet, Receipt


def push(
    image: ImageName = None,
    to: Annotated[
        str | None, typer.Option("--to", metavar="REF", help="host/repository[:tag]; else image.repository.")
    ] = None,
    no_verify: Annotated[bool, typer.Option("--no-verify", help="Push without a passing receipt.")] = False,
    receipt: Receipt = None,
    config: ConfigFile = None,
    quiet: Quiet = False,
    json: AsJson = False,
) -> int:
    """Push a tested image; prints the reference with its digest.

    \b
    mlpack push --to europe-docker.pkg.dev/acme/ml/churn
    mlpack push churn:1.4.0 --to 127.0.0.1:5000/churn
    """
    from mlpack.cli.context import attach, make_context, remembered_config
    from mlpack.errors import UsageError
    from mlpack.pipeline.push import push as run_push
    from mlpack.pipeline.receipts import require_receipt

    console = Console(json=json, quiet=quiet)
    context = make_context(None, console=console, config=config or (remembered_config() if image is None else None))
    reference = to or context.config.image.repository
    if reference is None:
        raise UsageError("where to?", hint="--to host/repository, or `image: {repository: ...}` in mlpack.yaml.")
    found = context.image(image)
    if no_verify:
        console.warn("--no-verify: this image goes out without a passing test")
    proof = None if no_verify else require_receipt(found, context.folder, file=receipt)
    with console.progress("pushing") as on_progress:
        released = run_push(
            found, proof, publisher=context.engine, attach=attach, reference=reference, on_progress=on_progress
        )
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
