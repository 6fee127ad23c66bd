"""From Released to Deployment: staged without traffic, asked, given the traffic, asked again; put back when a check fails."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from mlpack.artifacts.image import Image
from mlpack.artifacts.release import Released
from mlpack.artifacts.service import Deployment, Live, Place, Plan, Proof, Service, Staged
from mlpack.checks.golden import Asked, Golden, ask
from mlpack.errors import DeployError, DeployStateError, InterruptedByUser, MlpackError
from mlpack.targets.base import Keeper, OnStep, Target

_SLOWER = 2.0  # so many times the serving revision's p95 is worth a word


@dataclass(kw_only=True)
class _Seen:
    """What was asked so far, and how far it proves anything."""

    proof: Proof = "none"
    asked: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def deploy(
    plan: Plan, released: Released, *, target: Target, golden: Golden | None, on_step: OnStep, traffic: bool = True
) -> Deployment:
    """The release, serving and asked; without `traffic` it stays staged, for its own address alone.

    Raises DeployError (exit 8) when a step or a check failed and everything is as before, DeployStateError (exit 9) when
    that could not be done. On Ctrl-C it is put back too.
    """
    seen = _Seen()
    if plan.live is not None:
        _prove(plan.live.place, golden, seen, "live", on_step)
        return _deployment(plan, plan.live, seen, golden)
    try:
        staged = target.stage(plan, released, on_step)
        if staged.serving is not None and not staged.serving.closed:
            on_step("asking what serves now, to compare")
            seen.asked["before"] = ask(staged.serving, golden).to_json()
        _prove(staged.place, golden, seen, "staged", on_step)
        _compare(seen)
        if not traffic:
            aside = _deployment(plan, _aside(staged, released), seen, golden)
            return replace(aside, share=f"mlpack traffic {staged.revision}=100")
        live = target.promote(plan, staged, on_step)
        if live.place != staged.place:  # a first release that stays private has been asked there already
            _prove(live.place, golden, seen, "live", on_step)
    except BaseException as error:
        _put_back(target, plan, error, on_step)
        raise
    return _deployment(plan, live, seen, golden)


def refuse_platform(image: Image, platform: str | None) -> None:
    """Raise DeployError for an image of another platform than the target's, with the command that builds the right one."""
    if platform is not None and image.platform != platform:
        raise DeployError(
            f"the image is for {image.platform}, and the target runs {platform} only",
            hint=f"`mlpack build --platform {platform}`, then test and deploy that one.",
            code="deploy_platform",
        )


def rollback(keeper: Keeper, to: str | None, on_step: OnStep) -> tuple[Service, str]:
    """All traffic to an earlier revision: the named one, else the newest that served before what serves now.

    Gives the service as it is then, and the revision that served before.
    """
    service = keeper.status()
    serving = service.serving
    names = [revision.name for revision in service.revisions]
    if to is not None and to not in names:
        raise missing_revision(service, to)
    older = service.revisions[names.index(serving.name) + 1 :] if serving else service.revisions
    target = to or next((revision.name for revision in older if revision.ready and revision.proven), None)
    if target is None:
        raise DeployError(
            f"{service.name} has no earlier revision to go back to",
            hint="`mlpack status` lists its revisions; `mlpack rollback --to REVISION` names one.",
            code="deploy_missing",
        )
    return keeper.route({target: 100}, on_step), serving.name if serving else ""


def share(keeper: Keeper, shares: Mapping[str, int], on_step: OnStep) -> Service:
    """The traffic shared by percent between revisions that are there and ready; raises DeployError before anything moves."""
    service = keeper.status()
    known = {revision.name: revision for revision in service.revisions}
    for name, percent in shares.items():
        if name not in known:
            raise missing_revision(service, name)
        if percent and not known[name].ready:
            raise DeployError(
                f"{name} cannot serve: {known[name].message or 'it is not ready'}",
                hint="Choose a ready one: `mlpack status`.",
            )
    return keeper.route(shares, on_step)


