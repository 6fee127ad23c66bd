"""Docker Compose on this machine: writes, runs and rolls back a hardened compose.yaml; each revision keeps its file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import ClassVar

from mlpack.artifacts.references import parse_reference, short_digest
from mlpack.artifacts.release import Component, Release
from mlpack.artifacts.service import Endpoint, Live, Plan, Revision, Service, Staged
from mlpack.errors import DeployError, DeployStateError, UsageError
from mlpack.targets.base import OnStep, Target
from mlpack.targets.compose.ensemble import EnsembleProject
from mlpack.targets.compose.file import Wanted, changes_of, image_id_of, image_of, port_of, write_file
from mlpack.targets.compose.project import Project, command, free_port, is_ready, refuse_taken
from mlpack.targets.compose.settings import OPTIONS, Settings
from mlpack.targets.settings import TargetOption, TargetSettings

_FILE = "compose.yaml"


@dataclass(frozen=True, kw_only=True)
class Before:
    """The state before a change: the text of compose.yaml, and the release whose file it is (None: changed by hand)."""

    text: str | None
    release: str | None


class Compose(Target):
    """A service is a compose project; its revisions are files beside it."""

    name: ClassVar[str] = "compose"
    needs_registry: ClassVar[bool] = False
    settings: ClassVar[type[TargetSettings]] = Settings
    options: ClassVar[tuple[TargetOption, ...]] = OPTIONS

    def __init__(self, service: str, settings: Settings, *, folder: Path, templates: Path | None) -> None:
        self.service = service
        self.where: Mapping[str, str] = {}
        self._settings = settings
        self._folder = folder / (settings.folder or Path(".mlpack") / "compose" / service)
        self._templates = templates
        self.ensemble = EnsembleProject(
            service, settings, folder / (settings.folder or Path(".mlpack") / "ensembles" / service), templates
        )
        self._main = Project(f"mlpack-{service}", self._folder / _FILE)
        self._next = Project(f"mlpack-{service}-next", self._folder / "next.yaml")

    # Release ----------------------------------------------------------------------------------------

    def plan(self, release: Release) -> Plan:
        """What will change in compose.yaml, setting by setting."""
        component, before = release.single(self.name), self._before()
        port = self._settings.port or port_of(before.text, self.service) or 8080
        wanted = Wanted(
            service=self.service,
            project=self._main.name,
            image=self._image(component, before),
            image_id=component.image.id,
            port=port,
            memory=self._settings.memory,
            cpu=self._settings.cpu,
            env=self._settings.env,
            report=component.report,
        )
        text = write_file(wanted, self._templates)
        changes = changes_of(before.text, text, self.service)
        current = before.release
        return Plan(
            target=self.name,
            service=self.service,
            exists=before.text is not None,
            changes=changes,
            document=text,
            file_name=_FILE,
            run=f"r{self._newest() + 1:04d}-{short_digest(component.image.id)}",
            live=self._live(current, None) if current and not changes and self._main.up() else None,
            before=before,
            wanted=wanted,
        )

    def stage(self, plan: Plan, release: Release, on_step: OnStep) -> Staged:
        """Start the release beside the current one: a project of its own, on a free port."""
        command()  # fails here, before there is anything to roll back
        port = port_of(plan.document, self.service)
        if port != port_of(self._main.text(), self.service):
            refuse_taken(port)
        wanted: Wanted = replace(plan.wanted, image=release.single(self.name).reference)  # by its digest now
        self._release(plan.run).parent.mkdir(parents=True, exist_ok=True)
        self._release(plan.run).write_text(write_file(wanted, self._templates), encoding="utf-8", newline="\n")
        self._staged_mark(plan.run).touch()
        on_step(f"starting {plan.run}, from image {wanted.image_id[:19]}, on a separate port")
        # A container that exits while it is staged is not restarted, so that the failure is seen.
        trial = replace(wanted, project=self._next.name, port=free_port(), restart="no")
        endpoint = Endpoint(url=f"http://127.0.0.1:{trial.port}")
        self._next.start(write_file(trial, self._templates), endpoint.url)
        serving = self.endpoint() if plan.exists and self._main.up() else None
        return Staged(revision=plan.run, endpoint=endpoint, serving=serving, previous=plan.before.release)

    def promote(self, plan: Plan, staged: Staged, on_step: OnStep) -> Live:  # noqa: ARG002  # the release has a file
        """Replace the current container by one of the release, which takes a moment."""
        on_step(f"replacing the current container with {staged.revision}")
        self._start_main(self._release(staged.revision).read_text(encoding="utf-8"))
        self._next.end()
        self._staged_mark(staged.revision).unlink(missing_ok=True)
        return self._live(staged.revision, staged.previous)

    def restore(self, plan: Plan, on_step: OnStep) -> str:
        """Restore the previous compose.yaml and its container; remove a service that did not exist before."""
        try:
            self._next.end()
            changed = self._main.text() != plan.before.text
            if changed:
                self._start_again(plan.before, on_step)
            self._forget(plan.run)
        except (DeployError, OSError) as error:
            raise DeployStateError(
                f"{self.service} in {self._folder}: {error}",
                hint=f"`docker compose -p {self._main.name} -f {self._main.file} up -d` starts the service from its file.",
            ) from error
        return self._outcome(plan.before) if changed else ""

    # Manage -----------------------------------------------------------------------------------------

    def status(self) -> Service:
        """The releases that have a file, newest first; the one in compose.yaml has all the traffic while it runs."""
        current, releases = self._current(), self._releases()
        if not releases:
            raise DeployError(
                f"there is no service {self.service} in {self._folder}",
                hint="`mlpack deploy --target compose` creates it; --service selects another one.",
                code="deploy_missing",
            )
        url, up = self.endpoint().url, self._main.up()
        ready = up and is_ready(url)
        revisions = tuple(
            Revision(
                name=file.stem,
                percent=100 if up and file.stem == current else 0,
                image=image_of(file.read_text(encoding="utf-8"), self.service),
                ready=ready or file.stem != current,
                proven=not self._staged_mark(file.stem).exists(),
                made=datetime.fromtimestamp(file.stat().st_mtime, timezone.utc).isoformat(timespec="seconds"),
            )
            for file in reversed(releases)
        )
        message = "" if ready else "it does not answer /ready" if up else "its container is not running"
        if current is None and self._main.text() is not None:
            message = f"{self._main.file} was changed by hand: it is none of these revisions"
        elif current is None:
            message = f"no revision serves yet; `mlpack traffic {releases[-1].stem}=100` starts the newest"
        return Service(
            target=self.name,
            name=self.service,
            url=url,
            ready=ready,
            open_to_all=True,
            revisions=revisions,
            message=message,
        )

    def route(self, shares: Mapping[str, int], on_step: OnStep) -> Service:
        """Start another release: its file becomes compose.yaml. A staged release loses its separate address.

        If it does not become ready, the previous state is restored; raises DeployStateError if that fails too.
        """
        wanted = [name for name, percent in shares.items() if percent]
        if len(wanted) != 1:
            raise UsageError(
                "with compose, one revision gets all the traffic", hint="Use `mlpack traffic REVISION=100`."
            )
        if not self._release(wanted[0]).is_file():
            raise DeployError(
                f"{self.service} has no revision {wanted[0]}", hint="`mlpack status` lists them.", code="deploy_missing"
            )
        before = self._before()
        try:
            on_step(f"starting {wanted[0]}")
            self._start_main(self._release(wanted[0]).read_text(encoding="utf-8"))
        except BaseException as error:
            self._restore_after(before, error, on_step)
            raise
        self._next.end()
        self._staged_mark(wanted[0]).unlink(missing_ok=True)
        return self.status()

    def delete(self, on_step: OnStep) -> None:
        """Delete the container, the files of its releases, and the folder if it is empty then."""
        self.status()
        on_step(f"removing {self.service}")
        self._next.end()
        self._main.end()
        for file in self._releases():
            self._forget(file.stem)
        for folder in (self._folder / "releases", self._folder):
            if folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()

    def endpoint(self) -> Endpoint:
        """Its port on this machine; that of the newest release if none has had the traffic yet."""
        newest = next((file.read_text(encoding="utf-8") for file in reversed(self._releases())), None)
        return Endpoint(url=f"http://127.0.0.1:{port_of(self._main.text() or newest, self.service) or 8080}")

    # ------------------------------------------------------------------------------------------------

    def _start_main(self, text: str) -> None:
        self._main.start(text, f"http://127.0.0.1:{port_of(text, self.service)}")

    def _restore_after(self, before: Before, error: BaseException, on_step: OnStep) -> None:
        """Restore the state before a change of the traffic that failed with `error`; raises DeployStateError if that fails."""
        on_step("rolling back")
        try:
            self._start_again(before, on_step)
        except (DeployError, KeyboardInterrupt) as failed:
            raise DeployStateError(
                f"{str(error) or 'interrupted'}; and the rollback failed: {str(failed) or 'interrupted'}",
                hint="`mlpack status` shows the current state; `mlpack rollback --to REVISION` starts another revision.",
                detail=getattr(failed, "detail", ""),
            ) from error
        if isinstance(error, DeployError):
            error.message = f"{error.message} ({self._outcome(before)})"

    def _start_again(self, before: Before, on_step: OnStep) -> None:
        if before.text is None:
            self._main.end()
        else:
            on_step(f"starting {before.release or 'the previous compose.yaml'}")
            self._start_main(before.text)

    def _outcome(self, before: Before) -> str:
        if before.text is None:
            return f"{self.service} was removed again"
        return f"{before.release or 'the previous compose.yaml'} serves again"

    def _before(self) -> Before:
        return Before(text=self._main.text(), release=self._current())

    def _image(self, component: Component, before: Before) -> str:
        """The image's name in the file. Its digest is known before a push only if the current file has the same image."""
        if component.reference == component.image.id:
            return component.image.id
        current, repository = image_of(before.text, self.service), parse_reference(component.reference).at("")
        same = image_id_of(before.text, self.service) == component.image.id and current.startswith(repository)
        return current if same else component.reference

    def _live(self, revision: str, previous: str | None) -> Live:
        return Live(
            revision=revision,
            image=image_of(self._main.text(), self.service),
            endpoint=self.endpoint(),
            open_to_all=True,
            previous=previous,
        )

    def _release(self, name: str) -> Path:
        return self._folder / "releases" / f"{name}.yaml"

    def _staged_mark(self, name: str) -> Path:
        """Marks a release that was only staged, so that `mlpack rollback` does not choose it."""
        return self._folder / "releases" / f"{name}.staged"

    def _forget(self, name: str) -> None:
        self._release(name).unlink(missing_ok=True)
        self._staged_mark(name).unlink(missing_ok=True)

    def _releases(self) -> list[Path]:
        return sorted((self._folder / "releases").glob("r*.yaml"))

    def _newest(self) -> int:
        return max((int(file.stem[1:5]) for file in self._releases() if file.stem[1:5].isdecimal()), default=0)

    def _current(self) -> str | None:
        """The release whose file compose.yaml is."""
        text = self._main.text()
        same = (file.stem for file in reversed(self._releases()) if file.read_text(encoding="utf-8") == text)
        return None if text is None else next(same, None)
