"""One build through the engine's API, by BuildKit or the classic builder."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import textwrap
import uuid
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from mlpack.artifacts.bundle import CLASSIC_DOCKERFILE, DOCKERFILE, Bundle
from mlpack.artifacts.bundle_file import BundleFile
from mlpack.artifacts.progress import OnProgress
from mlpack.engines.docker.base_images import base_images, failed_base, fetch
from mlpack.engines.docker.build_cache import is_secret, sweep_contexts
from mlpack.engines.docker.build_context import with_progress
from mlpack.engines.docker.client import Client, explanation
from mlpack.engines.docker.model_image import has_model, parted, send_model
from mlpack.engines.docker.steps import Step, Steps, plain
from mlpack.engines.docker.stream import post_stream
from mlpack.errors import BuildError, DiskFullError, EngineError, UsageError

# Disk space for a build, in multiples of the model's size: the engine keeps the model as an image of its own and as a layer;
# half of it is a reserve for temporary data. The second factor is for a model that the engine already has.
_NEW_MODEL, _KNOWN_MODEL = 2.5, 1.5
# Bytes for the environment, in the stage that installs it and in the image.
_ENVIRONMENT = 500_000_000
_METADATA_STEP = re.compile(r"\[internal\] load metadata for (\S+)")
_FROM_STEP = re.compile(r"\[[^]]*\] FROM (?:--\S+ )?(\S+)")
_RUN_FAILED = re.compile(
    r"(?:executor failed running|process) .*?(exit code: \d+)$|.*(returned a non-zero code: \d+)$", re.DOTALL
)


@dataclass(frozen=True, kw_only=True)
class Builder:
    """How an engine builds: `buildkit` whether by BuildKit; `platform` is its own, as `linux/amd64`.

    `root` is where it keeps its images, None when that is on another machine.
    """

    buildkit: bool
    platform: str
    root: Path | None = None


def build_image(
    client: Client,
    bundle: Bundle,
    *,
    builder: Builder,
    tags: tuple[str, ...],
    on_progress: OnProgress,
    use_cache: bool,
) -> tuple[str, tuple[str, ...]]:
    """Build and tag; gives the image's id, and the build's warnings for the user.

    Leaving it early, by Ctrl-C or any error of ours, ends the build there too.

    What holds for `POST /build?version=2` without a session beside it, tried on the engine 20.10:

    - `RUN --mount=type=cache` and `type=bind` work; `type=secret` and `ssh` do not, nor credentials for the base image
      (`X-Registry-Config` is not looked at). So a base that is not there yet is pulled first.
    - The context travels whole, in the request's body, at each build; so a large model goes there before, once, as an
      image of its own (see model_image.py). The engine keeps its answer back until the body is read to its end, so
      news of the upload is ours.
    - The news are objects of `moby.buildkit.trace`; the image's id comes as `moby.image.id`.
    - 20.10's own Dockerfile frontend has no `COPY --link`, no here-documents, no `--exclude`.
    - The context stays in the engine's cache, where no later build finds it: with secrets in it, it is swept out.
    - A `buildid` lets `POST /build/cancel` end the build; the classic builder ends when the connection does.

    Raises BuildError, BaseImageError, DiskFullError, and the SDK's own errors (see client.engine_errors).
    """
    from docker.errors import APIError

    dockerfile, files = _dockerfile(bundle, buildkit=builder.buildkit)
    platform = bundle.lock.platform
    bases = bundle.plan.bases if bundle.plan is not None else base_images(_text(files, dockerfile))
    model: tuple[BundleFile, ...] = ()
    # `COPY --from` looks for an image of the platform that is built for, and an imported one has the engine's own.
    if platform == builder.platform:
        files, model = parted(bundle.plan, files, dockerfile)
    _supply(client, model, bases if platform == builder.platform else (), on_progress, files=files, root=builder.root)
    build_id = uuid.uuid4().hex
    params: dict[str, object] = {
        "version": "2" if builder.buildkit else "1",
        "buildid": build_id,
        "dockerfile": dockerfile,
        "t": list(tags),
        "labels": json.dumps(bundle.labels, sort_keys=True),
        "buildargs": json.dumps(_proxies(client), sort_keys=True),
        "nocache": "0" if use_cache else "1",
        "rm": "1",
        "forcerm": "1",
    }
    # The classic builder would look for another base when it is given its own platform's name.
    if builder.buildkit or platform != builder.platform:
        params["platform"] = platform
    steps = Steps(on_progress)
    answer = post_stream(
        client,
        "/build",
        params=params,
        headers={"Content-Type": "application/x-tar"},
        body=with_progress(files, on_progress),
    )
    try:
        with closing(answer):
            for item in answer:
                steps.take(item)
    except APIError as error:
        raise _failure(explanation(error), None, bases) from error
    except BaseException:
        _cancel(client, build_id)
        raise
    finally:
        if builder.buildkit and any(map(is_secret, bundle.private)):
            sweep_contexts(client)
    if steps.error:
        raise _failure(steps.error, steps.failed, bases)
    if steps.image_id is None:
        raise EngineError(
            "the engine ended the build without an image and without an error", hint="See the engine's log."
        )
    steps.finish()
    return steps.image_id, tuple(steps.notes)


def _dockerfile(bundle: Bundle, *, buildkit: bool) -> tuple[str, tuple[BundleFile, ...]]:
    files = (*bundle.files, *bundle.private)
    names = {file.name for file in files}
    name = DOCKERFILE if buildkit or CLASSIC_DOCKERFILE not in names else CLASSIC_DOCKERFILE
    if name not in names:
        raise UsageError(f"the bundle has no {name!r} to build from", hint=f"It contains: {', '.join(sorted(names))}.")
    return name, files


def _supply(
    client: Client,
    model: tuple[BundleFile, ...],
    bases: tuple[str, ...],
    on_progress: OnProgress,
    *,
    files: tuple[BundleFile, ...],
    root: Path | None,
) -> None:
    """Before the build: check disk space, pull the base images, and send a large model as a separate image."""
    known = bool(model) and has_model(client, model)
    size = sum(file.size for file in model or files)
    require_space(space_needed(size, known=known), free_space(root), root)
    for base in bases:
        fetch(client, base, on_progress)
    if model and not known:
        send_model(client, model, on_progress)


def space_needed(model: int, *, known: bool = False) -> int:
    """Bytes of disk space that a build needs for a model of this size; `known` if the engine already has the model."""
    return int((_KNOWN_MODEL if known else _NEW_MODEL) * model) + _ENVIRONMENT


def free_space(folder: Path | None) -> int | None:
    """Free bytes on the disk of a folder; None if the folder is not on this machine, or not readable."""
    try:
        return shutil.disk_usage(folder).free if folder is not None and folder.is_dir() else None
    except OSError:
        return None


def require_space(need: int, free: int | None, folder: object) -> None:
    """Raise DiskFullError if less is free than needed; an unknown free space is accepted."""
    if free is not None and free < need:
        raise DiskFullError(
            f"the engine's disk has {free / 1e9:.1f} GB free at {folder}; this build needs about {need / 1e9:.1f} GB",
            hint="`mlpack clean` lists what it can remove; `docker system prune` frees more.",
        )


def _text(files: tuple[BundleFile, ...], name: str) -> str:
    file = next(file for file in files if file.name == name)
    content = file.content if file.content is not None else file.source.read_bytes() if file.source else b""
    return content.decode("utf-8", "replace")


def _proxies(client: Client) -> dict[str, str]:
    """The proxies of Docker's config, as the docker CLI hands them to a build; no layer or cache key holds them."""
    return dict(client._proxy_configs.get_environment())  # noqa: SLF001  # the SDK's own build does so


