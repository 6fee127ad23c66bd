"""API calls for one service. Waits for long operations, and reports why a revision does not start."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Mapping
from functools import cached_property
from typing import Any

from mlpack.artifacts.diagnosis import diagnose
from mlpack.errors import DeployError
from mlpack.targets.cloudrun.access import (
    access_of,
    invokers_not_changed,
    is_forbidden_by_organisation,
    not_changed,
    set_invokers,
    set_policy,
)
from mlpack.targets.cloudrun.api import Api, address_of, connect
from mlpack.targets.cloudrun.failures import api_errors, failed_revision, known, plain
from mlpack.targets.cloudrun.logs import last_lines
from mlpack.targets.cloudrun.settings import Settings
from mlpack.targets.cloudrun.template import template_of_revision
from mlpack.targets.cloudrun.traffic import serving_of, shares_of, short, tag_uri, tags_of, targets, with_served

_WAIT_S = 600  # a revision alone may take 240
_FIRST_LOOK_S, _LATEST_LOOK_S = 0.5, 4.0
_OF_EVERY_START = {"deploy_port", "deploy_slow_start"}  # reported for every container that does not start


class Calls:
    """The Admin API for one service; connects at its first use. `name` is its resource name."""

    def __init__(self, project: str, region: str, service: str, settings: Settings, credentials: Any) -> None:
        self.project, self.region, self.service = project, region, service
        self.name = f"projects/{project}/locations/{region}/services/{service}"
        self._parent = f"projects/{project}/locations/{region}"
        self._settings = settings
        self._credentials = credentials

    @cached_property
    def api(self) -> Api:
        """The clients, connected."""
        return connect(self._credentials, address_of(self._settings.api_endpoint), self._settings.transport)

    def find(self) -> Any | None:
        """The service, None when there is none."""
        from google.api_core.exceptions import NotFound

        with api_errors(f"reading {self.service}"):
            try:
                return self.api.services.get_service(name=self.name)
            except NotFound:
                return None

    def get(self) -> Any:
        """The service; raises DeployError (code `deploy_missing`) when there is none."""
        service = self.find()
        if service is None:
            raise DeployError(
                f"there is no service {self.service} in {self.project}, {self.region}",
                hint="`mlpack deploy --target cloudrun` creates it; --service, --project and --region select another one.",
                code="deploy_missing",
            )
        return service

    def base(self, service: Any) -> Any | None:
        """The template of the serving revision; a failed deployment may have changed the service's own template."""
        serving = serving_of(service)
        if serving is None or serving == short(service.latest_created_revision):
            return service.template
        with api_errors(f"reading {serving}"):
            return template_of_revision(self.api.revisions.get_revision(name=f"{self.name}/revisions/{serving}"))

    def create(self, service: Any) -> Any:
        """Create the service and wait until it is ready; raises DeployError."""
        doing = f"creating {self.service}"
        with api_errors(doing):
            operation = self.api.services.create_service(
                request={"parent": self._parent, "service_id": self.service, "service": service}
            )
        return ended(operation, doing, calls=self, starts=True)

    def update(self, service: Any, mask: list[str], doing: str, *, starts: bool = True) -> Any:
        """Update only the fields in the mask; return the service; raises DeployError."""
        with api_errors(doing):
            operation = self.api.services.update_service(request={"service": service, "update_mask": {"paths": mask}})
        return ended(operation, doing, calls=self, starts=starts)

    def share(self, service: Any, shares: Mapping[str, int], doing: str, *, notes: dict[str, str] | None = None) -> Any:
        """Move the traffic. The service's traffic decides the success, because the call may report an older failure.

        `notes` are the service's annotations; default: the current ones, with the revisions that get traffic added.
        """
        from google.cloud import run_v2

        request = run_v2.Service(name=self.name, etag=service.etag, traffic=targets(shares, tags_of(service)))
        wanted = {name: percent for name, percent in shares.items() if percent}
        request.annotations = notes if notes is not None else with_served(service, list(wanted))
        try:
            service = self.update(request, ["traffic", "annotations"], doing, starts=False)
        except DeployError:
            service = self.get()
            if shares_of(service) != wanted or tag_uri(service) or service.reconciling:
                raise
        if shares_of(service) != wanted:
            raise DeployError(
                f"{doing}: the traffic is not as requested: {shares_of(service)}", hint="`mlpack status` shows it."
            )
        return service

    def remember(self, service: Any, revision: str) -> Any:
        """Record in the service's annotations that this revision has served; return the service."""
        from google.cloud import run_v2

        request = run_v2.Service(name=self.name, etag=service.etag, annotations=with_served(service, [revision]))
        return self.update(request, ["annotations"], f"recording that {revision} serves", starts=False)

    def surround(self, service: Any, wanted: Any, fields: list[str]) -> Any:
        """The service with these of its own fields (labels, ingress) as `wanted` has them; as with traffic, that counts."""
        from google.cloud import run_v2

        request = run_v2.Service(name=self.name, etag=service.etag, labels=wanted.labels, ingress=wanted.ingress)
        try:
            return self.update(request, fields, f"changing the {' and '.join(fields)} of {self.service}", starts=False)
        except DeployError:
            found = self.get()
            if any(getattr(found, name) != getattr(wanted, name) for name in fields):
                raise
            return found

    def delete(self) -> None:
        """Delete the service."""
        doing = f"deleting {self.service}"
        with api_errors(doing):
            operation = self.api.services.delete_service(name=self.name)
        ended(operation, doing, calls=self, starts=False)

    def open(self, service: Any, *, open_to_all: bool) -> Any:
        """Change access by the policy; if an organisation forbids that, by turning off the invoker check."""
        from google.api_core import exceptions as google
        from google.cloud import run_v2

        with api_errors(f"changing the access to {self.service}"):
            try:
                set_policy(self.api.services, self.name, open_to_all=open_to_all)
            except (google.Forbidden, google.BadRequest) as error:
                if not (open_to_all and is_forbidden_by_organisation(error)):
                    raise not_changed(error, open_to_all=open_to_all) from error
        if service.invoker_iam_disabled == (open_to_all and not access_of(self.api.services, service).by_policy):
            return self.get()
        request = run_v2.Service(name=self.name, etag=self.get().etag, invoker_iam_disabled=open_to_all)
        return self.update(request, ["invoker_iam_disabled"], f"changing the access to {self.service}", starts=False)

    def invite(self, *, add: Collection[str] = (), remove: Collection[str] = ()) -> None:
        """Let members of the policy send requests, or no longer; raises DeployError."""
        from google.api_core import exceptions as google

        with api_errors(f"changing the access to {self.service}"):
            try:
                set_invokers(self.api.services, self.name, add=add, remove=remove)
            except (google.Forbidden, google.BadRequest) as error:
                raise invokers_not_changed(error, add or remove) from error


