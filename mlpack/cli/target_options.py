"""Options of the commands that have to do with a target, written once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Source = Annotated[
    str | None,
    typer.Argument(
        metavar="[IMAGE|PATH]",
        help="A model's path runs the whole line; an image starts at the push, one by digest after it; else the last built.",
        show_default=False,
    ),
]
TargetName = Annotated[
    str | None, typer.Option("--target", metavar="NAME", help="cloudrun or compose; else `deploy: {target: ...}`.")
]
Project = Annotated[str | None, typer.Option("--project", help="Google Cloud project.")]
Region = Annotated[str | None, typer.Option("--region", help="Region, such as europe-west1.")]
ServiceName = Annotated[str | None, typer.Option("--service", help="Name of the service; else the model's.")]
ApiEndpoint = Annotated[
    str | None, typer.Option("--api-endpoint", metavar="URL", help="Another address of the target's own interface.")
]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Any setting of the target's corner of mlpack.yaml; repeatable."),
]
Memory = Annotated[str | None, typer.Option("--memory", help="Memory of an instance; else by what the test measured.")]
Cpu = Annotated[str | None, typer.Option("--cpu", help="CPUs of an instance.")]
MinInstances = Annotated[int | None, typer.Option("--min-instances", min=0, help="Instances that always run.")]
MaxInstances = Annotated[int | None, typer.Option("--max-instances", min=1, help="Instances at most.")]
Concurrency = Annotated[int | None, typer.Option("--concurrency", min=1, help="Requests at once to one instance.")]
Timeout = Annotated[int | None, typer.Option("--timeout", min=1, help="Seconds that a request may take.")]
ServiceAccount = Annotated[str | None, typer.Option("--service-account", help="Who the service runs as.")]
Env = Annotated[list[str] | None, typer.Option("--env", metavar="NAME=VALUE", help="A variable; repeatable.")]
Secret = Annotated[
    list[str] | None,
    typer.Option("--secret", metavar="NAME=SECRET[:VERSION]", help="A variable out of Secret Manager; repeatable."),
]
AllowUnauthenticated = Annotated[
    bool | None,
    typer.Option("--allow-unauthenticated/--no-allow-unauthenticated", help="Whether everybody may ask it."),
]
NoTraffic = Annotated[
    bool, typer.Option("--no-traffic", help="Stage and ask it, under an address of its own; move no traffic.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only the plan: what would change, and what it costs.")]
Write = Annotated[
    Path | None, typer.Option("--write", metavar="FILE", help="Write the service as the target's own file (YAML).")
]
Keep = Annotated[
    int | None, typer.Option("--keep", min=1, metavar="N", help="Clean-up policy: of each image the N newest stay.")
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
NoVerify = Annotated[bool, typer.Option("--no-verify", help="Go without a passing receipt.")]
