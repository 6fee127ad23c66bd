"""An ensemble as a compose project: its file, and how it is started, changed member by member, and removed."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from mlpack.artifacts.release import Component, Release
from mlpack.artifacts.service import Endpoint, Live, Plan
from mlpack.errors import DeployError, DeployStateError
from mlpack.targets.base import OnStep
from mlpack.targets.compose.file import changes_of, literal, measured_memory, port_of, start_period
from mlpack.targets.compose.project import Project, command, is_ready, refuse_taken
from mlpack.targets.compose.settings import Settings
from mlpack.targets.settings import read_settings
from mlpack.templating import render

_FILE = "compose.yaml"
_NEXT = "__next"  # the name of a member's new container, while the old one still serves
_OTHER_PORT = "Choose another one: `--port 8081`, or `deploy: {compose: {port: 8081}}` in the ensemble.yaml."
_NOTICED_S = 2.0  # until the coordinator, which looks once a second, knows that a container is ready


class EnsembleProject:
    """The compose project of one ensemble on this machine, an EnsembleRunner. `folder` holds its compose.yaml."""

    def __init__(self, name: str, settings: Settings, folder: Path, templates: Path | None) -> None:
        self._name = name
        self._settings = settings
        self._project = Project(f"mlpack-ensemble-{name}", folder / _FILE)
        self._templates = templates

    @property
    def port(self) -> int | None:
        """Its port on this machine, None if it is not there."""
        return port_of(self._project.text(), self._name)

    def up(self, release: Release, on_step: OnStep) -> Live:
        """Start the ensemble, or change the one that runs, and wait until it answers.

        A changed member gets its new container beside the old one, which then ends its requests, so that no request fails.
        Raises DeployError after the previous state was restored, DeployStateError if that failed.
        """
        command()  # fails here, before anything has changed
        before = self._project.text()
        port = self._settings.port or self.port or 8080
        if port != self.port:
            refuse_taken(port, _OTHER_PORT)
        text = self._text(release, port, project=self._project.name)
        url = f"http://127.0.0.1:{port}"
        try:
            self._replace_members(before, text, on_step)
            self._start(text, release.components, url, on_step)
        except BaseException as error:
            self._restore(before, url, error, on_step)
            raise
        image = release.components[0].reference
        return Live(revision="", image=image, endpoint=Endpoint(url=url), open_to_all=True)

    def plan(self, release: Release) -> Plan:
        """The settings of the containers that differ from the current ones."""
        before = self._project.text()
        after = self._text(release, self._settings.port or self.port or 8080, project=self._project.name)
        names = dict.fromkeys([*(one.name for one in release.components), *_services(before)])
        return Plan(
            target="compose",
            service=self._name,
            exists=before is not None,
            changes=tuple(
                replace(one, field=f"{name} {one.field}") for name in names for one in changes_of(before, after, name)
            ),
            document=after,
            file_name=_FILE,
            run="",
        )

    def down(self, on_step: OnStep) -> None:
        """Remove all containers, the networks and the file. Raises DeployError if there is no such ensemble."""
        if self._project.text() is None:
            raise DeployError(
                f"the ensemble {self._name} does not run from this folder",
                hint=f"`docker compose -p {self._project.name} down` removes one that was started elsewhere.",
                code="deploy_missing",
            )
        on_step(f"removing {self._name}")
        self._project.end()
        folder = self._project.file.parent
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()

    def services(self) -> dict[str, bool]:
        """The services of the project, and whether they run. Empty if there is no project."""
        if self._project.text() is None:
            return {}
        running = self._project.running()
        return {name: name in running for name in _services(self._project.text())}

    def url(self) -> str:
        """The address of the coordinator, "" if there is no ensemble."""
        return f"http://127.0.0.1:{self.port}" if self.port else ""

    def text(self, release: Release, builds: Mapping[str, str]) -> tuple[str, str]:
        """The name and text of a file for `docker compose up --build`, which builds the images from the folders `builds`."""
        return _FILE, self._text(release, self._settings.port or 8080, builds=builds)

    # ------------------------------------------------------------------------------------------------

    def _text(self, release: Release, port: int, *, project: str = "", builds: Mapping[str, str] | None = None) -> str:
        """The text of compose.yaml."""
        settings = {one.name: self._settings_of(one) for one in release.components}
        kept = self._measured(release)
        required = [one.name for one in release.components if one.member and one.required]
        entries = [
            {
                "name": one.name,
                "alias": one.member or one.name,
                "image": one.reference,
                "build": (builds or {}).get(one.name, ""),
                "restart": "unless-stopped",
                "memory": settings[one.name].memory or kept[one.name][0],
                "cpus": settings[one.name].cpu,
                "env": sorted((key, literal(value)) for key, value in settings[one.name].env.items()),
                "start_period": kept[one.name][1],
                "publish": "" if one.member else f"127.0.0.1:{port}:8080",
                "needs": [] if one.member else required,
            }
            for one in release.components
        ]
        values = {"name": self._name, "project": project, "components": entries}
        return render("compose.ensemble.yaml.j2", values, folder=self._templates)

    def _measured(self, release: Release) -> dict[str, tuple[str, int]]:
        """The memory limit and the start period of each component, from its test.

        An image that runs already keeps those that it has: what a later test measured is no reason to restart it.
        """
        found = {}
        for one in release.components:
            current = _services(self._project.text()).get(one.name) or {}
            if current.get("image") == one.reference:
                period = str(current["healthcheck"]["start_period"]).removesuffix("s")
                found[one.name] = (str(current["mem_limit"]), int(period))
            else:
                found[one.name] = (measured_memory(one.report), start_period(one.report))
        return found

    def _settings_of(self, component: Component) -> Settings:
        """The component's settings. Those of the ensemble hold for every one, but its variables are the coordinator's."""
        if not component.member:
            return self._settings
        common = self._settings.model_dump(exclude_unset=True, exclude={"env", "port", "folder"})
        return read_settings(Settings, f"compose of {component.member}", {**common, **component.settings})

    def _replace_members(self, before: str | None, after: str, on_step: OnStep) -> None:
        """Replace each changed member that runs, one after the other, while the ensemble answers."""
        old, new = _services(before), _services(after)
        running = self._project.running() if old else []
        if old.get(self._name) != new[self._name] or self._name not in running:
            return  # the coordinator starts anew too
        current = dict(old)
        for name, wanted in new.items():
            if name in running and name != self._name and wanted != old[name]:
                on_step(f"starting the new {name} beside the current one")
                beside = {**wanted, "container_name": f"{name}{_NEXT}"}
                self._begin({**current, name + _NEXT: beside}, name + _NEXT)
                on_step(f"replacing {name}")
                self._project.stop(name)
                current[name] = wanted
                self._begin({**current, name + _NEXT: beside}, name)
                self._project.stop(name + _NEXT)
                self._write(current)

    def _start(self, text: str, components: Sequence[Component], url: str, on_step: OnStep) -> None:
        """Start all that does not run yet as the file says, the members first, and remove what is not in it."""
        self._project.write(text)
        members = [one for one in components if one.member]
        if members:
            on_step(f"starting {', '.join(one.name for one in members)}")
            self._project.create("--no-deps", *(one.name for one in members), url=url)
        for one in members:
            if one.required:
                self._project.wait(partial(self._project.ready_inside, one.name), one.name, one.name)
                on_step(f"{one.name} is ready")
        on_step(f"starting {self._name}")
        self._project.create("--no-deps", "--remove-orphans", self._name, url=url)
        self._project.wait(lambda: is_ready(url), url, self._name)

    def _restore(self, before: str | None, url: str, error: BaseException, on_step: OnStep) -> None:
        """Restore the previous file and its containers; complete the message of the failure."""
        on_step("rolling back")
        try:
            if before is None:
                self._project.end()
                outcome = f"{self._name} was removed again"
            else:
                self._project.write(before)
                self._project.create("--remove-orphans", url=url)
                served = f"http://127.0.0.1:{port_of(before, self._name)}"
                self._project.wait(lambda: is_ready(served), served, self._name)
                outcome = "the previous containers serve again"
        except (DeployError, KeyboardInterrupt) as failed:
            raise DeployStateError(
                f"{str(error) or 'interrupted'}; and the rollback failed: {str(failed) or 'interrupted'}",
                hint="`mlpack ensemble up` starts the ensemble again; `mlpack ensemble down` removes it.",
                detail=getattr(failed, "detail", ""),
            ) from error
        if isinstance(error, DeployError):
            error.message = f"{error.message} ({outcome})"

    def _begin(self, services: Mapping[str, Any], name: str) -> None:
        """Create the container of one service, others untouched, and wait until it is ready and the coordinator knows it."""
        self._write(services)
        self._project.create("--no-deps", name, url=name)
        self._project.wait(partial(self._project.ready_inside, name), name, name)
        time.sleep(_NOTICED_S)

    def _write(self, services: Mapping[str, Any]) -> None:
        """Write the file of a state between two files of the template."""
        import yaml

        document = yaml.safe_load(self._project.text() or "") or {}
        document["services"] = dict(services)
        self._project.write(yaml.safe_dump(document, sort_keys=False))


def _services(text: str | None) -> dict[str, Any]:
    import yaml  # not for `mlpack --help`

    document = yaml.safe_load(text) if text else {}
    found = document.get("services") if isinstance(document, dict) else None
    return found if isinstance(found, dict) else {}
