"""The plan of a deployment to Cloud Run: the changes against the current state, and an estimate of the costs."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mlpack.artifacts.release import Component
from mlpack.artifacts.report import Report
from mlpack.artifacts.service import Change, Cost, Plan
from mlpack.errors import DeployError
from mlpack.targets.cloudrun.access import ROLE, Access, members_of
from mlpack.targets.cloudrun.facts import changes_between, facts_of
from mlpack.targets.cloudrun.knative import service_yaml
from mlpack.targets.cloudrun.settings import INGRESS, Settings
from mlpack.targets.cloudrun.sizes import parse_cpu, parse_memory
from mlpack.targets.cloudrun.template import add_calls, sized, template_of
from mlpack.targets.cloudrun.traffic import RUN_NOTE, short

_PRICES = Path(__file__).with_name("prices.json")
_MONTH_S = 30 * 24 * 3600
_BILLED_S = 0.1  # requests are billed in steps of 0.1 s
_PRIVATE = Access(by_policy=False, check_off=False)


@dataclass(frozen=True, kw_only=True)
class Before:
    """What is there before a deploy: the service (None: there is none), the template that serves, traffic, access."""

    service: Any | None
    base: Any | None = None
    shares: Mapping[str, int] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    access: Access = _PRIVATE

    @property
    def serving(self) -> str | None:
        """The revision with most of the traffic."""
        return max(self.shares, key=lambda name: self.shares[name]) if self.shares else None

    @property
    def notes(self) -> dict[str, str]:
        """The service's annotations."""
        return dict(self.service.annotations) if self.service is not None else {}

    @property
    def etag(self) -> str:
        """Which state of the service the plan was made from."""
        return str(self.service.etag) if self.service is not None else ""


@dataclass(kw_only=True)
class Wanted:
    """What the service shall be; `reference` is the image's, with digest once it is released.

    `invited` are the members of the policy that may send requests and may not yet.
    """

    template: Any
    settings: Settings
    labels: Mapping[str, str]
    reference: str
    invited: frozenset[str] = frozenset()

    @property
    def around(self) -> list[str]:
        """The fields of the service itself that the user gave: they hold for what serves, too, and so come with the traffic."""
        given = {"ingress": self.settings.ingress, "labels": self.settings.labels}
        return [name for name, value in given.items() if value]

    def around_of(self, service: Any) -> Any:
        """The service's own fields as they shall be, laid over what they are now."""
        from google.cloud import run_v2

        around = run_v2.Service(labels={**service.labels, **self.settings.labels}, ingress=service.ingress)
        if self.settings.ingress is not None:
            around.ingress = getattr(run_v2.IngressTraffic, INGRESS[self.settings.ingress])
        return around

    def service_of(self, name: str, reference: str, run: str) -> Any:
        """The message to send: the image by its digest, marked by the run."""
        from google.cloud import run_v2

        if self.template.containers[0].image == self.reference:
            self.template.containers[0].image = reference
        self.reference = str(self.template.containers[0].image)
        if run:
            self.template.annotations[RUN_NOTE] = run
        around = self.around_of(run_v2.Service(labels=dict(self.labels)))
        return run_v2.Service(name=name, template=self.template, labels=around.labels, ingress=around.ingress)


def plan_of(
    before: Before,
    settings: Settings,
    component: Component,
    *,
    service: str,
    where: Mapping[str, str],
    run: str,
) -> Plan:
    """The plan. Raises UsageError for sizes that Cloud Run does not take."""
    report, reference = component.report, component.reference
    template = template_of(before.base, settings, image_id=component.image.id, reference=reference, report=report)
    add_calls(template, component)
    labels = {**(dict(before.service.labels) if before.service is not None else {}), **settings.labels}
    invokers = members_of((*settings.invokers, *component.callers))
    invited = invokers - before.access.invokers if before.access.known else frozenset()
    wanted = Wanted(template=template, settings=settings, labels=labels, reference=reference, invited=invited)
    changes = changes_between(_before(before, settings), _after(before, wanted), shown=component.env)
    if before.serving and changes:
        shares = ", ".join(f"{name} {percent} %" for name, percent in before.shares.items())
        changes = (*changes, Change(field="traffic", before=shares, after="the new revision 100 %"))
    with_traffic, postponed = _with_traffic(before, wanted, {change.field for change in changes})
    limits, scaling = template.containers[0].resources.limits, template.scaling
    return Plan(
        target="cloudrun",
        service=service,
        exists=before.service is not None,
        changes=changes,
        document=service_yaml(
            wanted.service_of("", template.containers[0].image, ""),
            service,
            region=where["region"],
            there=before.service,
        ),
        file_name="service.yaml",
        run=run,
        cost=cost_of(
            region=where["region"],
            cpus=parse_cpu(limits["cpu"]),
            memory_mib=parse_memory(limits["memory"]),
            min_instances=scaling.min_instance_count,
            always=not template.containers[0].resources.cpu_idle,
            report=report,
        ),
        notes=_notes(before, settings, report, invokers),
        with_traffic=with_traffic,
        postponed=postponed,
        before=before,
        wanted=wanted,
    )


