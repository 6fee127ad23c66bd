"""Figures of `mlpack build` beside a hand-written Dockerfile: `python -m tests.benchmarks.build [--json PATH]`."""

from __future__ import annotations

import argparse
import json
import os
import pickle
import sys
import tempfile
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from mlpack.artifacts.bundle import Bundle
from mlpack.artifacts.image import Image
from mlpack.artifacts.progress import Progress
from mlpack.engines.base import Limits
from mlpack.engines.docker import DockerEngine
from tests.benchmarks.baseline import by_hand, rendered, with_own_cache
from tests.benchmarks.measuring import Figure, command_seconds, machine, table, tell

MLPACK = [sys.executable, "-m", "mlpack"]
NAME = "mlpack-bench"
COLD_LIMIT = SIZE_LIMIT = 1.0  # ratios
REBUILD_LIMIT, UNCHANGED_LIMIT, VERSION_LIMIT, HELP_LIMIT = 2.0, 1.0, 0.15, 0.25  # seconds


def main() -> int:
    """Measures, prints the table, writes the JSON; ends with 1 when `--check` is given and a promise is not kept."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.build", description=__doc__)
    parser.add_argument("--json", type=Path, metavar="PATH", help="write the figures here too")
    parser.add_argument("--rounds", type=int, default=3, help="cold builds of each side (default 3)")
    parser.add_argument("--check", action="store_true", help="end with 1 when a promise is not kept")
    words = parser.parse_args()
    before = machine()
    with tempfile.TemporaryDirectory(prefix="mlpack-bench-") as folder:
        figures = [*commands(Path(folder)), *builds(Path(folder), words.rounds)]
    facts = {**before, "load_after": machine()["load"], "rounds": words.rounds}
    print(f"{facts['cpus']} CPUs, load {facts['load']} before and {facts['load_after']} after; medians")
    print(table(figures))
    if words.json:
        words.json.write_text(
            json.dumps({"machine": facts, "figures": [figure.to_json() for figure in figures]}, indent=2)
        )
    return int(words.check and any(figure.met is False for figure in figures))


def commands(folder: Path) -> Iterator[Figure]:
    """The two words that everybody types first."""
    for flag, limit in (("--version", VERSION_LIMIT), ("--help", HELP_LIMIT)):
        tell(f"mlpack {flag}")
        command_seconds([*MLPACK, flag], cwd=folder)  # the first reads the files from the disk
        samples = tuple(command_seconds([*MLPACK, flag], cwd=folder) for _ in range(9))
        yield Figure(name=f"mlpack {flag}", unit="s", ours=samples, limit=limit)


def builds(folder: Path, rounds: int) -> Iterator[Figure]:
    """What a build costs from nothing, then after a small change, then after none."""
    models = [train(folder / f"{n}.pkl", n) for n in range(rounds + 2)]
    os.link(models[0], folder / "model.pkl")
    locks = cold_locks(folder, rounds)
    yield Figure(name="lock, cold", unit="s", ours=locks)
    with DockerEngine.connect() as engine, _tags(engine) as kept:
        ours = rendered(folder / "rendered0", engine.facts().platform)
        yield from cold_builds(engine, ours, by_hand(ours, models[0]), locks, kept)
        yield from rebuilds(engine, folder, models, ours, kept)


def cold_locks(folder: Path, rounds: int) -> tuple[float, ...]:
    """Seconds of `mlpack render`, which reads, locks and renders, with nothing kept by mlpack or uv."""
    samples = []
    for n in range(rounds):
        caches = {"MLPACK_CACHE": str(folder / f"locks{n}"), "UV_CACHE_DIR": str(folder / f"uv{n}")}
        words = [*MLPACK, "render", "model.pkl", "--trust", "--buildkit", "-o", f"rendered{n}"]
        samples.append(command_seconds(words, cwd=folder, env=caches))
        tell(f"lock {n + 1}: {samples[-1]:.1f} s")
    return tuple(samples)


def cold_builds(
    engine: DockerEngine, ours: Bundle, theirs: Bundle, locks: tuple[float, ...], kept: list[str]
) -> Iterator[Figure]:
    """Both sides in turn, as often as there are locks; then the two images' size and start."""
    samples: dict[str, list[float]] = {"baseline": [], "mlpack": []}
    images: dict[str, Image] = {}
    for n in range(len(locks)):
        for side, bundle in (("baseline", theirs), ("mlpack", with_own_cache(ours, f"bench-{uuid.uuid4().hex}"))):
            tag = f"{NAME}-{side}:cold"
            kept.append(tag)
            taken, images[side] = timed_build(engine, bundle, tag, cold=True)
            samples[side].append(taken)
            tell(f"cold build {n + 1}, {side}: {taken:.1f} s, load {machine()['load']}")
    mlpack, baseline = tuple(samples["mlpack"]), tuple(samples["baseline"])
    yield Figure(name="cold build", unit="s", ours=mlpack, baseline=baseline, limit=COLD_LIMIT)
    both = tuple(build + lock for build, lock in zip(mlpack, locks, strict=True))
    yield Figure(name="cold build and cold lock", unit="s", ours=both, baseline=baseline, limit=COLD_LIMIT)
    sizes = {side: (image.size / 1e6,) for side, image in images.items()}
    yield Figure(name="image", unit="MB", ours=sizes["mlpack"], baseline=sizes["baseline"], limit=SIZE_LIMIT)
    starts = {side: tuple(cold_start(engine, image) for _ in locks) for side, image in images.items()}
    yield Figure(name="container start to ready", unit="s", ours=starts["mlpack"], baseline=starts["baseline"])