def missing_revision(service: Service, name: str) -> DeployError:
    """The failure of naming a revision that is not there, with those that are."""
    known = ", ".join(revision.name for revision in service.revisions[:5]) or "none"
    return DeployError(
        f"{service.name} has no revision {name}", hint=f"The newest are: {known}.", code="deploy_missing"
    )


def _prove(place: Place, golden: Golden | None, seen: _Seen, where: str, on_step: OnStep) -> None:
    """Asks a place the golden request; raises DeployError when an answer is wrong."""
    if place.closed:
        seen.proof = "readiness" if seen.proof == "none" else seen.proof
        seen.notes.append(f"not asked, only ready: {place.closed}")
        return
    on_step(f"asking {place.url}")
    asked = ask(place, golden)
    seen.asked[where] = asked.to_json()
    if asked.errors:
        raise _wrong(place, asked)
    seen.proof = "readiness" if golden is None else "golden"
    if golden is None:
        seen.notes.append("only /ready was asked: nothing is known that the model could be asked")


def _compare(seen: _Seen) -> None:
    before, after = (seen.asked.get(name, {}).get("p95_ms") for name in ("before", "staged"))
    if before and after and after > _SLOWER * before:
        seen.notes.append(f"slower: p95 {after} ms, and {before} ms of what served before")


def _wrong(place: Place, asked: Asked) -> DeployError:
    return DeployError(
        f"{asked.errors} of {asked.times} golden requests to {place.url} failed: {asked.first_error}",
        hint="Its log says why; `mlpack test` asks the same of the image here.",
        code="deploy_check",
    )


def _put_back(target: Target, plan: Plan, error: BaseException, on_step: OnStep) -> None:
    """Undoes what the plan has done so far. `error` then tells it; raises DeployStateError when it cannot be done."""
    on_step("putting back what was there")
    try:
        told = target.restore(plan, on_step)
    except DeployStateError as state:
        state.message = f"{str(error) or 'interrupted'}; and it could not be put back: {state.message}"
        state.detail = state.detail or getattr(error, "detail", "")
        raise state from error
    except KeyboardInterrupt:
        raise DeployStateError(
            f"interrupted while {plan.service} was being put back",
            hint="`mlpack status` shows where the traffic goes; `mlpack rollback` moves it.",
        ) from error
    if not isinstance(error, MlpackError) or isinstance(error, InterruptedByUser):
        on_step(told or "nothing had changed")
    else:
        error.document = {**error.document, "service": plan.service, "restored": told}
        error.message = f"{error.message} ({told or 'nothing had changed'})"


def _aside(staged: Staged, released: Released) -> Live:
    """A release that keeps an address of its own and gets no traffic."""
    return Live(
        revision=staged.revision,
        image=released.reference,
        place=staged.place,
        open_to_all=not staged.token_command,
        token_command=staged.token_command,
        previous=staged.previous,
    )


def _deployment(plan: Plan, live: Live, seen: _Seen, golden: Golden | None) -> Deployment:
    previous = live.previous
    return Deployment(
        target=plan.target,
        service=plan.service,
        url=live.place.url,
        revision=live.revision,
        image=live.image,
        verified=seen.proof,
        previous=previous,
        command=_curl(live, golden),
        rollback=f"mlpack rollback --to {previous}" if previous else "mlpack delete",
        asked=seen.asked,
        notes=tuple(dict.fromkeys(seen.notes)),
        plan=plan,
    )


def _curl(live: Live, golden: Golden | None) -> str:
    """A line that asks the service when it is pasted into a shell; a private one's fetches its token there."""
    login = "" if live.open_to_all else f' -H "Authorization: Bearer $({live.token_command})"'
    if golden is None:
        return f"curl -s {live.place.url}/{login}"
    rows = golden.request.get("instances") if isinstance(golden.request, dict) else None
    body = {**golden.request, "instances": rows[:1]} if isinstance(rows, list) and rows else golden.request
    data = shlex.quote(json.dumps(body))
    return f"curl -s {live.place.url}/predict{login} -H 'Content-Type: application/json' -d {data}"
