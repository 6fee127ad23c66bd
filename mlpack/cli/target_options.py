"""The options that commands with a deployment target share, each written once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Source = Annotated[
    str | None,
    typer.Argument(
        metavar="[IMAGE|PATH]",
        help="A model file (build, test, push, deploy), a local image (push, deploy), or an image by digest in a registry "
        "(deploy). Default: the image last built in this folder.",
        show_default=False,
    ),
]
TargetName = Annotated[
    str | None,
    typer.Option(
        "--target",
        metavar="NAME",
        help="cloudrun or compose. Default: `deploy: {target: ...}` in mlpack.yaml, else that of the last deployment.",
    ),
]
Project = Annotated[str | None, typer.Option("--project", help="Google Cloud project.")]
Region = Annotated[str | None, typer.Option("--region", help="Google Cloud region, such as europe-west1.")]
ServiceName = Annotated[
    str | None, typer.Option("--service", help="Name of the service. Default: the name of the model.")
]
ApiEndpoint = Annotated[
    str | None,
    typer.Option("--api-endpoint", metavar="URL", help="Address of the target's API, if it is not the public one."),
]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Any other setting of the target, as in mlpack.yaml. Repeatable."),
]
Memory = Annotated[
    str | None,
    typer.Option("--memory", help="Memory of one instance. Default: based on the memory that the test measured."),
]
Cpu = Annotated[str | None, typer.Option("--cpu", help="CPUs of one instance.")]
MinInstances = Annotated[int | None, typer.Option("--min-instances", min=0, help="Minimum number of instances.")]
MaxInstances = Annotated[int | None, typer.Option("--max-instances", min=1, help="Maximum number of instances.")]
Concurrency = Annotated[
    int | None, typer.Option("--concurrency", min=1, help="Maximum number of concurrent requests to one instance.")
]
Timeout = Annotated[int | None, typer.Option("--timeout", min=1, help="Maximum duration of a request, in seconds.")]
ServiceAccount = Annotated[
    str | None, typer.Option("--service-account", help="Service account that the service runs as.")
]
Env = Annotated[list[str] | None, typer.Option("--env", metavar="NAME=VALUE", help="Environment variable. Repeatable.")]
Secret = Annotated[
    list[str] | None,
    typer.Option(
        "--secret",
        metavar="NAME=SECRET[:VERSION]",
        help="Environment variable with its value from Secret Manager. Repeatable.",
    ),
]
AllowUnauthenticated = Annotated[
    bool | None,
    typer.Option("--allow-unauthenticated/--no-allow-unauthenticated", help="Accept requests without authentication."),
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
        help="Clean-up policy of the repository: keep the N newest versions of each image.",
    ),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")]
NoVerify = Annotated[bool, typer.Option("--no-verify", help="Deploy without the receipt of a passed test.")]
