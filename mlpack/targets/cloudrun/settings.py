"""`deploy: {cloudrun: ...}`: the settings of a Cloud Run service, checked before any API call or build."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from mlpack.errors import UsageError
from mlpack.targets.cloudrun.sizes import check_pair, memory_text, parse_memory
from mlpack.targets.settings import TargetOption, TargetSettings

_SERVICE = re.compile(r"[a-z]([a-z0-9-]{0,47}[a-z0-9])?")
_REGION = re.compile(r"[a-z]+-[a-z]+\d+")
_PROJECT = re.compile(r"([a-z0-9.-]+:)?[a-z][a-z0-9-]{1,28}[a-z0-9]")
# The words of gcloud and of Knative, and the Admin API's names for them.
INGRESS = {
    "all": "INGRESS_TRAFFIC_ALL",
    "internal": "INGRESS_TRAFFIC_INTERNAL_ONLY",
    "internal-and-cloud-load-balancing": "INGRESS_TRAFFIC_INTERNAL_LOAD_BALANCER",
}
_LABEL, _LABEL_VALUE = re.compile(r"[a-z][-_a-z0-9]{0,62}"), re.compile(r"[-_a-z0-9]{0,63}")
_ITS_OWN = ("PORT", "K_SERVICE", "K_REVISION", "K_CONFIGURATION")  # variables that only Cloud Run may set
_VARIABLE = re.compile(r"[-._A-Za-z][-._A-Za-z0-9]*")
_SECRET = re.compile(r"(projects/[^/:\s]+/secrets/)?[-_A-Za-z0-9]{1,255}(:[-_A-Za-z0-9]+)?")
_LEAST_OF_GEN2 = 512
_ACCOUNT = re.compile(r"((user|group|serviceAccount):)?[^\s:@]+@[^\s:@]+|(principal|principalSet)://\S+")
_PROJECT_VARIABLES = ("GOOGLE_CLOUD_PROJECT", "CLOUDSDK_CORE_PROJECT")
_REGION_VARIABLES = ("GOOGLE_CLOUD_REGION", "CLOUDSDK_RUN_REGION")


class Vpc(TargetSettings):
    """The way into a VPC: a connector, or a network and subnet."""

    connector: str | None = None
    network: str | None = None
    subnet: str | None = None
    egress: Literal["private-ranges-only", "all-traffic"] = "private-ranges-only"


class Settings(TargetSettings):
    """The keys of the section; None keeps the service's setting, or uses what the test measured."""

    project: str | None = Field(default=None, description="Google Cloud project")
    region: str | None = Field(default=None, description="region, such as europe-west1")
    memory: str | None = Field(default=None, description="memory of one instance, such as 1Gi")
    cpu: str | None = Field(default=None, description="CPUs of one instance: 0.08 to 1, 2, 4, 6, 8")
    concurrency: int | None = Field(
        default=None, ge=1, le=1000, description="maximum of concurrent requests to one instance"
    )
    min_instances: int | None = Field(default=None, ge=0, description="minimum number of instances")
    max_instances: int | None = Field(default=None, ge=1, description="maximum number of instances")
    timeout: int | None = Field(default=None, ge=1, le=3600, description="maximum duration of a request, in seconds")
    service_account: str | None = Field(default=None, description="service account that the service runs as")
    env: dict[str, str | None] = Field(default_factory=dict, description="environment variables; null removes one")
    secrets: dict[str, str] = Field(
        default_factory=dict, description="environment variables from Secret Manager: SECRET[:VERSION]"
    )
    labels: dict[str, str] = Field(default_factory=dict, description="labels of the service")
    vpc: Vpc | None = Field(default=None, description="connector, or network and subnet; egress")
    ingress: Literal["all", "internal", "internal-and-cloud-load-balancing"] | None = Field(
        default=None, description="where requests may come from"
    )
    execution_environment: Literal["gen1", "gen2"] | None = Field(default=None, description="gen1 or gen2")
    cpu_always: bool | None = Field(default=None, description="allocate and bill CPU between requests too")
    cpu_boost: bool | None = Field(default=None, description="more CPU during the start")
    allow_unauthenticated: bool | None = Field(default=None, description="accept requests without authentication")
    invokers: tuple[str, ...] = Field(
        default=(), description="accounts that may send requests to a private service: ADDRESS or user:, group:ADDRESS"
    )
    api_endpoint: str | None = Field(default=None, description="address of the Admin API, if it is not the public one")
    transport: Literal["grpc", "rest"] | None = Field(default=None, description="protocol for the Admin API")
    impersonate: str | None = Field(default=None, description="service account for requests to a private service")

    @model_validator(mode="before")
    @classmethod
    def _no_gpu(cls, given: Any) -> Any:
        if isinstance(given, Mapping) and (named := [key for key in given if str(key).startswith("gpu")]):
            raise ValueError(
                f"no `{named[0]}`: the images contain CPU builds of the frameworks, which would not use a GPU"
            )
        return given

    @field_validator("memory")
    @classmethod
    def _memory(cls, text: str | None) -> str | None:
        return None if text is None else memory_text(parse_memory(text))

    @field_validator("env", "secrets")
    @classmethod
    def _variables(cls, given: dict[str, str | None]) -> dict[str, str | None]:
        if own := [name for name in given if name in _ITS_OWN]:
            raise ValueError(f"{own[0]} is set by Cloud Run")
        if odd := [name for name in given if not _VARIABLE.fullmatch(name)]:
            raise ValueError(f"{odd[0]!r} is not a valid name: use letters, digits, - _ and ., and no digit first")
        return given

    @field_validator("secrets")
    @classmethod
    def _references(cls, given: dict[str, str]) -> dict[str, str]:
        # Who mistakes it for the place of the secret itself shall not find it in a log.
        if wrong := [name for name, text in given.items() if not _SECRET.fullmatch(text)]:
            raise ValueError(
                f"{wrong[0]} is not the name of a secret: write SECRET or SECRET:VERSION, as in Secret Manager"
            )
        return given

    @model_validator(mode="after")
    def _one_of_each(self) -> Settings:
        if both := sorted({name for name, value in self.env.items() if value is not None} & set(self.secrets)):
            raise ValueError(f"{both[0]} is both in `env` and in `secrets`; remove one")
        return self

    @field_validator("service_account")
    @classmethod
    def _account(cls, name: str | None) -> str | None:
        if name is not None and "@" not in name:
            raise ValueError("write the address of the account, such as NAME@PROJECT.iam.gserviceaccount.com")
        return name

    @field_validator("invokers")
    @classmethod
    def _invokers(cls, accounts: tuple[str, ...]) -> tuple[str, ...]:
        if wrong := [one for one in accounts if not _ACCOUNT.fullmatch(one)]:
            raise ValueError(
                f"{wrong[0]!r} is not an account: write the address of a service account, or user:ADDRESS or group:ADDRESS; "
                "`allow_unauthenticated` is for requests of everybody"
            )
        return accounts

    @field_validator("labels")
    @classmethod
    def _labels(cls, labels: dict[str, str]) -> dict[str, str]:
        for key, value in labels.items():
            if not (_LABEL.fullmatch(key) and _LABEL_VALUE.fullmatch(value)):
                raise ValueError(
                    f"{key}={value} is not a valid label: use at most 63 lower-case letters, digits, - and _, a letter first"
                )
        return labels

    @field_validator("vpc")
    @classmethod
    def _vpc(cls, vpc: Vpc | None) -> Vpc | None:
        if vpc is not None and bool(vpc.connector) == bool(vpc.network or vpc.subnet):
            raise ValueError("set either a connector, or a network and subnet")
        return vpc


