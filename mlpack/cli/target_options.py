"""Options that several commands for deployment targets have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def _target_names() -> list[str]:
    from mlpack.plugins import names

    return list(names("targets"))


Source = Annotated[
    str | None,
    typer.Argument(
        metavar="IMAGE|PATH",
        help="A model file, which is built and tested first; a local image; or an image in a registry, by its digest "
        "(host/repository@sha256:...). Default: the image last built in this folder.",
        show_default=False,
    ),
]
TargetName = Annotated[
    str | None,
    typer.Option(
        "--target",
        metavar="NAME",
        help="cloudrun, compose, or the name of an installed plugin. `mlpack deploy --target NAME --help` shows its options. "
        "Default: `deploy: {target: ...}` in mlpack.yaml, else the target last deployed to from this folder.",
        autocompletion=_target_names,
    ),
]
EnsembleTargetName = Annotated[
    str | None,
    typer.Option(
        "--target",
        metavar="NAME",
        help="cloudrun, compose, or the name of an installed plugin. `mlpack ensemble deploy --target NAME --help` shows its "
        "options. Default: `deploy: {target: ...}` in ensemble.yaml, else the target that this ensemble was last deployed to "
        "from this folder.",
        autocompletion=_target_names,
    ),
]
ServiceName = Annotated[
    str | None,
    typer.Option(
        "--service",
        help="Name of the service. Default: `service:` of the target (`deploy: {TARGET: {service: ...}}`) in mlpack.yaml, "
        "else the name of the model.",
    ),
]
DeployedServiceName = Annotated[
    str | None,
    typer.Option(
        "--service",
        help="Name of the service. Default: `service:` of the target (`deploy: {TARGET: {service: ...}}`) in mlpack.yaml, "
        "else the service last deployed to this target from this folder, else `name:` in mlpack.yaml.",
    ),
]
DeployedConfigFile = Annotated[
    Path | None,
    typer.Option(
        "--config",
        help="Configuration file. Default: that of the last build in this folder, else mlpack.yaml in this folder.",
    ),
]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Any other setting of the target, as in mlpack.yaml. Repeatable."),
]
EnsembleSet = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="KEY=VALUE", help="Any other setting of the target, as in ensemble.yaml. Repeatable."
    ),
]
NoTraffic = Annotated[
    bool, typer.Option("--no-traffic", help="Start and verify the new revision, but move no traffic to it.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show the plan (changes and costs), then stop.")]
Write = Annotated[
    Path | None,
    typer.Option(
        "--write", metavar="FILE", help="Write the service definition to this file, in the target's own format (YAML)."
    ),
]
Keep = Annotated[
    int | None,
    typer.Option(
        "--keep",
        min=1,
        metavar="N",
        help="Clean-up policy of the repository: keep the N newest versions of each image (Artifact Registry only).",
    ),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")]
NoVerify = Annotated[bool, typer.Option("--no-verify", help="Deploy without a test or the receipt of a passed one.")]
