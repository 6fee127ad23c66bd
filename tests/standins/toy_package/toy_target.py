"""A deployment target of another package: services of the small platform in tests/standins/toy_platform.py."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field

from mlpack.artifacts.release import Release
from mlpack.artifacts.service import Change, Endpoint, Live, Plan, Revision, Service, Staged
from mlpack.errors import DeployError, DeployStateError, UsageError
from mlpack.targets.base import OnStep, Target
from mlpack.targets.settings import TargetOption, TargetSettings


class Settings(TargetSettings):
    """`deploy: {toy: ...}`."""

    platform_url: str | None = Field(default=None, description="URL of the platform")
    colour: str = Field(default="grey", description="colour of the revision")


class Toy(Target):
    """A service of the platform."""

    name: ClassVar[str] = "toy"
    platforms: ClassVar[tuple[str, ...]] = ("linux/amd64", "linux/arm64")
    settings: ClassVar[type[TargetSettings]] = Settings
    options: ClassVar[tuple[TargetOption, ...]] = (
        TargetOption(flag="--colour", key="colour", help="Colour of the revision."),
        TargetOption(
            flag="--platform-url",
            key="platform_url",
            metavar="URL",
            help="Address of the platform.",
            locates=True,
        ),
    )

    def __init__(self, service: str, settings: Settings, *, folder: Path, templates: Path | None) -> None:  # noqa: ARG002  # it keeps no files
        if settings.platform_url is None:
            raise UsageError("the target toy needs the address of its platform", hint="--platform-url URL.")
        self.service = service
        self.where: Mapping[str, str] = {"platform_url": settings.platform_url}
        self._colour = settings.colour
        self._url = f"{settings.platform_url}/services/{service}"

    def plan(self, release: Release) -> Plan:
        """The image and the colour, compared with those of the current revision."""
        component, document = release.single(self.name), self._find()
        current = _current(document)
        after = {"image": component.reference, "colour": self._colour}
        same = current is not None and (current["image_id"], current["colour"]) == (component.image.id, self._colour)
        return Plan(
            target=self.name,
            service=self.service,
            exists=document is not None,
            changes=()
            if same
            else tuple(
                Change(field=key, before=str(current[key]) if current else "", after=value)
                for key, value in after.items()
            ),
            document=json.dumps(after),
            file_name="toy.json",
            run=uuid.uuid4().hex,
            live=self._live(document, current, None) if same and document and current else None,
            before=document,
        )

    def stage(self, plan: Plan, release: Release, on_step: OnStep) -> Staged:
        """Start a new revision, without traffic."""
        on_step(f"starting a revision of {self.service}")
        image = release.single(self.name).reference
        wish = {"image": image, "colour": self._colour, "run": plan.run}
        document = self._call("POST", "/revisions", wish)
        current = _current(document)
        return Staged(
            revision=document["revisions"][0]["name"],
            endpoint=Endpoint(url=document["revisions"][0]["url"]),
            serving=Endpoint(url=document["url"]) if current else None,
            previous=current["name"] if current else None,
        )

    def promote(self, plan: Plan, staged: Staged, on_step: OnStep) -> Live:  # noqa: ARG002  # no further setting changes
        """All traffic to it."""
        on_step(f"moving the traffic to {staged.revision}")
        document = self._call("PUT", "/traffic", {"revision": staged.revision})
        return self._live(document, document["revisions"][0], staged.previous)

    def restore(self, plan: Plan, on_step: OnStep) -> str:
        """Move the traffic back, and remove what this deployment has created."""
        try:
            revisions = (self._find() or {}).get("revisions", [])
            made = [one["name"] for one in revisions if one["run"] == plan.run]
            if not made:
                return ""
            if not plan.exists:
                on_step(f"deleting {self.service}")
                self._call("DELETE")
                return f"{self.service} was deleted again"
            self._call("PUT", "/traffic", {"revision": plan.before["serving"]})
            self._call("DELETE", f"/revisions/{made[0]}")
        except DeployError as error:
            message = f"{self.service} is not restored: {error}"
            raise DeployStateError(message, hint="See `mlpack status`.") from error
        return f"{plan.before['serving']} serves again"

    def status(self) -> Service:
        """The service as the platform has it."""
        document = self._get()
        return Service(
            target=self.name,
            name=self.service,
            url=document["url"],
            ready=document["serving"] is not None,
            open_to_all=True,
            revisions=tuple(
                Revision(
                    name=one["name"],
                    percent=100 * (one["name"] == document["serving"]),
                    image=one["image"],
                    ready=True,
                    tags=(one["colour"],),
                )
                for one in document["revisions"]
            ),
        )

    def route(self, shares: Mapping[str, int], on_step: OnStep) -> Service:
        """All traffic to one revision."""
        chosen = [name for name, percent in shares.items() if percent]
        if len(chosen) != 1:
            raise UsageError("with toy, one revision gets all the traffic", hint="Use `mlpack traffic REVISION=100`.")
        on_step(f"moving the traffic to {chosen[0]}")
        self._call("PUT", "/traffic", {"revision": chosen[0]})
        return self.status()

    def delete(self, on_step: OnStep) -> None:
        """The service with its containers."""
        self._get()
        on_step(f"deleting {self.service}")
        self._call("DELETE")

    def endpoint(self) -> Endpoint:
        """The address of the service."""
        return Endpoint(url=self._get()["url"])

    def _live(self, document: Mapping[str, Any], revision: Mapping[str, Any], previous: str | None) -> Live:
        return Live(
            revision=revision["name"],
            image=revision["image"],
            endpoint=Endpoint(url=document["url"]),
            open_to_all=True,
            previous=previous,
        )

    def _get(self) -> dict[str, Any]:
        document = self._find()
        if document is None:
            raise DeployError(
                f"there is no service {self.service}", hint="`mlpack deploy` creates it.", code="deploy_missing"
            )
        return document

    def _find(self) -> dict[str, Any] | None:
        try:
            return self._call("GET")
        except DeployError as error:
            if error.code == "deploy_missing":
                return None
            raise

    def _call(self, method: str, path: str = "", body: Any = None) -> dict[str, Any]:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self._url + path, data, {"Content-Type": "application/json"}, method=method)
        try:
            with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=300) as answer:
                found: dict[str, Any] = json.loads(answer.read())
                return found
        except urllib.error.HTTPError as error:
            with error:
                text = error.read().decode()
            code = "deploy_missing" if error.code == 404 else "deploy_image"
            raise DeployError(f"{method} {self._url + path}: {text}", hint="Check the image.", code=code) from error
        except OSError as error:
            raise DeployError(
                f"the platform does not answer: {error}", hint="Check --platform-url.", code="deploy_unreachable"
            ) from error


def _current(document: Mapping[str, Any] | None) -> dict[str, Any] | None:
    revisions = (document or {}).get("revisions", [])
    return next((one for one in revisions if document and one["name"] == document["serving"]), None)
