"""The main job from start to end: trains a model, inspects, packs and tests it, and asks its container a question.

Without a container engine the model is tested and asked in a local process, which is said: it is not the image.
"""

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

from mlpack.engines.docker import DockerEngine
from mlpack.errors import EngineUnavailableError

HERE = Path(__file__).parent / "iris"
MLPACK = [sys.executable, "-m", "mlpack"]


def step(*words: str) -> None:
    """Shows a command and runs it, as a person would type it."""
    print(f"\n$ {' '.join(words)}", flush=True)
    command = [*MLPACK, *words[1:]] if words[0] == "mlpack" else [sys.executable, *words[1:]]
    code = subprocess.run(command, cwd=HERE, check=False).returncode
    if code:
        sys.exit(code)


def ask(*words: str) -> None:
    """Serves the model, pastes the curl line that `mlpack run` prints, and ends it as Ctrl-C would."""
    print(f"\n$ mlpack run {' '.join(words)}".rstrip(), flush=True)
    served = subprocess.Popen([*MLPACK, "run", "--json", *words], cwd=HERE, stdout=subprocess.PIPE, text=True)
    try:
        document = ""
        for line in served.stdout or ():
            document += line
            if line == "}\n":
                break
        curl = json.loads(document)["curl"]
        print(f"$ {curl}", flush=True)
        answer = pasted(curl)
        print(answer)
        if "predictions" not in json.loads(answer):
            sys.exit("the service gave no prediction")
    finally:
        served.send_signal(signal.SIGINT)
        served.wait(timeout=30)


def pasted(curl: str) -> str:
    """What the line answers in a shell; asked by Python where there is no curl."""
    if shutil.which("curl"):
        return subprocess.run(["sh", "-c", curl], capture_output=True, text=True, check=True).stdout
    url, header, body = (word for word in shlex.split(curl)[1:] if word not in {"-s", "-H", "-d"})
    request = urllib.request.Request(url, body.encode(), dict([header.split(": ", 1)]))  # noqa: S310  # our own service
    with urllib.request.urlopen(request) as answer:  # noqa: S310  # as above
        return str(answer.read().decode())


def engine_answers(words: list[str]) -> bool:
    """Whether there is a container engine to use; says why when there is none."""
    why = "--engine=process was asked for"
    if "--engine=process" not in words:
        try:
            DockerEngine.connect().close()
        except EngineUnavailableError as error:
            why = error.message
        else:
            return True
    print(f"\nNo container engine: {why}.")
    print("The demo goes on with --engine process: the model in a local process, which is NOT the image.", flush=True)
    return False


if __name__ == "__main__":
    os.environ.setdefault("COLUMNS", "120")
    step("python", "make_model.py")
    step("mlpack", "inspect", "model.pkl")
    if engine_answers(sys.argv):
        step("mlpack", "build", "model.pkl")
        step("mlpack", "test")
        ask()
    else:
        step("mlpack", "test", "--engine", "process", "model.pkl")
        ask("--engine", "process", "model.pkl")