def rebuilds(engine: DockerEngine, folder: Path, models: list[Path], ours: Bundle, kept: list[str]) -> Iterator[Figure]:
    """A new model of the same kind, and the same model again: the whole command, and the baseline's build for the first."""
    words = [*MLPACK, "build", "model.pkl", "--trust", "--name", NAME, "--json"]
    kept.append(f"{NAME}:latest")
    samples: dict[str, list[float]] = {"mlpack": [], "baseline": []}
    for n, model in enumerate(models):
        place = folder / "model.pkl"
        place.unlink()
        os.link(model, place)
        theirs = by_hand(ours, model)
        times = {
            "mlpack": command_seconds(words, cwd=folder),
            "baseline": timed_build(engine, theirs, f"{NAME}-baseline:cold", cold=False)[0],
        }
        kept.append(json.loads((folder / ".mlpack" / "last.json").read_text())["tags"][0])
        if n:  # the first fills the caches
            for side, taken in times.items():
                samples[side].append(taken)
            tell(f"another model: {times['mlpack']:.2f} s, baseline {times['baseline']:.2f} s")
    yield Figure(name="model-only rebuild, whole command", unit="s", ours=(*samples["mlpack"],), limit=REBUILD_LIMIT)
    yield Figure(
        name="model-only rebuild, beside the baseline's",
        unit="s",
        ours=(*samples["mlpack"],),
        baseline=(*samples["baseline"],),
    )
    same = tuple(command_seconds(words, cwd=folder) for _ in range(7))
    yield Figure(name="unchanged mlpack build, whole command", unit="s", ours=same, limit=UNCHANGED_LIMIT)


def train(path: Path, seed: int) -> Path:
    """A small pipeline as a pickle; another seed is another model of the same kind."""
    from sklearn.datasets import load_iris
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    features, labels = load_iris(return_X_y=True)
    model = make_pipeline(StandardScaler(), LogisticRegression(C=1.0 + seed)).fit(features, labels)
    path.write_bytes(pickle.dumps(model))
    return path


def timed_build(engine: DockerEngine, bundle: Bundle, tag: str, *, cold: bool) -> tuple[float, Image]:
    """Seconds and image, by the engine's one way of building; `cold` uses nothing of an earlier build."""
    began = time.perf_counter()
    image = engine.build(bundle, tags=(tag,), on_progress=_silent, use_cache=not cold)
    return time.perf_counter() - began, image


def cold_start(engine: DockerEngine, image: Image) -> float:
    """Seconds from asking for a container until `/ready` answers 200, under the limits of `mlpack test`."""
    began = time.perf_counter()
    with engine.run(image, limits=Limits(), env={}, port=8080) as running:
        while time.perf_counter() - began < 120:
            with (
                suppress(urllib.error.URLError, OSError),
                urllib.request.urlopen(f"{running.url}/ready", timeout=5) as answer,
            ):
                if answer.status == 200:
                    return time.perf_counter() - began
            time.sleep(0.02)
        raise RuntimeError(f"{image.tags[0]} is not ready:\n{running.logs()}")


@contextmanager
def _tags(engine: DockerEngine) -> Iterator[list[str]]:
    """Names to be taken away at the end, with the images that have no other."""
    kept: list[str] = []
    try:
        yield kept
    finally:
        for tag in dict.fromkeys(kept):
            engine.remove_tag(tag)


def _silent(_progress: Progress) -> None:
    """Nobody watches."""


if __name__ == "__main__":
    sys.exit(main())
