"""Docker Compose on this machine: writes, runs and rolls back a hardened compose.yaml; each revision keeps its file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from pydantic import Field

from mlpack.artifacts.image import Image
from mlpack.artifacts.release import Released
from mlpack.artifacts.report import Report
from mlpack.artifacts.service import Live, Place, Plan, Revision, Service, Staged
from mlpack.errors import DeployError, DeployStateError, UsageError
from mlpack.targets.base import Home, OnStep
from mlpack.targets.compose.file import Wanted, changes_of, image_of, port_of, write_file
from mlpack.targets.compose.project import Project, command, free_port, is_ready, refuse_taken
from mlpack.targets.settings import Corner, read_corner

_FILE = "compose.yaml"


class Settings(Corner):
    """`deploy: {compose: ...}`."""

    folder: Path | None = Field(default=None, description="folder of compose.yaml; default: .mlpack/compose/SERVICE")
    port: int | None = Field(
        default=None, ge=1, le=65535, description="port on 127.0.0.1; default: its current one, or 8080"
    )
    memory: str | None = Field(default=None, description="memory limit, such as 512m; default: from the test")
    cpu: float = Field(default=1.0, gt=0, description="maximum number of CPUs")
    env: dict[str, str] = Field(default_factory=dict, description="environment variables of the container")


@dataclass(frozen=True, kw_only=True)
class Before:
    """What was there: the text of compose.yaml (None: nothing), and the release that it is (None: changed by hand)."""

    text: str | None
    release: str | None


class Compose:
    """A Target and Keeper: the service is a compose project, its releases are files beside it."""

    platform: str | None = None
    home: Home | None = None

    def __init__(self, name: str, corner: Mapping[str, Any], *, folder: Path, templates: Path | None) -> None:
        self.service = name
        self.where: Mapping[str, str] = {}
        self._settings = read_corner(Settings, "compose", corner)
        self._folder = folder / (self._settings.folder or Path(".mlpack") / "compose" / name)
        self._templates = templates
        self._main = Project(f"mlpack-{name}", self._folder / _FILE)
        self._next = Project(f"mlpack-{name}-next", self._folder / "next.yaml")

    # Target -----------------------------------------------------------------------------------------

    def plan(self, image: Image, report: Report | None, reference: str) -> Plan:  # noqa: ARG002  # the id names it
        """What will change in compose.yaml, setting by setting."""
        before = self._before()
        port = self._settings.port or port_of(before.text, self.service) or 8080
        wanted = self._wanted(image, report, port, self._main)
        text = write_file(wanted, self._templates)
        changes = changes_of(before.text, text, self.service)
        current = before.release
        return Plan(
            target="compose",
            service=self.service,
            exists=before.text is not None,
            changes=changes,
            document=text,
            file_name=_FILE,
            run=f"r{self._newest() + 1:04d}-{image.id.removeprefix('sha256:')[:12]}",
            live=self._live(image.id, current, None) if current and not changes and self._main.up() else None,
            before=before,
            # One that dies while it is tried must stay dead, to be found out.
            wanted=replace(self._wanted(image, report, free_port(), self._next), restart="no"),
        )

    def stage(self, plan: Plan, released: Released, on_step: OnStep) -> Staged:
        """The release beside the one that serves: a project of its own, on a free port."""
        command()  # fails here, before there is anything to roll back
        port = port_of(plan.document, self.service)
        if port != port_of(self._main.text(), self.service):
            refuse_taken(port)
        self._release(plan.run).parent.mkdir(parents=True, exist_ok=True)
        self._release(plan.run).write_text(plan.document, encoding="utf-8", newline="\n")
        self._untried(plan.run).touch()
        on_step(f"starting {plan.run}, from image {released.digest[:19]}, on a separate port")
        place = Place(url=f"http://127.0.0.1:{plan.wanted.port}")
        self._next.start(write_file(plan.wanted, self._templates), place.url)
        serving = self.place() if plan.exists and self._main.up() else None
        return Staged(revision=plan.run, place=place, serving=serving, previous=plan.before.release)

    def promote(self, plan: Plan, staged: Staged, on_step: OnStep) -> Live:
        """The release in the place of the one that serves; its container is replaced, which takes a moment."""
        on_step(f"replacing the current container with {staged.revision}")
        self._start_main(plan.document)
        self._next.end()
        self._untried(staged.revision).unlink(missing_ok=True)
        return self._live(plan.wanted.image, staged.revision, staged.previous)

    def restore(self, plan: Plan, on_step: OnStep) -> str:
        """The former compose.yaml and its container; a service that was not there goes again."""
        try:
            self._next.end()
            changed = self._main.text() != plan.before.text
            if changed:
                self._serve_again(plan.before, on_step)
            self._forget(plan.run)
        except (DeployError, OSError) as error:
            raise DeployStateError(
                f"{self.service} in {self._folder}: {error}",
                hint=f"`docker compose -p {self._main.name} -f {self._main.file} up -d` starts the service from its file.",
            ) from error
        return self._outcome(plan.before) if changed else ""

    # Keeper -----------------------------------------------------------------------------------------

    def status(self) -> Service:
        """The releases that have a file, newest first; the one in compose.yaml has all the traffic while it runs."""
        current, releases = self._current(), self._releases()
        if not releases:
            raise DeployError(
                f"there is no service {self.service} in {self._folder}",
                hint="`mlpack deploy --target compose` creates it; --service selects another one.",
                code="deploy_missing",
            )
        url, up = self.place().url, self._main.up()
        ready = up and is_ready(url)
        revisions = tuple(
            Revision(
                name=file.stem,
                percent=100 if up and file.stem == current else 0,
                image=image_of(file.read_text(encoding="utf-8"), self.service),
                ready=ready or file.stem != current,
                proven=not self._untried(file.stem).exists(),
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
            target="compose",
            name=self.service,
            url=url,
            ready=ready,
            open_to_all=True,
            revisions=revisions,
            message=message,
        )

    def route(self, shares: Mapping[str, int], on_step: OnStep) -> Service:
        """Another release serves: its file becomes compose.yaml; one that was staged loses its own address.

        When it does not get ready, what served before serves again; raises DeployStateError when that fails too.
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
            self._put_back(before, error, on_step)
            raise
        self._next.end()
        self._untried(wanted[0]).unlink(missing_ok=True)
        return self.status()

    def delete(self, on_step: OnStep) -> None:
        """The container, the files of its releases, and the folder if nothing else is in it."""
        self.status()
        on_step(f"removing {self.service}")
        self._next.end()
        self._main.end()
        for file in self._releases():
            self._forget(file.stem)
        for folder in (self._folder / "releases", self._folder):
            if folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()

    def place(self) -> Place:
        """Its port on this machine; that of the newest release where none has served yet."""
        newest = next((file.read_text(encoding="utf-8") for file in reversed(self._releases())), None)
        return Place(url=f"http://127.0.0.1:{port_of(self._main.text() or newest, self.service) or 8080}")

    # What follows from them -------------------------------------------------------------------------

    def _start_main(self, text: str) -> None:
        self._main.start(text, f"http://127.0.0.1:{port_of(text, self.service)}")

    def _put_back(self, before: Before, error: BaseException, on_step: OnStep) -> None:
        """What served before a move of the traffic that failed with `error`; raises DeployStateError when it does not serve."""
        on_step("rolling back")
        try:
            self._serve_again(before, on_step)
        except (DeployError, KeyboardInterrupt) as failed:
            raise DeployStateError(
                f"{str(error) or 'interrupted'}; and the rollback failed: {str(failed) or 'interrupted'}",
                hint="`mlpack status` shows the current state; `mlpack rollback --to REVISION` starts another revision.",
                detail=getattr(failed, "detail", ""),
            ) from error
        if isinstance(error, DeployError):
            error.message = f"{error.message} ({self._outcome(before)})"

    def _serve_again(self, before: Before, on_step: OnStep) -> None:
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

    def _wanted(self, image: Image, report: Report | None, port: int, project: Project) -> Wanted:
        return Wanted(
            service=self.service,
            project=project.name,
            image=image.id,
            port=port,
            memory=self._settings.memory,
            cpu=self._settings.cpu,
            env=self._settings.env,
            report=report,
        )

    def _live(self, image: str, revision: str, previous: str | None) -> Live:
        place = self.place()
        return Live(
            revision=revision,
            image=image,
            place=place,
            open_to_all=True,
            previous=previous,
        )

    def _release(self, name: str) -> Path:
        return self._folder / "releases" / f"{name}.yaml"

    def _untried(self, name: str) -> Path:
        """Marks a release that was only staged, so that `mlpack rollback` does not choose it."""
        return self._folder / "releases" / f"{name}.staged"

    def _forget(self, name: str) -> None:
        self._release(name).unlink(missing_ok=True)
        self._untried(name).unlink(missing_ok=True)

    def _releases(self) -> list[Path]:
        return sorted((self._folder / "releases").glob("r*.yaml"))

    def _newest(self) -> int:
        return max((int(file.stem[1:5]) for file in self._releases() if file.stem[1:5].isdecimal()), default=0)

    def _current(self) -> str | None:
        """The release whose file compose.yaml is."""
        text = self._main.text()
        same = (file.stem for file in reversed(self._releases()) if file.read_text(encoding="utf-8") == text)
        return None if text is None else next(same, None)
