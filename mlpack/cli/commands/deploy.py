"""`mlpack deploy`: releases a tested image as a service and verifies it before and after it gets traffic."""

from __future__ import annotations

from mlpack.cli import target_options as take
from mlpack.cli.options import AsJson, ConfigFile, Quiet, Receipt, Trust
from mlpack.cli.output.console import Console


def deploy(
    source: take.Source = None,
    target: take.TargetName = None,
    project: take.Project = None,
    region: take.Region = None,
    service: take.ServiceName = None,
    memory: take.Memory = None,
    cpu: take.Cpu = None,
    min_instances: take.MinInstances = None,
    max_instances: take.MaxInstances = None,
    concurrency: take.Concurrency = None,
    timeout: take.Timeout = None,
    service_account: take.ServiceAccount = None,
    env: take.Env = None,
    secret: take.Secret = None,
    allow_unauthenticated: take.AllowUnauthenticated = None,
    set_: take.Set = None,
    api_endpoint: take.ApiEndpoint = None,
    keep: take.Keep = None,
    no_traffic: take.NoTraffic = False,
    dry_run: take.DryRun = False,
    write: take.Write = None,
    yes: take.Yes = False,
    trust: Trust = False,
    no_verify: take.NoVerify = False,
    receipt: Receipt = None,
    config: ConfigFile = None,
    quiet: Quiet = False,
    json: AsJson = False,
) -> int:
    """Release a tested image as a service.

    It shows the plan and asks for confirmation, pushes the image, starts a new revision without traffic, verifies it, moves the
    traffic to it and verifies it again. If a step fails, the traffic goes back to the revision that served before.

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
