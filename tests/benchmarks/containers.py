"""The start measured in containers of one image: ours to its first correct answer, and a script that loads the model and asks it."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
import uuid
from pathlib import Path

from mlpack.artifacts import labels
from mlpack.artifacts.image import Image
from mlpack.engines.base import Limits
from mlpack.engines.docker import DockerEngine
from mlpack.engines.docker.containers import _host_config
from mlpack.errors import EngineError
from tests.benchmarks.measuring import tell
from tests.benchmarks.moments import BARE, first_answer

PYTHON = "/opt/venv/bin/python"


def starts_in_containers(model: Path, rounds: int) -> dict[str, list[float]]:
    """Samples in seconds, in turn: `container_start` and `container_bare`; none where no engine answers."""
    try:
        engine = DockerEngine.connect()
    except EngineError as error:
        tell(f"no starts of containers: {error}")
        return {}
    name = f"mlpack-bench-start-{uuid.uuid4().hex[:8]}"
    with engine:
        image = _built(engine, model, name)
        samples: dict[str, list[float]] = {"container_start": [], "container_bare": []}
        try:
            for n in range(rounds + 1):
                bare, said = _bare(engine, image, f"model/{model.name}")
                start, answer = _ours(engine, image)
                if answer != {"predictions": said}:
                    raise RuntimeError(f"{answer} is not {said}")
                if n:  # the first fills the disk's cache
                    samples["container_start"].append(start)
                    samples["container_bare"].append(bare)
        finally:
            for tag in image.tags:
                engine.remove_tag(tag)
    medians = {side: statistics.median(taken) for side, taken in samples.items()}
    tell(f"container start {medians['container_start']:.2f} s, bare {medians['container_bare']:.2f} s")
    return samples


def _built(engine: DockerEngine, model: Path, name: str) -> Image:
    """The image that `mlpack build` makes of the model."""
    words = [sys.executable, "-m", "mlpack", "build", str(model), "--trust", "--name", name, "--json", "--quiet"]
    done = subprocess.run(words, cwd=model.parent, stdout=subprocess.PIPE, text=True, check=True)
    image = engine.find(json.loads(done.stdout)["id"])
    if image is None:
        raise RuntimeError(f"{name} was built and is not there")
    return image


def _ours(engine: DockerEngine, image: Image) -> tuple[float, object]:
    """From asking for a container to its first answer."""
    began = time.perf_counter()
    with engine.run(image, limits=Limits(), env={}, port=8080) as running:
        answer = first_answer(running.url, every_s=0.02)
        return time.perf_counter() - began, answer


def _bare(engine: DockerEngine, image: Image, file: str) -> tuple[float, object]:
    """The same with the script in the server's place, held as the server is; its end does not count."""
    client = engine._client
    held = _host_config(client, engine.address, Limits(), 8080, 0, network=None)
    began = time.perf_counter()
    name = f"mlpack-{uuid.uuid4().hex[:12]}"
    container = client.create_container(
        image.id, [file], name=name, entrypoint=[PYTHON, "-c", BARE], ports=[8080],
        user=Limits().user, labels={labels.RUN: name}, host_config=held, use_config_proxy=False,
    )["Id"]  # fmt: skip
    try:
        client.start(container)
        line = next(iter(client.logs(container, stream=True, follow=True)))
        taken = time.perf_counter() - began
        return taken, json.loads(line)
    finally:
        client.remove_container(container, force=True)