def _cancel(client: Client, build_id: str) -> None:
    """Cancel a build; a build that has ended, or an engine that has stopped, is no error."""
    with contextlib.suppress(Exception):
        client._post(client._url("/build/cancel"), params={"id": build_id}, timeout=5).close()  # noqa: SLF001


def _failure(text: str, step: Step | None, bases: tuple[str, ...]) -> EngineError:
    """The error for a failed build, from the step that failed and the engine's message."""
    title = step.title if step else ""
    detail = "\n".join(step.lines) if step else ""
    if base := _base_of(title, text, bases):
        return failed_base(base, text)
    if any("no space left on device" in words.lower() for words in (text, detail)):
        return DiskFullError(
            f"the engine's disk is full{f', at `{title}`' if title else ''}",
            hint="Free space (`docker system prune`, `docker builder prune`), then build again.",
            detail=detail,
        )
    reason = _reason(text)
    if title:
        return BuildError(
            f"the build failed at `{textwrap.shorten(title, 120, placeholder=' ...')}`: {reason}",
            hint="The end of its output is above. `mlpack render` writes the Dockerfile to a folder." if detail else "",
            detail=detail,
        )
    return BuildError(f"the build failed: {reason}", detail=detail)


def _base_of(title: str, text: str, bases: tuple[str, ...]) -> str | None:
    """The base image whose fetching failed, None when something else did."""
    found = _METADATA_STEP.match(title) or _FROM_STEP.match(title)
    if found:
        return next((base for base in bases if plain(base) == found[1]), found[1])
    return next((base for base in bases if f"{base}: " in text and "failed to" in text), None)


def _reason(text: str) -> str:
    """The engine's last words: of a failed command the exit code alone, as the message names the command already."""
    whole = " ".join(text.split()).rstrip(".")
    if found := _RUN_FAILED.match(whole):
        return (
            (found[1] or found[2]).replace("returned a non-zero code", "exit code").replace("exit code: ", "exit code ")
        )
    return re.sub(r"^failed to (?:solve|create|compute)[^:]*: (?:failed to create LLB definition: )?", "", whole)
