"""Other serving frameworks, each in an environment of its own, serving the same pickle as their documentation shows it."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from mlpack.packages.uvbin import uv_binary
from tests.benchmarks.measuring import tell
from tests.benchmarks.sides import Running, running
from tests.benchmarks.wrk import quoted

INSTANCES = '{"instances": [[5.1, 3.5, 1.4, 0.2]]}'
INPUTS = '{"inputs": [[5.1, 3.5, 1.4, 0.2]]}'
TENSOR = '{"inputs": [{"name": "input", "shape": [1, 4], "datatype": "FP64", "data": [[5.1, 3.5, 1.4, 0.2]]}]}'


@dataclass(frozen=True, kw_only=True)
class Peer:
    """A framework: what is installed, its files, what is run first, the server's command, the route, the body."""

    packages: tuple[str, ...]
    files: dict[str, str]
    command: tuple[str, ...]
    path: str
    body: str
    ready: str
    prepare: str = ""
    env: tuple[tuple[str, str], ...] = ()


BENTOML = """\
import pickle
import bentoml

@bentoml.service(workers=1)
class Iris:
    def __init__(self):
        with open({model}, "rb") as file:
            self.model = pickle.load(file)

    @bentoml.api
    def predict(self, instances: list[list[float]]) -> list[int]:
        return self.model.predict(instances).tolist()
"""
LITSERVE = """\
import pickle, sys
import litserve

class Iris(litserve.LitAPI):
    def setup(self, device):
        with open({model}, "rb") as file:
            self.model = pickle.load(file)

    def predict(self, request):
        return {{"predictions": self.model.predict(request["instances"]).tolist()}}

if __name__ == "__main__":
    litserve.LitServer(Iris(), accelerator="cpu", workers_per_device=1).run(
        port=int(sys.argv[1]), host="127.0.0.1", generate_client_file=False, log_level="error")
"""
MLSERVER = """\
{{"name": "iris", "implementation": "mlserver_sklearn.SKLearnModel", "parameters": {{"uri": {model}}}}}
"""
MLFLOW = """\
import pickle, sys
import mlflow.sklearn

with open({model}, "rb") as file:
    mlflow.sklearn.save_model(pickle.load(file), "model", serialization_format="pickle")
"""

PEERS = {
    "BentoML": Peer(
        packages=("bentoml",),
        files={"service.py": BENTOML},
        command=("-m", "bentoml", "serve", "service:Iris", "--host", "127.0.0.1", "--port"),
        path="/predict",
        body=INSTANCES,
        ready="/readyz",
        env=(("BENTOML_DO_NOT_TRACK", "True"),),
    ),
    "LitServe": Peer(
        packages=("litserve",), files={"serve.py": LITSERVE}, command=("serve.py",), path="/predict",
        body=INSTANCES, ready="/health",
    ),
    "MLServer": Peer(
        packages=("mlserver", "mlserver-sklearn"),
        files={"model-settings.json": MLSERVER},
        command=("-c", "from mlserver.cli import main; main()", "start", "."),
        path="/v2/models/iris/infer", body=TENSOR, ready="/v2/health/ready",
        env=(("MLSERVER_PARALLEL_WORKERS", "0"), ("MLSERVER_HOST", "127.0.0.1"), ("MLSERVER_METRICS_PORT", "0")),
    ),
    "MLflow": Peer(
        packages=("mlflow",),
        files={"save.py": MLFLOW},
        prepare="save.py",
        command=("-m", "mlflow", "models", "serve", "-m", "model", "--env-manager=local", "--workers=1", "-h", "127.0.0.1", "-p"),
        path="/invocations", body=INPUTS, ready="/health",
    ),
}  # fmt: skip


def running_peers(stack: ExitStack, folder: Path, model: Path) -> dict[str, tuple[Running, str, str]]:
    """All that can be installed and started here; the others are told, and left out."""
    import sklearn

    found = {}
    for name, peer in PEERS.items():
        place = folder / name
        place.mkdir()
        try:
            python = environment(place, (*peer.packages, f"scikit-learn=={sklearn.__version__}"))
            for file, text in peer.files.items():
                (place / file).write_text(text.format(model=quoted(model)))
            environ = {**os.environ, **dict(peer.env), "PATH": f"{python.parent}:{os.environ['PATH']}"}
            if peer.prepare:
                subprocess.run([python, peer.prepare], cwd=place, env=environ, check=True, capture_output=True)
            command = [str(python), *peer.command]
            server = stack.enter_context(running(command, place / "log", env=environ, path=peer.ready, cwd=place))
        except (RuntimeError, subprocess.CalledProcessError) as error:
            said = getattr(error, "stderr", None) or str(error)
            tell(f"{name} is left out: {(said.decode() if isinstance(said, bytes) else said)[-600:]}")
            continue
        found[name] = (server, peer.path, peer.body)
    return found


def environment(place: Path, packages: tuple[str, ...]) -> Path:
    """An environment of its own with the newest releases; its Python."""
    uv = uv_binary()
    tell(f"installing {' '.join(packages)}")
    subprocess.run([uv, "venv", "-q", "-p", sys.executable, place / "venv"], check=True, capture_output=True)
    python = place / "venv" / "bin" / "python"
    subprocess.run([uv, "pip", "install", "-q", "-p", python, *packages], check=True, capture_output=True)
    return python