def cost_of(
    *, region: str, cpus: float, memory_mib: int, min_instances: int, always: bool, report: Report | None
) -> Cost:
    """Estimate the costs per month of `min_instances`, and per million requests that arrive one at a time."""
    data = json.loads(_PRICES.read_text(encoding="utf-8"))
    tier = "1" if region in data["tier_1_regions"] else "2"
    price, gib = data["tiers"][tier], memory_mib / 1024
    kind = "always_" if always else "idle_"
    idle = cpus * price[f"{kind}cpu_second"] + gib * price[f"{kind}gib_second"]
    took_s = float((report.latency_ms if report else {}).get("p50", 100)) / 1000
    billed = max(1, math.ceil(took_s / _BILLED_S)) * _BILLED_S
    working = billed * (cpus * price["cpu_second"] + gib * price["gib_second"])
    return Cost(
        currency=data["currency"],
        idle_month=idle * _MONTH_S * min_instances,
        million_requests=0.0 if always else working * 1e6 + price["million_requests"],
        basis=f"{cpus:g} CPU, {memory_mib} MiB, {min_instances} always running, {billed:.1f} s per request, one at a time, "
        f"without the free tier; prices of {data['date']}, tier {tier}, {data['source']}",
    )


def refuse_others(service: Any, run: str) -> None:
    """Raises DeployError when the service's newest revision is that of another deploy: its state is not ours."""
    if service.template.annotations.get(RUN_NOTE) != run:
        raise DeployError(
            f"someone else has deployed {short(service.name)} in the meantime",
            hint="Look at the change with `mlpack status`, then deploy again, which makes a new plan.",
            code="deploy_conflict",
        )


def _before(before: Before, settings: Settings) -> dict[str, str]:
    if before.service is None or before.base is None:
        return {}
    # A revision may have a label that its service lacks: one that was staged without traffic.
    late = {f"label.{key}": before.service.labels.get(key, "") for key in _late_labels(before, settings)}
    around = _around(before.service.ingress.name, before.access.open_to_all, before.access.invokers)
    return facts_of(before.base) | late | around


def _after(before: Before, wanted: Wanted) -> dict[str, str]:
    settings = wanted.settings
    there = before.service.ingress.name if before.service is not None else INGRESS["all"]
    opened = settings.allow_unauthenticated
    facts = facts_of(wanted.template)
    facts |= _around(
        INGRESS[settings.ingress] if settings.ingress else there,
        before.access.open_to_all if opened is None else opened,
        before.access.invokers | wanted.invited,
    )
    return facts


def _late_labels(before: Before, settings: Settings) -> list[str]:
    """The given labels that the service itself has not, or not so."""
    there = before.service.labels if before.service is not None else {}
    return [key for key, value in settings.labels.items() if there.get(key) != value]


def _with_traffic(before: Before, wanted: Wanted, changed: set[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The changes that a release without traffic leaves alone, and what they are called.

    A first one leaves its door closed; of one more the service's own labels wait, and those of its revision do not.
    """
    settings = wanted.settings
    if before.service is None or before.base is None:
        opened: tuple[str, ...] = ("access",) if settings.allow_unauthenticated else ()
        opened += ("invokers",) if wanted.invited else ()
        return opened, opened
    labels = _late_labels(before, settings)
    own = tuple(name for name in ("access", "invokers", "ingress") if name in changed)
    only = tuple(f"label.{key}" for key in labels if before.base.labels.get(key) == settings.labels[key])
    return ("traffic", *own, *only), (*own, *(f"the service's label {key}" for key in labels))


def _around(ingress: str, open_to_all: bool, invokers: frozenset[str]) -> dict[str, str]:
    words = {name: word for word, name in INGRESS.items()}
    access = "everybody" if open_to_all else "private"
    return {"ingress": words.get(ingress, "all"), "access": access, "invokers": ", ".join(sorted(invokers))}


def _notes(before: Before, settings: Settings, report: Report | None, invokers: frozenset[str]) -> tuple[str, ...]:
    notes = [sized(before.base.containers[0] if before.base else None, settings, report).note]
    if report is None or report.peak_memory_mb is None:
        notes.append("the test measured no memory; set the memory of an instance with --memory")
    if report is not None and (report.cold_start_ms or 0) > 120_000:
        notes.append(
            f"the container took {(report.cold_start_ms or 0) / 1000:.0f} s to start; Cloud Run waits at most 240 s"
        )
    if not before.access.known:
        notes.append("the access policy could not be read (run.services.getIamPolicy)")
        notes += [f"it was not checked whether {one} has {ROLE}" for one in sorted(invokers)]
    return tuple(note for note in notes if note)