def ended(operation: Any, doing: str, *, calls: Calls, starts: bool) -> Any:
    """The result of the operation; if it `starts` a revision, the error describes that revision."""
    from google.api_core import exceptions as google
    from google.api_core.future.polling import DEFAULT_POLLING

    polling = DEFAULT_POLLING.with_delay(initial=_FIRST_LOOK_S, maximum=_LATEST_LOOK_S).with_timeout(_WAIT_S)
    with api_errors(doing):
        try:
            return operation.result(polling=polling)
        except google.GoogleAPICallError as error:
            # Without an error of its own it is the look at the operation that failed, and the revision may be well.
            if not starts or not operation.operation.HasField("error"):
                raise
            with contextlib.suppress(google.GoogleAPICallError):
                service = calls.api.services.get_service(name=calls.name)
                raise failed_start(calls, service, plain(error)) from error
            raise


def failed_start(calls: Calls, service: Any, text: str) -> DeployError:
    """The failure of the newest revision: what the operation said, what its conditions say, where its log is."""
    from google.api_core import exceptions as google

    revision, log = short(service.latest_created_revision), ""
    words = [text]
    with contextlib.suppress(google.GoogleAPICallError):
        made = calls.api.revisions.get_revision(name=f"{service.name}/revisions/{revision}")
        log = str(made.log_uri)
        words += [f"{one.message} {_reason(one)}".strip() for one in made.conditions if one.message]
    written = last_lines(calls.api.credentials, calls.project, revision)
    if found := known(written):
        words.append(next((line for line in written.splitlines() if known(line) is found), ""))
    conditions = (service.terminal_condition, *service.conditions)
    words += [one.message for one in conditions if one.message and revision in one.message]
    unique = list(dict.fromkeys(words))
    # The condition that names a cause is worth more than the one that every failed start has.
    best = next((word for word in unique if (hit := known(word)) and hit.code not in _OF_EVERY_START), text)
    rest = [word for word in unique if word != best]
    error = failed_revision(short(service.name), "\n".join([best, *rest]), revision=revision, log=log)
    error.detail = f"{written}\n{error.detail}".lstrip()
    if found_in_log := diagnose(written):
        error.message += f": {found_in_log.reason}"
        error.hint = f"{found_in_log.hint} {error.hint}".strip()
    return error


def _reason(condition: Any) -> str:
    for value in (condition.reason, condition.revision_reason):
        name = str(getattr(value, "name", "") or "")
        if name and not name.endswith(("UNDEFINED", "UNSPECIFIED")):
            return f"({name})"
    return ""
