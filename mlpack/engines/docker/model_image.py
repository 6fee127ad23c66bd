"""A large model as an image of its own: it is sent to the engine once, and not again at each build."""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import closing

from mlpack.artifacts import labels
from mlpack.artifacts.bundle import CLASSIC_DOCKERFILE
from mlpack.artifacts.bundle_file import BundleFile, files_digest
from mlpack.artifacts.image_plan import MODEL_FOLDER, ImagePlan
from mlpack.artifacts.progress import OnProgress
from mlpack.artifacts.references import short_digest
from mlpack.engines.docker.build_context import with_progress
from mlpack.engines.docker.client import Client, explanation
from mlpack.engines.docker.stream import post_stream
from mlpack.errors import DiskFullError, EngineError
from mlpack.templating import render_dockerfile

REPOSITORY = "mlpack-model"
# From this size in bytes a second copy in the engine is worth what it saves; below, one request is simpler and as fast.
THRESHOLD = 64 * 1024 * 1024


def parted(
    plan: ImagePlan | None, files: tuple[BundleFile, ...], dockerfile: str
) -> tuple[tuple[BundleFile, ...], tuple[BundleFile, ...]]:
    """The files of a build without its large model, and the model's; the first with a Dockerfile that copies it by name.

    The model's are none, and the files the same, when it is small, or the Dockerfile is the user's own: it may use the model in
    any way, so the whole bundle is sent at each build.
    """
    model = tuple(file for file in files if file.name.startswith(MODEL_FOLDER))
    if plan is None or sum(file.size for file in model) < THRESHOLD:
        return files, ()
    text = render_dockerfile(plan.with_model_of(model_reference(model)), buildkit=dockerfile != CLASSIC_DOCKERFILE)
    changed = BundleFile.of_bytes(dockerfile, text.encode())
    rest = (file for file in files if not file.name.startswith(MODEL_FOLDER))
    return tuple(changed if file.name == dockerfile else file for file in rest), model


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
    """Create the image that holds only these files, at /model/. Nothing is left of one that was interrupted.

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
    """The digest that names the model's files."""
    return files_digest(files)


def model_reference(files: Iterable[BundleFile]) -> str:
    """The name that the image of these files has in the engine."""
    return f"{REPOSITORY}:{short_digest(model_digest(files))}"


def _failed(text: str) -> EngineError:
    if "no space left" in text.lower():
        return DiskFullError(
            "the engine's disk is full: no room for the model",
            hint="`mlpack clean` lists what it can remove; `docker system prune` frees more.",
            detail=text,
        )
    return EngineError(f"the engine did not accept the model: {text}", hint="See the engine's log.")