OPTIONS = (
    TargetOption(flag="--project", key="project", help="Google Cloud project.", locates=True),
    TargetOption(flag="--region", key="region", help="Google Cloud region, such as europe-west1.", locates=True),
    TargetOption(
        flag="--memory",
        key="memory",
        help="Memory of one instance. Default: based on the memory that the test measured.",
    ),
    TargetOption(flag="--cpu", key="cpu", help="CPUs of one instance."),
    TargetOption(flag="--min-instances", key="min_instances", kind="integer", help="Minimum number of instances."),
    TargetOption(flag="--max-instances", key="max_instances", kind="integer", help="Maximum number of instances."),
    TargetOption(
        flag="--concurrency",
        key="concurrency",
        kind="integer",
        help="Maximum number of concurrent requests to one instance.",
    ),
    TargetOption(flag="--timeout", key="timeout", kind="integer", help="Maximum duration of a request, in seconds."),
    TargetOption(flag="--service-account", key="service_account", help="Service account that the service runs as."),
    TargetOption(flag="--env", key="env", kind="pairs", metavar="NAME=VALUE", help="Environment variable. Repeatable."),
    TargetOption(
        flag="--secret",
        key="secrets",
        kind="pairs",
        metavar="NAME=SECRET[:VERSION]",
        help="Environment variable with its value from Secret Manager. Repeatable.",
    ),
    TargetOption(
        flag="--allow-unauthenticated",
        key="allow_unauthenticated",
        kind="flag",
        help="Accept requests without authentication.",
    ),
    TargetOption(
        flag="--api-endpoint",
        key="api_endpoint",
        metavar="URL",
        help="Address of the target's API, if it is not the public one.",
        locates=True,
    ),
)


def where_of(settings: Settings, service: str, environ: Mapping[str, str]) -> tuple[str, str]:
    """The project and region, from the corner or the usual variables; raises UsageError for names that cannot be."""
    project = settings.project or _first(environ, _PROJECT_VARIABLES)
    region = settings.region or _first(environ, _REGION_VARIABLES)
    if not project:
        raise UsageError(
            "no Google Cloud project is given",
            hint="Set it with --project, `deploy: {cloudrun: {project: ...}}` or GOOGLE_CLOUD_PROJECT.",
        )
    if not region:
        raise UsageError(
            "no region is given", hint="Set it with --region europe-west1 or `deploy: {cloudrun: {region: ...}}`."
        )
    if not _PROJECT.fullmatch(project):
        raise UsageError(
            f"{project!r} is not a project id", hint="Use its id, not its name or number: see `gcloud projects list`."
        )
    if not _REGION.fullmatch(region):
        raise UsageError(
            f"{region!r} is not a region", hint="Such as europe-west1; `gcloud run regions list` lists all."
        )
    if not _SERVICE.fullmatch(service):
        raise UsageError(
            f"{service!r} is not a valid name for a Cloud Run service",
            hint="Use at most 49 lower-case letters, digits and dashes, a letter first: --service NAME.",
        )
    least, most = settings.min_instances or 0, settings.max_instances
    if most is not None and least > most:
        raise UsageError(
            f"--min-instances {least} is more than --max-instances {most}",
            hint="Raise the maximum or lower the minimum.",
        )
    if settings.execution_environment == "gen2" and parse_memory(settings.memory or "512Mi") < _LEAST_OF_GEN2:
        raise UsageError(f"--memory {settings.memory} is too little for gen2", hint="Use at least 512Mi, or gen1.")
    if settings.cpu is not None or settings.memory is not None:
        check_pair(settings.cpu, settings.memory, settings.concurrency)
    return project, region


def _first(environ: Mapping[str, str], names: tuple[str, ...]) -> str | None:
    return next((environ[name] for name in names if environ.get(name)), None)
