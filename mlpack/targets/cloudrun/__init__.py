"""Cloud Run: a release is a tagged revision without traffic; it is verified, gets the traffic, and can be rolled back."""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from mlpack.artifacts.release import Release
from mlpack.artifacts.service import Address, Endpoint, Live, Plan, Service, Staged
from mlpack.errors import DeployError, DeployStateError, UsageError
from mlpack.registries.destinations import OwnRegistry, ProjectRegistry
from mlpack.targets.base import EnsembleTarget, OnStep
from mlpack.targets.cloudrun.access import Access, access_of
from mlpack.targets.cloudrun.api import address_of, find_credentials
from mlpack.targets.cloudrun.calls import Calls, failed_start
from mlpack.targets.cloudrun.failures import api_errors
from mlpack.targets.cloudrun.identity import TOKEN_COMMAND, identity_token
from mlpack.targets.cloudrun.planning import Before, Wanted, plan_of, refuse_others
from mlpack.targets.cloudrun.settings import OPTIONS, Settings, where_of
from mlpack.targets.cloudrun.showing import service_of
from mlpack.targets.cloudrun.traffic import RUN_NOTE, shares_of, short, tag_uri, tags_of, targets
from mlpack.targets.settings import TargetOption, TargetSettings
from mlpack.version import __version__

_SETTLED_S = 3.0  # within this time, an abandoned call has taken effect


