"""`mlpack deploy`: a tested image becomes a service that is asked before it is believed."""

from __future__ import annotations

from mlpack.cli.console import Console
from mlpack.cli.deploy_options import (
    AllowUnauthenticated,
    ApiEndpoint,
    Concurrency,
    Cpu,
    DryRun,
    Env,
    Keep,
    MaxInstances,
    Memory,
    MinInstances,
    NoTraffic,
    NoVerify,
    Project,
    Region,
    Secret,
    ServiceAccount,
    ServiceName,
    Set,
    Source,
    TargetName,
    Timeout,
    Write,
    Yes,
)  # fmt: skip
from mlpack.cli.options import AsJson, ConfigFile, Quiet, Receipt, Trust


def deploy(
    source: Source = None,
    target: TargetName = None,
    project: Project = None,
    region: Region = None,
    service: ServiceName = None,
    memory: Memory = None,
    cpu: Cpu = None,
    min_instances: MinInstances = None,
    max_instances: MaxInstances = None,
    concurrency: Concurrency = None,
    timeout: Timeout = None,
    service_account: ServiceAccount = None,
    env: Env = None,
    secret: Secret = None,
    allow_unauthenticated: AllowUnauthenticated = None,
    set_: Set = None,
    api_endpoint: ApiEndpoint = None,
    keep: Keep = None,
    no_traffic: NoTraffic = False,
    dry_run: DryRun = False,
    write: Write = None,
    yes: Yes = False,
    trust: Trust = False,
    no_verify: NoVerify = False,
    receipt: Receipt = None,
    config: ConfigFile = None,
    quiet: Quiet = False,
    json: AsJson = False,
) -> int:
    """Release a tested image as a service: planned, staged, asked, given the traffic, asked again; put back on failure.

    \b
    mlpack deploy model.pkl --target cloudrun --project acme --region europe-west1
    mlpack deploy --target compose --yes
    mlpack deploy --dry-run --write service.yaml
    """
    from mlpack.cli.deploying import How, run_deploy

    words = {
        "project": project, "region": region, "service": service, "memory": memory, "cpu": cpu, "timeout": timeout,
        "min_instances": min_instances, "max_instances": max_instances, "concurrency": concurrency, "env": env,
        "secrets": secret, "service_account": service_account, "allow_unauthenticated": allow_unauthenticated,
        "api_endpoint": api_endpoint,
    }  # fmt: skip
    how = How(traffic=not no_traffic, dry_run=dry_run, write=write, yes=yes, trust=trust, keep=keep,
              receipt=receipt, no_verify=no_verify, target=target, words=words, more=tuple(set_ or ()))  # fmt: skip
    return run_deploy(Console(json=json, quiet=quiet), source, config, how)
