"""From Released to Deployment: stage without traffic, verify, move the traffic, verify again; roll back on failure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from mlpack.artifacts.image import Image
from mlpack.artifacts.release import Release, Released
from mlpack.artifacts.service import Deployment, Endpoint, Live, Plan, Proof, Revision, Service, Staged
from mlpack.checks.golden import GoldenRequest, GoldenResult, send_golden
from mlpack.errors import DeployError, DeployStateError, InterruptedByUser, MlpackError
from mlpack.targets.base import OnStep, Target
from mlpack.workspace import curl_data

_SLOWER = 2.0  # times the p95 of the current revision; above it, a note says that the release is slower


@dataclass(kw_only=True)
class _Verification:
    """The results of the requests so far, and how far they verify the release."""

    proof: Proof = "none"
    measured: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def deploy(
    plan: Plan,
    released: Released,
    *,
    target: Target,
    golden: GoldenRequest | None,
    on_step: OnStep,
    traffic: bool = True,
    request_file: Path | None = None,
) -> Deployment:
    """Verify the release and move the traffic to it; without `traffic` it stays staged, under its own address.

    `request_file` is for the body of the example request, if it is long.

    Raises DeployError (exit 8) if a step or a check failed and the rollback succeeded, DeployStateError (exit 9) if the
    rollback failed too. Ctrl-C rolls back as well.
    """
    try:
        return roll_out(
            plan,
            released.release,
            target=target,
            golden=golden,
            on_step=on_step,
            traffic=traffic,
            request_file=request_file,
        )
    except BaseException as error:
        if plan.live is None:
            _roll_back(target, plan, error, on_step)
        raise


def roll_out(
    plan: Plan,
    release: Release,
    *,
    target: Target,
    golden: GoldenRequest | None,
    on_step: OnStep,
    traffic: bool = True,
    request_file: Path | None = None,
) -> Deployment:
    """Do what `deploy` does until a failure, after which the caller must call `target.restore`, unless `plan.live` is set."""
    found = _Verification()
    if plan.live is not None:  # it changes nothing
        _verify(plan.live.endpoint, golden, found, "live", on_step)
        return _deployment(plan, plan.live, found, _curl(plan.live, golden, request_file))
    staged = target.stage(plan, release, on_step)
    if staged.serving is not None and not staged.serving.closed:
        on_step("sending requests to the current revision, to compare")
        found.measured["before"] = send_golden(staged.serving, golden).to_json()
    _verify(staged.endpoint, golden, found, "staged", on_step)
    _compare(found)
    if not traffic:
        kept = _without_traffic(staged, release.components[0].reference)
        deployment = _deployment(plan, kept, found, _curl(kept, golden, request_file))
        return replace(deployment, share=f"mlpack traffic {staged.revision}=100")
    live = target.promote(plan, staged, on_step)
    if live.endpoint != staged.endpoint:  # the same for a first release that stays private: already verified
        _verify(live.endpoint, golden, found, "live", on_step)
    return _deployment(plan, live, found, _curl(live, golden, request_file))


def refuse_platform(image: Image, platforms: Sequence[str]) -> None:
    """Raise DeployError for an image of another platform than the target's, with the command that builds the right one.

    `platforms` are those that the target runs; empty for a target that runs the engine's own platform.
    """
    if platforms and image.platform not in platforms:
        raise DeployError(
            f"the image is for {image.platform}, but the target runs only {' and '.join(platforms)}",
            hint=f"Run `mlpack build --platform {platforms[0]}`, then test and deploy that image.",
            code="deploy_platform",
        )


def rollback(target: Target, to: str | None, on_step: OnStep) -> tuple[Service, str]:
    """Move all traffic to an earlier revision: the named one, else the newest that had traffic before the current one.

    Return the new state of the service, and the name of the revision that had the traffic.
    """
    service = target.status()
    chosen = earlier_revision(service, to)
    return target.route({chosen.name: 100}, on_step), service.serving.name if service.serving else ""


def earlier_revision(service: Service, to: str | None) -> Revision:
    """The named revision, else the newest before the current one that is ready and had traffic. Raises DeployError."""
    serving = service.serving
    names = [revision.name for revision in service.revisions]
    if to is not None and to not in names:
        raise missing_revision(service, to)
    if to is not None:
        return service.revisions[names.index(to)]
    older = service.revisions[names.index(serving.name) + 1 :] if serving else service.revisions
    chosen = next((revision for revision in older if revision.ready and revision.proven), None)
    if chosen is None:
        raise DeployError(
            f"{service.name} has no earlier revision to roll back to",
            hint="`mlpack status` lists its revisions; `mlpack rollback --to REVISION` names one.",
            code="deploy_missing",
        )
    return chosen


def split_traffic(target: Target, shares: Mapping[str, int], on_step: OnStep) -> Service:
    """Split the traffic by percent between ready revisions; raises DeployError before anything changes."""
    service = target.status()
    known = {revision.name: revision for revision in service.revisions}
    for name, percent in shares.items():
        if name not in known:
            raise missing_revision(service, name)
        if percent and not known[name].ready:
            raise DeployError(
                f"{name} cannot serve: {known[name].message or 'it is not ready'}",
                hint="Choose a ready revision: `mlpack status` lists them.",
            )
    return target.route(shares, on_step)


def missing_revision(service: Service, name: str) -> DeployError:
    """The error for a revision that does not exist, with the names of existing ones."""
    known = ", ".join(revision.name for revision in service.revisions[:5]) or "none"
    return DeployError(
        f"{service.name} has no revision {name}", hint=f"The newest revisions are: {known}.", code="deploy_missing"
    )


def _verify(
    endpoint: Endpoint, golden: GoldenRequest | None, found: _Verification, stage: str, on_step: OnStep
) -> None:
    """Send the golden request to an endpoint; raises DeployError if an answer is wrong."""
    if endpoint.closed:
        found.proof = "readiness" if found.proof == "none" else found.proof
        found.notes.append(f"verified by readiness only, no request was sent: {endpoint.closed}")
        return
    on_step(f"verifying {endpoint.url}")
    result = send_golden(endpoint, golden)
    found.measured[stage] = result.to_json()
    if result.errors:
        raise _failed_requests(endpoint, result)
    found.proof = "readiness" if golden is None else "golden"
    if golden is None:
        found.notes.append("verified by /ready only: no valid prediction request is known")


def _compare(found: _Verification) -> None:
    before, after = (found.measured.get(name, {}).get("p95_ms") for name in ("before", "staged"))
    if before and after and after > _SLOWER * before:
        found.notes.append(f"slower than the current revision: p95 {after} ms, before {before} ms")


def _failed_requests(endpoint: Endpoint, result: GoldenResult) -> DeployError:
    return DeployError(
        f"{result.errors} of {result.times} golden requests to {endpoint.url} failed: {result.first_error}",
        hint="See the log of the service; `mlpack test` sends the same requests to the image on this machine.",
        code="deploy_check",
    )


def _roll_back(target: Target, plan: Plan, error: BaseException, on_step: OnStep) -> None:
    """Undo the changes, and add the outcome to the message of `error`. Raises DeployStateError if that fails."""
    on_step("rolling back")
    try:
        outcome = target.restore(plan, on_step)
    except DeployStateError as state:
        state.message = f"{str(error) or 'interrupted'}; and the rollback failed: {state.message}"
        state.detail = state.detail or getattr(error, "detail", "")
        raise state from error
    except KeyboardInterrupt:
        raise DeployStateError(
            f"interrupted during the rollback of {plan.service}",
            hint="`mlpack status` shows where the traffic goes; `mlpack rollback` moves it.",
        ) from error
    if not isinstance(error, MlpackError) or isinstance(error, InterruptedByUser):
        on_step(outcome or "nothing was changed")
    else:
        error.document = {**error.document, "service": plan.service, "restored": outcome}
        error.message = f"{error.message} ({outcome or 'nothing was changed'})"


def _without_traffic(staged: Staged, reference: str) -> Live:
    """A staged release, which keeps its own address."""
    return Live(
        revision=staged.revision,
        image=reference,
        endpoint=staged.endpoint,
        open_to_all=not staged.token_command,
        token_command=staged.token_command,
        previous=staged.previous,
    )


def _deployment(plan: Plan, live: Live, found: _Verification, command: str) -> Deployment:
    previous = live.previous
    return Deployment(
        target=plan.target,
        service=plan.service,
        url=live.endpoint.url,
        revision=live.revision,
        image=live.image,
        verified=found.proof,
        previous=previous,
        command=command,
        rollback=f"mlpack rollback --to {previous}" if previous else "mlpack delete",
        measured=found.measured,
        notes=tuple(dict.fromkeys(found.notes)),
        plan=plan,
    )


def _curl(live: Live, golden: GoldenRequest | None, request_file: Path | None) -> str:
    """A shell command that sends a request to the service; for a private one it gets a token first."""
    login = "" if live.open_to_all else f' -H "Authorization: Bearer $({live.token_command})"'
    if golden is None:
        return f"curl -s {live.endpoint.url}/{login}"
    rows = golden.request.get("instances") if isinstance(golden.request, dict) else None
    body = {**golden.request, "instances": rows[:1]} if isinstance(rows, list) and rows else golden.request
    data = curl_data(body, request_file)
    return f"curl -s {live.endpoint.url}/predict{login} -H 'Content-Type: application/json' {data}"