class CloudRun(EnsembleTarget):
    """A service of Cloud Run. It connects at its first use.

    Raises UsageError without Google's libraries, DeployError without credentials.
    """

    name: ClassVar[str] = "cloudrun"
    platforms: ClassVar[tuple[str, ...]] = ("linux/amd64",)
    settings: ClassVar[type[TargetSettings]] = Settings
    options: ClassVar[tuple[TargetOption, ...]] = OPTIONS
    coordinator_settings: ClassVar[frozenset[str]] = frozenset(
        {"env", "secrets", "ingress", "allow_unauthenticated", "invokers"}
    )
    member_settings: ClassVar[Mapping[str, Any]] = {"allow_unauthenticated": False}

    def __init__(self, service: str, settings: Settings, *, folder: Path, templates: Path | None) -> None:  # noqa: ARG002  # its files need no folder and no template
        self._settings = settings
        project, region = where_of(settings, service, os.environ)
        self.service = service
        self.own_registry: OwnRegistry | None = ProjectRegistry(project=project, region=region)
        self.where: Mapping[str, str] = {"project": project, "region": region}
        # Fail now, before a model is built for a service that this machine cannot reach.
        address_of(settings.api_endpoint)
        self._calls = Calls(project, region, service, settings, find_credentials())
        self._name = self._calls.name
        self._sent = False  # whether a call that creates something was sent

    # Release ----------------------------------------------------------------------------------------

    def plan(self, release: Release) -> Plan:
        """What will change against what serves now, and what it costs; reads, and changes nothing."""
        service = self._calls.find()
        before = Before(service=None)
        if service is not None:
            before = Before(
                service=service,
                base=self._calls.base(service),
                shares=shares_of(service),
                tags=tags_of(service),
                access=access_of(self._calls.api.services, service),
            )
        plan = plan_of(
            before,
            self._settings,
            release.single(self.name),
            service=self.service,
            where=self.where,
            run=uuid.uuid4().hex,
        )
        if plan.changes or service is None:
            return plan
        return plan.already_live(self._live(service, before.serving or "", None))

    def stage(self, plan: Plan, release: Release, on_step: OnStep) -> Staged:
        """Create a private service; or a new revision of an existing one, with a tag and without traffic."""
        before: Before = plan.before
        wanted: Wanted = plan.wanted
        reference = release.single(self.name).reference
        request = wanted.service_of(self._name if plan.exists else "", reference, plan.run)
        request.client, request.client_version = "mlpack", __version__
        mask = ["template"]
        if before.serving:
            request.traffic = targets(before.shares, before.tags, staged=True)
            mask = [*mask, "traffic"]
        self._sent = True
        on_step(f"creating {'a revision without traffic' if plan.exists else 'the service'} from {reference}")
        if plan.exists:
            request.etag = before.etag
            service = self._calls.update(request, mask, f"updating {self.service}")
        else:
            service = self._calls.create(request)
        refuse_others(service, plan.run)
        revision = short(service.latest_created_revision)
        if revision != short(service.latest_ready_revision):
            raise failed_start(self._calls, service, "the newest revision is not ready")
        serving = self._endpoint(service, service.uri, before.access) if before.serving else None
        url = tag_uri(service) if before.serving else str(service.uri)
        return Staged(
            revision=revision,
            endpoint=self._endpoint(service, url, before.access),
            serving=serving,
            token_command="" if before.access.open_to_all else TOKEN_COMMAND,
            previous=before.serving,
        )

    def promote(self, plan: Plan, staged: Staged, on_step: OnStep) -> Live:
        """Move all traffic to the release, and make the service public or private as requested."""
        before: Before = plan.before
        service = self._calls.get()
        refuse_others(service, plan.run)
        if before.serving:
            on_step(f"moving the traffic to {staged.revision}")
            service = self._calls.share(service, {staged.revision: 100}, f"changing the traffic of {self.service}")
        else:
            service = self._calls.remember(service, staged.revision)
        self._refuse_other_image(plan, staged)
        if plan.exists and plan.wanted.around:
            on_step(f"setting the {' and '.join(plan.wanted.around)} of the service")
            service = self._calls.surround(service, plan.wanted.around_of(service), plan.wanted.around)
        wanted: bool | None = self._settings.allow_unauthenticated
        if wanted is not None and wanted != before.access.open_to_all:
            on_step("allowing requests without authentication" if wanted else "requiring authentication")
            service = self._calls.open(service, open_to_all=wanted)
        if invited := plan.wanted.invited:
            on_step(f"allowing requests of {', '.join(sorted(invited))}")
            self._calls.invite(add=invited)
        return self._live(service, staged.revision, staged.previous)

    def restore(self, plan: Plan, on_step: OnStep) -> str:
        """Restore traffic and access; delete a service that this plan created. Changes by others stay."""
        try:
            return self._restored(plan, on_step)
        except DeployError as error:
            raise DeployStateError(
                f"{self.service} may be in an intermediate state: {error}",
                hint=f"`mlpack status` shows it; `mlpack rollback --to {plan.before.serving or 'REVISION'}` or "
                "`mlpack delete` repairs it.",
                detail=error.detail,
            ) from error

    # Manage -----------------------------------------------------------------------------------------

    def status(self) -> Service:
        """The service with its newest revisions, and why a revision is not ready."""
        service = self._calls.get()
        with api_errors(f"reading the revisions of {self.service}"):
            revisions = list(self._calls.api.revisions.list_revisions(parent=self._name))
        return service_of(service, revisions, access_of(self._calls.api.services, service))

    def route(self, shares: Mapping[str, int], on_step: OnStep) -> Service:
        """Split the traffic by percent; other tags stay."""
        on_step("moving the traffic: " + ", ".join(f"{name} {percent} %" for name, percent in shares.items()))
        self._calls.share(self._calls.get(), shares, f"changing the traffic of {self.service}")
        return self.status()

    def delete(self, on_step: OnStep) -> None:
        """Delete the service with all its revisions."""
        self._calls.get()
        on_step(f"deleting {self.service}")
        self._calls.delete()

    def endpoint(self) -> Endpoint:
        """The service's address, with a token if one is needed and available."""
        service = self._calls.get()
        return self._endpoint(service, str(service.uri), access_of(self._calls.api.services, service))

    # Ensembles --------------------------------------------------------------------------------------

    def identity(self) -> str:
        """The service account of the service: the one that is set, else that of the current revision."""
        service = None if self._settings.service_account else self._calls.find()
        base = None if service is None else self._calls.base(service)
        account = self._settings.service_account or ("" if base is None else str(base.service_account))
        if not account:
            # The address of the project's default account has the project's number in it, which another API knows.
            raise UsageError(
                f"no service account is given for {self.service}, which sends requests to the members",
                hint="Set one with --service-account NAME@PROJECT.iam.gserviceaccount.com, or `service_account:` in "
                "`deploy: {cloudrun: ...}`; `gcloud iam service-accounts create NAME` creates one. It needs no roles: mlpack "
                "allows it to send requests to the members.",
            )
        return account

    def address(self) -> Address | None:
        """The service's URL, which is also the audience of tokens for it."""
        service = self._calls.find()
        return None if service is None else Address(url=str(service.uri), audience=str(service.uri))

    # ------------------------------------------------------------------------------------------------

    def _restored(self, plan: Plan, on_step: OnStep) -> str:
        before: Before = plan.before
        service = self._ours(plan)
        if service is None:
            return ""
        if not plan.exists:
            on_step(f"deleting {self.service}, which this deployment created")
            self._calls.delete()
            return f"{self.service} was deleted again"
        if before.serving:
            doing = f"moving the traffic of {self.service} back"
            service = self._calls.share(service, before.shares, doing, notes=before.notes)
        if around := [name for name in plan.wanted.around if getattr(service, name) != getattr(before.service, name)]:
            self._calls.surround(service, before.service, around)
        access = access_of(self._calls.api.services, self._calls.get())
        if access.known and before.access.known and access.open_to_all != before.access.open_to_all:
            self._calls.open(self._calls.get(), open_to_all=before.access.open_to_all)
        if plan.wanted.invited:
            self._calls.invite(remove=plan.wanted.invited)
        return f"{before.serving} serves again" if before.serving else "nothing served before"

    def _ours(self, plan: Plan) -> Any | None:
        """The service, if this plan has changed it. An interrupted call may take effect a moment later."""
        until = time.monotonic() + _SETTLED_S
        while True:
            service = self._calls.find()
            if service is not None and service.template.annotations.get(RUN_NOTE) == plan.run:
                return service
            if not self._sent or service is not None or time.monotonic() > until:
                return None
            time.sleep(0.3)

    def _refuse_other_image(self, plan: Plan, staged: Staged) -> None:
        """Raise DeployError if the revision runs another digest than the released one."""
        with api_errors(f"reading {staged.revision}"):
            revision = self._calls.api.revisions.get_revision(name=f"{self._name}/revisions/{staged.revision}")
        image = str(revision.containers[0].image)
        if image != plan.wanted.reference:
            raise DeployError(
                f"{staged.revision} runs {image}, not {plan.wanted.reference}",
                hint="Someone else deploys this service too.",
            )

    def _endpoint(self, service: Any, url: str, access: Access) -> Endpoint:
        """The address and headers for requests to a revision. The audience is the service's address, also for a tag."""
        if str(service.ingress.name) not in {"INGRESS_TRAFFIC_ALL", "INGRESS_TRAFFIC_UNSPECIFIED"}:
            return Endpoint(url=url, closed="its ingress setting does not allow requests from this machine")
        if access.open_to_all:
            return Endpoint(url=url)
        token = identity_token(str(service.uri), self._calls.api.credentials, impersonate=self._settings.impersonate)
        if token is None:
            return Endpoint(
                url=url,
                closed="it is private, and this machine has no identity that may send requests (a service account, "
                "`--set impersonate=ACCOUNT`, or `gcloud auth login`)",
            )
        return Endpoint(url=url, headers={"Authorization": f"Bearer {token}"})

    def _live(self, service: Any, revision: str, previous: str | None) -> Live:
        access = access_of(self._calls.api.services, service)
        if self._settings.allow_unauthenticated and not access.known:
            access = Access(by_policy=True, check_off=False)
        with api_errors(f"reading {revision}"):
            found = self._calls.api.revisions.get_revision(name=f"{self._name}/revisions/{revision}")
        return Live(
            revision=revision,
            image=str(found.containers[0].image),
            endpoint=self._endpoint(service, str(service.uri), access),
            open_to_all=access.open_to_all,
            token_command="" if access.open_to_all else TOKEN_COMMAND,
            previous=previous,
        )
