"""An engine of another package, made small: an image is a folder, a container a process, a registry a folder.

It builds by the plan alone. The environment of the tests stands for the packages of every image.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Literal

from mlpack.artifacts.bundle import Bundle
from mlpack.artifacts.image import Image
from mlpack.artifacts.image_plan import (
    VENV,
    CompileFolder,
    CompileImports,
    CompileLibrary,
    Copy,
    FindLibraries,
    InstallDebianPackages,
    InstallPackages,
)
from mlpack.artifacts.progress import OnProgress, Progress
from mlpack.engines.base import EngineFacts, Exit, JobResult, Limits, Stats
from mlpack.errors import BaseImageError, BuildError, EngineError, EngineUnavailableError, ImageNotFoundError
from mlpack.readers.bundle_files import content_of
from mlpack.registries.credentials import Login

LABEL = "dev.mlpack.bundle"


class ToyEngine:
    """Keeps images/, registry/ and tags.json in the folder that TOY_ENGINE names.

    An image is a folder images/ID with its settings in image.json and its files below root/.
    """

    is_local: ClassVar[Literal[False]] = False
    builds_dockerfiles: ClassVar[bool] = False

    def __init__(self, home: Path) -> None:
        self._home = home
        self._images = home / "images"
        self._images.mkdir(parents=True, exist_ok=True)

    @classmethod
    def connect(cls, environ: Mapping[str, str] = os.environ) -> ToyEngine:
        """Use the folder that TOY_ENGINE names."""
        if not environ.get("TOY_ENGINE"):
            raise EngineUnavailableError("there is no toy engine", hint="Set TOY_ENGINE.")
        return cls(Path(environ["TOY_ENGINE"]))

    def facts(self) -> EngineFacts:
        """Describe this machine."""
        machine = "arm64" if platform.machine() in {"aarch64", "arm64"} else "amd64"
        return EngineFacts(name="Toy", version="1", platform=f"linux/{machine}")

    def base_digest(self, reference: str, platform: str) -> str | None:  # noqa: ARG002 - as the protocol has it
        """None: it has no base images."""
        return None

    def build(
        self,
        bundle: Bundle,
        *,
        tags: tuple[str, ...],
        on_progress: OnProgress,
        use_cache: bool = True,  # noqa: ARG002 - as the protocol has it
    ) -> Image:
        """Make a folder with the files of the plan."""
        plan = bundle.plan
        assert plan is not None
        files = {file.name: file for file in bundle.files}
        root = Path(tempfile.mkdtemp(dir=self._images)) / "root"
        for step in (step for stage in plan.stages for step in stage.steps):
            match step:
                case Copy(content="installer" | "libraries") | InstallPackages() | FindLibraries():
                    pass  # the packages are those of the environment of the tests
                case InstallDebianPackages(names=()):
                    pass  # the system libraries are those of this machine
                case CompileLibrary() | CompileFolder() | CompileImports():
                    pass
                case Copy(origin=""):
                    on_progress(Progress(step=step.content, title=f"copy {step.content}"))
                    for placed in step.files:
                        target = root / placed.path.lstrip("/")
                        target.parent.mkdir(parents=True, exist_ok=True)
                        target.write_bytes(b"".join(content_of(files[placed.name])))
                        target.chmod(placed.mode)
                case Copy(content="packages"):
                    pass
                case _:
                    raise BuildError(f"the toy engine knows no step {step.kind}")
        (root / "tmp").mkdir()
        document = {
            "platform": plan.platform,
            "labels": dict(plan.labels) | bundle.labels,
            "environment": dict(plan.environment),
            "entrypoint": plan.entrypoint,
            "working_folder": plan.working_folder,
        }
        text = json.dumps(document, sort_keys=True)
        (root.parent / "image.json").write_text(text)
        number = hashlib.sha256(text.encode()).hexdigest()
        shutil.rmtree(self._images / number, ignore_errors=True)
        root.parent.rename(self._images / number)
        return self.tag(self._image(number), tags)

    def find(self, reference: str) -> Image | None:
        """By tag or id."""
        number = self._tags().get(_whole(reference), reference).removeprefix("sha256:")
        return self._image(number) if (self._images / number / "image.json").is_file() else None

    def find_by_label(self, bundle_digest: str, platform: str) -> Image | None:
        """By the bundle's label."""
        found = self.images(label=f"{LABEL}={bundle_digest}")
        return next((image for image in found if image.platform == platform), None)

    def card(self, image_id: str) -> dict[str, Any]:
        """The file in the folder."""
        file = self._root(image_id) / "app" / "model.json"
        if not file.is_file():
            raise ImageNotFoundError(f"the toy engine has no image {image_id}")
        card: dict[str, Any] = json.loads(file.read_text())
        return card

    def tag(self, image: Image, tags: Iterable[str]) -> Image:
        """One more line each in tags.json."""
        named = [*tags]
        self._keep_tags(self._tags() | {_whole(tag): image.id for tag in named})
        return replace(image, tags=tuple(dict.fromkeys((*image.tags, *named))))

    def images(self, *, label: str = LABEL) -> tuple[Image, ...]:
        """Those with the label, newest first."""
        name, equals, value = label.partition("=")
        folders = sorted(self._images.iterdir(), key=lambda path: path.stat().st_mtime, reverse=True)
        every = [self._image(path.name) for path in folders]
        return tuple(one for one in every if name in one.labels and (not equals or one.labels[name] == value))

    def layers(self, image_id: str) -> list[tuple[str, int]]:
        """One for each folder."""
        return [(path.name, _size(path)) for path in sorted((self._root(image_id) / "app").iterdir())]

    def packages(self, image_id: str) -> list[tuple[str, int]]:  # noqa: ARG002 - as the protocol has it
        """None: they are in the environment of the tests."""
        return []

    def remove_tag(self, reference: str) -> None:
        """With its last tag the image goes."""
        tags = self._tags()
        gone = tags.pop(_whole(reference), None)
        self._keep_tags(tags)
        if gone and gone not in tags.values():
            shutil.rmtree(self._root(gone).parent, ignore_errors=True)

    @contextmanager
    def run(
        self,
        image: Image,
        *,
        limits: Limits,  # noqa: ARG002 - a process of this machine has none
        env: Mapping[str, str],
        port: int,
        host_port: int = 0,
        arguments: tuple[str, ...] = (),
        network: str = "",  # noqa: ARG002 - the processes of this machine reach each other
    ) -> Iterator[ToyRunning]:
        """Run the entrypoint as a process."""
        config = self._config(image.id)
        port = host_port or _free_port()
        words = (*config["entrypoint"], *arguments)
        with tempfile.NamedTemporaryFile(dir=self._home) as log:
            process = self._start(image, words, {**env, "PORT": str(port)}, log)
            running = ToyRunning(process, f"http://127.0.0.1:{port}", Path(log.name))
            try:
                yield running
            finally:
                running.stop(grace_s=0)

    @contextmanager
    def network(self) -> Iterator[str]:
        """The loopback interface of this machine."""
        yield "loopback"

    def job(
        self, image: Image, *, limits: Limits, command: tuple[str, ...], outputs: str, timeout_s: float = 600
    ) -> JobResult:  # fmt: skip
        """The command as a process."""
        del limits
        began = time.monotonic()
        process = self._start(image, command, {}, subprocess.PIPE)
        try:
            log = process.communicate(timeout=timeout_s)[0]
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise EngineError(f"the job did not end within {timeout_s:g} s", hint="Give it less work.") from None
        folder = self._root(image.id) / outputs.lstrip("/")
        files = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        shutil.rmtree(folder, ignore_errors=True)
        ended = Exit(code=process.returncode, oom_killed=False, seconds=time.monotonic() - began)
        return JobResult(exit=ended, log=log, files=files)

    def pull(self, reference: str, *, on_progress: OnProgress) -> Image:  # noqa: ARG002 - nothing takes long here
        """An image that is here already."""
        found = self.find(reference)
        if found is None:
            raise BaseImageError(f"{reference} is not here", hint="This engine has no registries to pull from.")
        return found

    def push(self, image: Image, reference: str, *, on_progress: OnProgress, login: Login | None = None) -> str:
        """A copy in registry/, by the digest of its manifest."""
        del login
        manifest = json.dumps({"image": image.id, "name": reference})
        digest = f"sha256:{hashlib.sha256(manifest.encode()).hexdigest()}"
        target = self._home / "registry" / digest.removeprefix("sha256:")
        target.mkdir(parents=True, exist_ok=True)
        (target / "manifest.json").write_text(manifest)
        shutil.copytree(self._root(image.id).parent, target / "image", dirs_exist_ok=True)
        on_progress(Progress(step="push", title="copy the image", seconds=0.0))
        return digest

    def _start(self, image: Image, words: Iterable[str], env: Mapping[str, str], out: Any) -> subprocess.Popen[str]:
        config, root = self._config(image.id), self._root(image.id)
        inside = {name: value.replace("$PATH", os.environ["PATH"]) for name, value in config["environment"].items()}
        return subprocess.Popen(
            [self._here(word, root) for word in words],
            cwd=self._here(config["working_folder"], root),
            env={**inside, "HOME": str(root / "tmp"), **env},
            stdout=out,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def _here(self, word: str, root: Path) -> str:
        """A path of the image as one of this machine."""
        if word == f"{VENV}/bin/python":
            return sys.executable
        return str(root / word.lstrip("/")) if word.startswith(("/app", "/tmp/")) else word

    def _image(self, number: str) -> Image:
        config = self._config(number)
        return Image(
            id=f"sha256:{number}",
            tags=tuple(tag for tag, known in self._tags().items() if known == f"sha256:{number}"),
            size=_size(self._images / number),
            platform=config["platform"],
            card=json.loads(config["labels"]["dev.mlpack.card"]),
            labels=config["labels"],
        )

    def _config(self, image_id: str) -> dict[str, Any]:
        config: dict[str, Any] = json.loads((self._root(image_id).parent / "image.json").read_text())
        return config

    def _root(self, image_id: str) -> Path:
        return self._images / image_id.removeprefix("sha256:") / "root"

    def _tags(self) -> dict[str, str]:
        file = self._home / "tags.json"
        tags: dict[str, str] = json.loads(file.read_text()) if file.is_file() else {}
        return tags

    def _keep_tags(self, tags: Mapping[str, str]) -> None:
        (self._home / "tags.json").write_text(json.dumps(dict(tags)))


class ToyRunning:
    """A service that runs as a process."""

    def __init__(self, process: subprocess.Popen[str], url: str, log: Path) -> None:
        self.url = self.address = url
        self._process = process
        self._log = log

    def stats(self) -> Stats:
        """Unknown."""
        return Stats(peak_memory=None)

    def logs(self) -> str:
        """All of it."""
        return self._log.read_text()

    def alive(self) -> bool:
        """Return whether the process still runs."""
        return self._process.poll() is None

    def stop(self, *, grace_s: float) -> Exit:
        """Send SIGTERM, then SIGKILL."""
        began = time.monotonic()
        if self.alive():
            self._process.send_signal(signal.SIGTERM if grace_s else signal.SIGKILL)
        try:
            self._process.wait(grace_s or None)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        code = self._process.returncode
        return Exit(code=code if code >= 0 else 128 - code, oom_killed=False, seconds=time.monotonic() - began)


def _whole(reference: str) -> str:
    return reference if ":" in reference.rpartition("/")[2] else f"{reference}:latest"


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in (folder, *folder.rglob("*")) if path.is_file())


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
