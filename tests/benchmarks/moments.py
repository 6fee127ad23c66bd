"""What is measured once at a time: the start, and a large request as JSON and as binary tensors."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from tests.benchmarks import sides
from tests.benchmarks.goals import Goal
from tests.benchmarks.measuring import tell

START_LIMIT_S = 0.35
BINARY_LIMIT = 0.2
BARE = """\
import pickle, sys
with open(sys.argv[1], "rb") as file:
    model = pickle.load(file)
print(model.predict([[5.1, 3.5, 1.4, 0.2]]).tolist(), flush=True)
"""


def all_of_them(folder: Path, rounds: int) -> dict[str, Any]:
    """Samples in seconds: `start` and `bare` in turn, the same in containers where an engine answers, `json` and `binary`."""
    from tests.benchmarks.containers import starts_in_containers

    in_containers = starts_in_containers(folder / "logistic.pkl", max(rounds, 5))
    return {**starts(folder, rounds), **in_containers, **large(folder, rounds * 6)}


def goals_of(samples: dict[str, list[float]]) -> Iterator[Goal]:
    """The promises about them."""
    later = statistics.median(a - b for a, b in zip(samples["start"], samples["bare"], strict=True))
    yield Goal(
        name="start to first answer, beyond bare import and load",
        value=later,
        limit=START_LIMIT_S,
        at_least=False,
        unit="s",
    )
    if "container_start" in samples:
        pairs = zip(samples["container_start"], samples["container_bare"], strict=True)
        later = statistics.median(a - b for a, b in pairs)
        name = "the same, each in a container of the image"
        yield Goal(name=name, value=later, limit=START_LIMIT_S, at_least=False, unit="s")
    value = statistics.median(samples["binary"]) / statistics.median(samples["json"])
    yield Goal(name="1,000 x 100 floats, binary to JSON (ours)", value=value, limit=BINARY_LIMIT, at_least=False)


def starts(folder: Path, rounds: int) -> dict[str, list[float]]:
    """From the process's start to its first correct answer: ours, and a script that only loads the model and asks it.

    Local processes, not containers; the script's end does not count.
    """
    model = folder / "logistic.pkl"
    command = sides.ours(folder / "start-mlpack", model)
    samples: dict[str, list[float]] = {"start": [], "bare": []}
    for n in range(rounds + 1):
        began = time.perf_counter()
        with subprocess.Popen([sys.executable, "-c", BARE, str(model)], stdout=subprocess.PIPE, text=True) as script:
            said = script.stdout.readline() if script.stdout else ""
            bare = time.perf_counter() - began
        began = time.perf_counter()
        with sides.running(command, folder / "start.log", path="/livez") as server:
            answer = first_answer(server.url)
            taken = time.perf_counter() - began
        if answer["predictions"] != json.loads(said):
            raise RuntimeError(f"{answer} is not {said}")
        if n:  # the first writes bytecode and fills the disk's cache
            samples["start"].append(taken)
            samples["bare"].append(bare)
    tell(f"start {statistics.median(samples['start']):.2f} s, bare {statistics.median(samples['bare']):.2f} s")
    return samples


def first_answer(url: str, *, every_s: float = 0.005) -> Any:
    """What /predict answers first with 200, asked again and again."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        try:
            return json.loads(sides.ask(f"{url}/predict", b'{"instances": [[5.1, 3.5, 1.4, 0.2]]}'))
        except OSError:  # noqa: PERF203 - until it is ready
            time.sleep(every_s)
    raise RuntimeError("no answer within a minute")


def large(folder: Path, count: int) -> dict[str, list[float]]:
    """1,000 rows of 100 doubles, as JSON to /predict and as one binary tensor to Open Inference's route."""
    model = sides.train(folder / "wide.pkl", "wide")
    rows = np.random.default_rng(1).normal(size=(1000, 100))
    text = json.dumps({"instances": rows.tolist()}).encode()
    data = rows.astype("<f8").tobytes()
    samples: dict[str, list[float]] = {"json": [], "binary": []}
    with sides.running(sides.ours(folder / "wide-mlpack", model), folder / "wide.log") as server:
        url = server.url
        card = json.loads(sides.ask_get(url))
        head = json.dumps({
            "inputs": [{"name": card["signatures"][0]["inputs"][0]["name"], "shape": [1000, 100], "datatype": "FP64",
                        "parameters": {"binary_data_size": len(data)}}],
            "parameters": {"binary_data_output": True},
        }).encode()  # fmt: skip
        headers = {
            "Content-Type": "application/octet-stream",
            "Inference-Header-Content-Length": str(len(head)),
        }
        for n in range(count + 2):
            began = time.perf_counter()
            sides.ask(f"{url}/predict", text)
            middle = time.perf_counter()
            sides.ask(f"{url}/v2/models/{card['name']}/infer", head + data, headers)
            if n > 1:
                samples["json"].append(middle - began)
                samples["binary"].append(time.perf_counter() - middle)
    tell(
        f"1,000 x 100: JSON {statistics.median(samples['json']) * 1e3:.1f} ms, binary {statistics.median(samples['binary']) * 1e3:.1f} ms"
    )
    return samples
