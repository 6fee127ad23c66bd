"""The two sides as bundles for one engine: what `mlpack render` wrote, and what a person writes by hand."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import cast

from mlpack.artifacts.bundle import Bundle
from mlpack.artifacts.bundle_file import BundleFile
from mlpack.artifacts.lock import Lock
from mlpack.artifacts.prepared import Prepared

# `--no-cache-dir` makes it smaller and no slower. The mount and the `.` hand over the network's settings, as our side has them.
DOCKERFILE = """\
FROM {base}
RUN --mount=type=bind,source=build,target=/run/mlpack . /run/mlpack/env && pip install --no-cache-dir flask scikit-learn
WORKDIR /app
COPY app.py model.pkl /app/
CMD ["python", "app.py"]
"""
APP = """\
import os
import pickle

from flask import Flask, request

app = Flask(__name__)
with open("model.pkl", "rb") as file:
    model = pickle.load(file)


@app.get("/ready")
def ready():
    return {"ready": True}


@app.post("/predict")
def predict():
    return {"predictions": model.predict(request.json["instances"]).tolist()}


app.run("0.0.0.0", int(os.environ.get("PORT", "8080")))
"""


def rendered(folder: Path, platform: str) -> Bundle:
    """What `mlpack render` wrote, as the engine takes it: all that `mlpack build` would send, but for logins."""
    files = [
        _file(str(path.relative_to(folder)), path.read_bytes()) for path in sorted(folder.rglob("*")) if path.is_file()
    ]
    return _bundle(files, platform)


def by_hand(ours: Bundle, model: Path) -> Bundle:
    """The hand-written service of the same model: same base, same network settings, none of our files."""
    base = next(line for line in _text(ours).splitlines() if line.startswith("FROM ")).split()[1]
    files = [
        _file("Dockerfile", DOCKERFILE.format(base=base).encode()),
        _file("app.py", APP.encode()),
        _file("model.pkl", model.read_bytes()),
        *(file for file in ours.files if file.name.startswith("build/")),
    ]
    return _bundle(files, ours.lock.platform)


def with_own_cache(bundle: Bundle, name: str) -> Bundle:
    """The bundle whose cache mounts are nobody else's, and so empty: a cold build that leaves the engine's caches alone."""
    text = _text(bundle)
    if "--mount=type=cache," not in text:
        raise RuntimeError("the Dockerfile has no cache mount to rename; is this still a cold build?")
    text = text.replace("--mount=type=cache,", f"--mount=type=cache,id={name},")
    others = [file for file in bundle.files if file.name != "Dockerfile"]
    return _bundle([_file("Dockerfile", text.encode()), *others], bundle.lock.platform)


def _bundle(files: list[BundleFile], platform: str) -> Bundle:
    """A bundle made by hand: the engine asks its lock for the platform alone."""
    lock = Lock(
        prepared=cast("Prepared", None), python="", platform=platform, base="", base_digest=None, requirements=""
    )
    return Bundle(lock=lock, name="bench", version=None, files=tuple(files), private=(), digest="", card={}, labels={})


def _text(bundle: Bundle) -> str:
    """The Dockerfile."""
    return next((file.content or b"").decode() for file in bundle.files if file.name == "Dockerfile")


def _file(name: str, content: bytes) -> BundleFile:
    return BundleFile(name=name, size=len(content), sha256=hashlib.sha256(content).hexdigest(), content=content)
