"""A large model as an image of its own: it travels to the engine once, and not again at each build."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from contextlib import closing
from dataclasses import replace

from mlpack.artifacts import labels
from mlpack.artifacts.bundle_file import BundleFile
from mlpack.artifacts.progress import OnProgress
from mlpack.engines.docker.build_context import with_progress
from mlpack.engines.docker.client import Client, explanation
from mlpack.engines.docker.stream import post_stream
from mlpack.errors import DiskFullError, EngineError

REPOSITORY = "mlpack-model"
# Bytes from which on a second copy in the engine is worth what it saves; below, one request is simpler and as fast.
THRESHOLD = 64 * 1024 * 1024
_FOLDER = "model/"
_COPY = re.compile(r"^(COPY)((?:[ \t]+--(?!from\b)\S+)*)[ \t]+(?:\./)?model/?[ \t]+(\S+)[ \t]*$", re.MULTILINE)
_CONTINUED = re.compile(r"[ \t]*\\\n")
_CONTEXT_COPY = re.compile(r"^[ \t]*(?:COPY|ADD)\b(?!.*--from=)(.*)$", re.IGNORECASE | re.MULTILINE)
_MOUNT = re.compile(r"--mount=(\S+)")


def parted(dockerfile: str, files: tuple[BundleFile, ...]) -> tuple[tuple[BundleFile, ...], tuple[BundleFile, ...]]:
    """The files of a build without its large model, and the model's; the first with a Dockerfile that takes it by name.

    The model's are none, and the files the same, when it is small, or the Dockerfile (the user's own, perhaps) wants it
    in another way than by one `COPY model/ TARGET`.
    """
    model = tuple(file for file in files if file.name.startswith(_FOLDER))
    if sum(file.size for file in model) < THRESHOLD:
        return files, ()
    by_name = {file.name: file for file in files}
    content = by_name[dockerfile].content
    text = None if content is None else taken_from(content.decode("utf-8", "surrogateescape"), model_reference(model))
    if text is None:
        return files, ()
    new = text.encode("utf-8", "surrogateescape")
    changed = replace(by_name[dockerfile], content=new, size=len(new), sha256=hashlib.sha256(new).hexdigest())
    rest = (file for file in files if not file.name.startswith(_FOLDER))
    return tuple(changed if file.name == dockerfile else file for file in rest), model


def taken_from(dockerfile: str, reference: str) -> str | None:
    """The Dockerfile with `COPY model/ TARGET` taken from an image's /model/; None when it uses the folder otherwise."""
    text, found = _COPY.subn(rf"\1\2 --from={reference} /model/ \3", dockerfile)
    lines = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    joined = _CONTINUED.sub(" ", lines)
    sources = [source for words in _CONTEXT_COPY.findall(joined) for source in _sources(words)]
    sources += [source for mount in _MOUNT.findall(joined) for source in _mounted(mount)]
    return text if found and not any(map(_may_hold_model, sources)) else None


def has_model(client: Client, files: Iterable[BundleFile]) -> bool:
    """Whether the engine has the image of exactly these files."""
    from docker.errors import ImageNotFound

    kept = tuple(files)
    try:
        found = client.inspect_image(model_reference(kept))
    except ImageNotFound:
        return False
    return ((found.get("Config") or {}).get("Labels") or {}).get(labels.MODEL) == model_digest(kept)


def send_model(client: Client, files: tuple[BundleFile, ...], on_progress: OnProgress) -> None:
    """Make the image of the files, which holds nothing else: /model/.... Nothing is left of one that broke off.

    Raises DiskFullError, EngineError; UnreadableModelError when a file changed while it was sent.
    """
    from docker.errors import APIError

    # `POST /images/create?fromSrc=-` is `docker import`: the layer is written as it comes, with no context in between.
    answer = post_stream(
        client,
        "/images/create",
        params={
            "fromSrc": "-",
            "repo": REPOSITORY,
            "tag": model_reference(files).rpartition(":")[2],
            "changes": [f"LABEL {labels.MODEL}={json.dumps(model_digest(files))}"],
        },
        headers={"Content-Type": "application/x-tar"},
        body=with_progress(files, on_progress, step="model", title="send the model"),
    )
    try:
        with closing(answer):
            for item in answer:
                if "error" in item:
                    raise _failed(str(item["error"]))
    except APIError as error:
        raise _failed(explanation(error)) from error


def model_digest(files: Iterable[BundleFile]) -> str:
    """`sha256:...` over mode, content and name of each file, in order."""
    lines = "\n".join(f"{file.mode:o} {file.sha256} {file.name}" for file in files)
    return f"sha256:{hashlib.sha256(lines.encode('utf-8', 'surrogateescape')).hexdigest()}"


def model_reference(files: Iterable[BundleFile]) -> str:
    """The name that the image of these files has in the engine."""
    return f"{REPOSITORY}:{model_digest(files).removeprefix('sha256:')[:12]}"


def _sources(words: str) -> list[str]:
    """What a COPY or ADD takes: all its words but the flags and the target."""
    return [word for word in words.replace(",", " ").split() if not word.startswith("--")][:-1]


def _mounted(mount: str) -> list[str]:
    """What a RUN's mount shows of the context; nothing when it mounts something else."""
    options = dict(part.partition("=")[::2] for part in mount.split(","))
    if options.get("type", "bind") != "bind" or "from" in options:
        return []
    return [options.get("source", options.get("src", "."))]


def _may_hold_model(source: str) -> bool:
    first = source.strip("\"'[]").removeprefix("/").removeprefix("./").split("/")[0]
    return first in {"", ".", _FOLDER.rstrip("/")} or not set("*?[$\\").isdisjoint(first)


def _failed(text: str) -> EngineError:
    if "no space left" in text.lower():
        return DiskFullError(
            "the engine's disk is full: no room for the model",
            hint="`mlpack clean` shows what can go; `docker system prune` frees more.",
            detail=text,
        )
    return EngineError(f"the engine did not take the model: {text}", hint="See its own log.")
